"""The verb that serves a store: the API and the page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from lib_graph.cli.commands import command
from queries.cli.options import run_options

__all__ = ["serve"]


@command(short_help="Serve a store: a page to explore it, and an API.")
@run_options
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Another address lets others in, with the token that is printed.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True,
              help="0 takes a free one.")  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@click.option("--folder", "folders", multiple=True, metavar="DIR", default=["."],
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Where run folders are, for examples. Repeatable. [default: .]")  # fmt: skip
def serve(
    store: str | None,
    run: str | None,
    host: str,
    port: int,
    opens: bool,
    folders: tuple[Path, ...],
) -> None:
    """Serve a store until Ctrl-C: a page to explore it in a browser, and its API under /api/v1.

    Runs that are loaded meanwhile appear. Nothing is fetched from the network.

    \b
    lib-graph serve --open
    lib-graph serve --store neo4j --run my-run --port 9000
    """  # noqa: D301  \b is click's mark
    from queries.service.app import make_service
    from queries.service.held import Served
    from queries.service.serving import address, listening, make_door
    from queries.service.serving import serve as answer

    with Served(store, run, folders) as served, listening(host, port) as taken:
        served.prepare()
        door = make_door(host, taken.getsockname()[1])
        where = address(door)
        click.echo(f"{served.name}: {where}  (Ctrl-C ends it)")
        with suppress(KeyboardInterrupt):  # it is how a service ends
            answer(make_service(served, door), taken, open_at=where if opens else None)
