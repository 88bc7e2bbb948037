"""`arcana search`: hits with where they stand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, print_json
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.pipeline import workspaces
from arcana_pipelines.retrieval.searcher import Results, Searcher


@click.command(name="search")
@click.argument("slug")
@click.argument("query")
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many hits.")
@click.option("--index", default=workspaces.DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@json_option
def command(slug: str, query: str, k: int, index: str, as_json: bool) -> None:
    """Search a workspace. QUERY - reads one query a line from standard input.

    With - and --json, one JSON object a line is printed, in order.
    """
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        connection.commit()
        searcher = Searcher(connection, database.settings, workspace.workspace_id, index)
        for line in _lines() if query == "-" else [query]:
            results = searcher.search(line.rstrip("\r\n"), k)
            if as_json:
                print_json({"hits": [asdict(hit) for hit in results.hits], "seconds": round(results.seconds, 4)})
            else:
                _print(results)


def _lines() -> Iterator[str]:
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    yield from sys.stdin


def _print(results: Results) -> None:
    out = console()
    if not results.hits:
        out.print("Nothing found.")
    for number, hit in enumerate(results.hits, start=1):
        where = " › ".join(hit.heading_path)
        out.print(f"[bold]{number}. {_plain(hit.title)}[/bold]  [dim]{hit.score:.2f}  version {hit.version}[/dim]")
        if where:
            out.print(f"   [cyan]{_plain(where)}[/cyan]")
        text = " ".join(hit.text.split())
        out.print(f"   {_plain(text[:280] + (' …' if len(text) > 280 else ''))}")
        if hit.url:
            out.print(f"   [dim]{_plain(hit.url)}[/dim]")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
