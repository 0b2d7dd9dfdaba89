"""`lib-graph layers`."""

from __future__ import annotations

import json

import click

from lib_graph.cli.commands import command

__all__ = ["layers"]


@command(short_help="List the points of a network that can be layers.")
@click.argument("model")
@click.option("--data", metavar="PATH.PY:FUNCTION", help="What makes the data.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def layers(model: str, data: str | None, as_json: bool) -> None:
    """List the points of a network that can be layers, with their shapes without the samples.

    MODEL is a model folder, a language model's name on the hub, or path.py:function. `build
    --layers` takes points by commas, each with a name of your own if you like: input=0:in,output.

    \b
    lib-graph layers my-model
    lib-graph layers gpt2
    lib-graph layers nets.py:make_model
    """  # noqa: D301  \b is click's mark
    from lib_graph.cutting.points import shapes
    from lib_graph.networks import load_subject

    subject = load_subject(model, data)
    names = {point: name for name, point in subject.layers.items()}
    rows = [
        {"point": point, "shape": list(shape), "layer": names.get(point)}
        for point, shape in shapes(subject.module, subject.example(), subject.form).items()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(str(row["point"])) for row in rows)
    for row in rows:
        default = f"  layer {row['layer']}" if row["layer"] else ""
        click.echo(f"{row['point']:{width}}  {row['shape']}{default}")
