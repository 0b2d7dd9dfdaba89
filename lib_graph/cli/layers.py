"""`lib-graph layers`."""

from __future__ import annotations

import click

from lib_graph.cli.commands import command, progress
from lib_graph.cli.output import Output, output_options

__all__ = ["layers"]


@command(short_help="List the points of a network that can be layers.")
@click.argument("model")
@click.option("--data", metavar="PATH.PY:FUNCTION", help="What makes the data.")
@output_options
def layers(model: str, data: str | None, output: Output) -> None:
    """List the points of a network that can be layers, with their shapes without the samples.

    MODEL is a model folder, a language model's name on the hub, or path.py:function. `build
    --layers` takes points by commas, each with a name of your own if you like: input=0:in,output.

    \b
    lib-graph layers my-model
    lib-graph layers gpt2
    lib-graph layers nets.py:make_model
    """  # noqa: D301  \b is click's mark
    import pandas as pd

    from lib_graph.cutting.points import shapes
    from lib_graph.networks import load_subject
    from lib_graph.support.tables import Frame
    from lib_graph.support.view import View

    with progress().stage("loading the model", 1):
        subject = load_subject(model, data)
        found = shapes(subject.module, subject.example(), subject.form)
    names = {point: name for name, point in subject.layers.items()}
    rows = [(point, list(shape), names.get(point)) for point, shape in found.items()]
    columns = ("point", "shape", "layer")
    cells = [(point, str(shape), layer or "") for point, shape, layer in rows]
    output.emit(Frame(pd.DataFrame(rows, columns=columns)), lambda _: View(columns, cells))
