"""`lib-graph basis`."""

from __future__ import annotations

from pathlib import Path

import click

from lib_graph.cli.commands import command

__all__ = ["basis"]


@command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option(
    "--format",
    metavar="FORMAT",
    default="saelens",
    show_default=True,
    help="saelens or circuit-tracer.",
)
@click.option(
    "--layer",
    "layers",
    metavar="LAYER",
    multiple=True,
    help="Only this layer; several times for several.  [default: all but raw ones and transcoders]",
)
def basis(run: Path, out: Path, format: str, layers: tuple[str, ...]) -> None:
    """Write the bases or dictionaries of the run folder RUN as other libraries read them.

    SAELens gets a folder for each layer, circuit-tracer a set of transcoders, in the order of the
    layers. Features of LIB, PCA or neurons become two each: what is above 0, and what is below.

    \b
    lib-graph basis my-run --out my-saes
    lib-graph basis my-run --layer ln1.0 --format circuit-tracer --out my-set
    """  # noqa: D301  \b is click's mark
    from lib_graph.dictionaries.bases_file import read_bases
    from lib_graph.dictionaries.transcoders_file import read_transcoders
    from lib_graph.dictionaries.writing import write_dictionaries
    from lib_graph.errors import NotFoundError, UsageError
    from lib_graph.run import Run

    opened = Run.open(run)
    bases = read_bases(opened.path / "bases.safetensors")
    for layer in read_transcoders(opened.path / "bases.safetensors"):
        del bases[layer]
        if layer in layers or not bases:
            raise UsageError(
                f"At layer {layer!r} a transcoder stands in. Take it where the build took it from."
            )
    for layer in layers:
        if layer not in bases and layer in {known.name for known in opened.layers}:
            raise UsageError(
                f"Layer {layer!r} is raw: its features are the network's own, and no basis is "
                "there to write. Leave it out."
            )
        if layer not in bases:
            raise NotFoundError("basis of layer", layer, bases)
    chosen = {name: bases[name] for name in layers or bases}
    for path in write_dictionaries(out, chosen, format, opened.manifest.model.name):
        click.echo(path)
