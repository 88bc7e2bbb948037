"""`arcana search`: hits with where they stand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import get_args

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.links import link_text
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import (
    called,
    console,
    is_quiet,
    json_option,
    print_json,
    printable,
    runnable,
    say,
    so_many,
)
from arcana_pipelines.cli.passage_lines import heading_lines, passage_lines
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.excerpts import excerpt, excerpt_too
from arcana_pipelines.retrieval.filters import KINDS, Filters, PropertyCondition
from arcana_pipelines.retrieval.fusion import Fusion
from arcana_pipelines.retrieval.hit_files import where_in_words
from arcana_pipelines.retrieval.limits import MOST_HITS
from arcana_pipelines.retrieval.query_embedders import QueryEmbedders
from arcana_pipelines.retrieval.relevance import WHY_UNJUDGED
from arcana_pipelines.retrieval.reranking.registry import open_reranker
from arcana_pipelines.retrieval.results import Hit, Place, Results, TopicFacet
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.several import checked_workspaces, search_workspaces
from arcana_pipelines.retrieval.workspace_named import workspace_named

# Characters of a hit on a terminal, and of its other passage.
SHOWN, SHOWN_TOO = 400, 200


def _time(text: str) -> datetime:
    """An ISO 8601 time: UTC, or with an offset."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            f"'{text}' is not a time: write 2026-02-01, 2026-02-01T09:30 or 2026-02-01T09:30+09:00."
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _SearchCommand(WorkspaceCommand):
    """Where workspaces are named by `-w`, the slug may be left out."""

    def _completed(self, ctx: click.Context, args: list[str]) -> list[str]:
        with ctx.scope(cleanup=False):
            try:
                values, _, _ = self.make_parser(ctx).parse_args(list(args))
            except click.UsageError:
                return args
        several = values.get("workspaces")
        if isinstance(several, list) and not isinstance(values.get("query"), str):
            return [several[0], *args]
        return super()._completed(ctx, args)


@click.command(name="search", cls=_SearchCommand)
@click.argument("slug")
@click.argument("query")
@click.option(
    "-w",
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="SLUG",
    help="Another workspace to search, in one order with the others; with it, SLUG may be left out.",
)
@click.option("-k", type=click.IntRange(1, MOST_HITS), default=10, show_default=True, help="How many hits.")
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@click.option(
    "--below",
    metavar="PAGE",
    help="Only this page and what is below it, files too: an id, an address from Notion, or a title.",
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only documents of this kind.")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Only rows and tickets with such a property: Status=Done, Status!=Done, Status= (empty), Owner~Kim "
    "(contains), Tags=urgent (one of several), Cost>=100, Ratio>=50%, Due<2026-02-01, Due=2026-02 (in that month), "
    "Done=yes. The same for Notion's API and for exports, whose cells are read in English and Korean. Several: all "
    "have to hold.",
)
@click.option(
    "--edited-since",
    type=_time,
    metavar="TIME",
    help="Only pages edited at that time (UTC, or with an offset) or later.",
)
@click.option("--links-to", metavar="PAGE", help="Only pages that link to this one (as in --below).")
@click.option(
    "--internal/--no-internal", default=None, help="Only private notes of tickets and their files, or none of them."
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="PATH",
    help="Only what is about this topic of the workspace's taxonomy, or one below it: AI/RAG, or its id. A path of an "
    "earlier version is good, too.",
)
@click.option(
    "--facets",
    "has_facets",
    is_flag=True,
    help="Also the topics directly below that one, or the uppermost, with their numbers of documents.",
)
@click.option("--neighbours", type=click.IntRange(0, 10), default=0, help="Chunks before and after each hit.")
@click.option("--per-document", is_flag=True, help="At most one hit a page: its best chunk.")
@click.option(
    "--as-of",
    type=_time,
    metavar="TIME",
    help="Search what was searchable at that past time (UTC, or with an offset), in the versions of that time. Slower.",
)
@click.option(
    "--fusion",
    type=click.Choice(get_args(Fusion)),
    default="weighted",
    show_default=True,
    help="How words and meaning are combined: by their scores, or by their ranks (reciprocal rank fusion).",
)
@click.option("--target", metavar="NAME", help="Which target to ask by meaning; pgvector: PostgreSQL itself.")
@click.option("--after", metavar="CURSOR", help="What comes after an answer, by the cursor that it gave.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Nothing is said to be found when no hit has this score; 0: any will do. Default: what fits the model.",
)
@json_option
def command(
    slug: str, query: str, workspaces: tuple[str, ...], k: int, index: str, below: str | None,
    kinds: tuple[str, ...], conditions: tuple[str, ...], internal: bool | None, topics: tuple[str, ...],
    has_facets: bool,
    edited_since: datetime | None, links_to: str | None, neighbours: int, per_document: bool, as_of: datetime | None,
    fusion: Fusion, min_score: float | None, after: str | None, target: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Search a workspace. QUERY - reads one query a line from standard input.

    With - each answer stands below its query; with --json too, one JSON object a line is printed, in order.
    """
    if len(topics) > 1:
        raise WrongUse("A search is about one --topic: name the one that both are below, or search for each.")
    filters = Filters(
        below=below,
        kinds=kinds,
        properties=[PropertyCondition.parse(condition) for condition in conditions],
        edited_since=edited_since,
        links_to=links_to,
        internal=internal,
        topic=topics[0] if topics else None,
    )
    slugs = checked_workspaces([slug, *workspaces])
    not_searched: dict[str, str] = {}
    asks_lines = query == "-"
    asked = SearchRequest(
        query, k, fusion=fusion, filters=filters, neighbours=neighbours, per_document=per_document,
        min_score=min_score, as_of=as_of, index=index, after=after, target=target,
        facets=("topics",) if has_facets else (),
    )  # fmt: skip
    database = open_database()
    database.only_searches = True
    require_current(database)
    with database.connection() as connection:
        reranker = open_reranker(database.settings)
        embedders = QueryEmbedders(database.settings)

        @cache
        def searcher_of(slug: str) -> ConnectionSearcher:
            workspace_id = workspace_named(connection, slug)
            return ConnectionSearcher(connection, database.settings, workspace_id, None, embedders, reranker)

        for request in _of_lines(asked) if asks_lines else [asked]:
            results = search_workspaces(searcher_of, slugs, request)
            not_searched |= results.not_searched
            if as_json:
                print_json(({"query": request.query} if asks_lines else {}) | results.to_dict())
            else:
                if asks_lines:
                    say("[bold]{}[/bold]", f"? {request.query}")
                for note in dict.fromkeys(results.notes):
                    click.echo(printable(runnable(note)), err=True)
                tells_why = min_score is None and not filters and not is_quiet()
                _print(results, len(slugs) > 1, is_past=as_of is not None, tells_why=tells_why)
    for unsearched, reason in not_searched.items():
        click.echo(printable(runnable(f"Workspace '{unsearched}' was not searched: {reason}")), err=True)
    if not_searched:
        sys.exit(3)


def _of_lines(asked: SearchRequest) -> Iterator[SearchRequest]:
    """The same request with the query of each line of standard input."""
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    for line in sys.stdin:
        yield replace(asked, query=line.rstrip("\r\n"))


def _print(results: Results, several: bool, is_past: bool = False, tells_why: bool = False) -> None:
    for word, meant in results.corrections.items():
        say("[yellow]No text has '{}'[/yellow]; searched for '{}' too.", word, meant)
    if results.nearest:
        say(
            "Nothing relevant was found; the nearest are:"
            if len(results.nearest) > 1
            else "Nothing relevant was found; the nearest is:"
        )
    elif not results.hits:
        say("Nothing was found.")
    likely = max((at for at, hit in enumerate(results.hits, start=1) if hit.score >= results.least), default=0)
    # Who goes on behind the last likely hit, and who is shown the nearest, wants to see them.
    in_full = likely or len(results.hits)
    for number, hit in enumerate(results.hits[:in_full] or results.nearest, start=1):
        _print_hit(number, hit, several, is_past)
        click.echo()
    if in_full < len(results.hits):
        say("[dim]weaker:[/dim]")
        for number, hit in enumerate(results.hits[in_full:], start=in_full + 1):
            where = f"{hit.workspace}: " if several else ""
            say("[dim]{}. {}{}  {}[/dim]", number, where, _place_of(hit), f"{hit.score:.2f}")
        click.echo()
    for facet in results.facets:
        _print_facet(facet, several)
    for hit in results.repeated:
        say("[dim]a text that was shown is also on: {} {}[/dim]", hit.title, hit.url or hit.external_id)
    if tells_why and results.unjudged and results.hits:
        say("[dim]{}[/dim]", WHY_UNJUDGED[results.unjudged])
    say("[dim]{} in {} ms[/dim]", so_many(len(results.hits), "hit"), round(results.seconds * 1000))
    if results.cursor:
        say("[dim]more: --after {}[/dim]", results.cursor)


def _print_facet(facet: TopicFacet, several: bool) -> None:
    where = f"{facet.workspace}: " if several else ""
    say("[dim]topic {}{}: {}[/dim]", where, facet.path, so_many(facet.documents, "document"))


def _place_of(hit: Hit) -> str:
    """Its title and the headings that what is shown of it stands under."""
    return " > ".join((hit.title, *(hit.passage.heading_path if hit.passage else hit.heading_path)))


def _print_hit(number: int, hit: Hit, several: bool, is_past: bool = False) -> None:
    from rich.text import Text

    out = console()

    def text(shown: str, style: str = "") -> Text:
        return Text(printable(shown), style=style)

    # The only version there is says nothing, but of the past one wants to know which it was.
    facts = [f"version {hit.version}"] if hit.version > 1 or is_past else []
    facts += [f"edited {hit.last_edited_at[:10]}"] if hit.last_edited_at else []
    where = f"{hit.workspace}: " if several else ""
    heading = text(f"{number}. {where}") + text(_place_of(hit), "bold")
    for line in heading_lines(out, heading, text(f"{hit.score:.2f}  {', '.join(facts)}".rstrip(), "dim")):
        out.print(line)

    def print_neighbour(shown: str) -> None:
        for line in passage_lines(out, text("… " + " ".join(shown.split())[:SHOWN], "dim")):
            out.print(line)

    def marked(shown: str, spans: Sequence[tuple[int, int]]) -> Text:
        passage = text(shown)
        for begin, end in spans:
            passage.stylize("bold yellow", begin, end)
        return passage

    if hit.file:
        out.print(text(f"   {where_in_words(hit.file)}", "dim"))
    for before in hit.before:
        print_neighbour(before)
    for line in passage_lines(out, marked(*excerpt(hit, SHOWN))):
        out.print(line)
    if hit.also:
        elsewhere = hit.also.heading_path if hit.passage and hit.also.heading_path != hit.passage.heading_path else []
        out.print(text(f"   … {' > '.join(elsewhere)}".rstrip(), "dim"))
        for line in passage_lines(out, marked(*excerpt_too(hit, SHOWN_TOO))):
            out.print(line)
    for after in hit.after:
        print_neighbour(after)
    if hit.other_chunks:
        out.print(text(f"   {so_many(hit.other_chunks, 'other part')} of this page found", "dim"))
    for twin in hit.duplicates:
        out.print(text(f"   also on: {twin.title} {twin.url or twin.external_id}{_wording(twin)}", "dim"))
    for page in hit.file.also_in if hit.file else ():
        out.print(text(f"   also attached to: {page.title} {page.url or page.external_id}", "dim"))
    for other in hit.related:
        out.print(text(f"   {other.how}: {other.title} {other.url or other.document_id}", "dim"))
    if hit.link:
        out.print(text("   ") + link_text(out, printable(hit.link)))
    elif hit.workspace:
        # A file without Notion's id has no address anywhere, but it can be read here.
        if hit.source_path:
            out.print(text(f"   {hit.source_path}", "blue"))
        out.print(text(f"   {called()} document {hit.workspace} {hit.document_id}", "dim"))


def _wording(twin: Place) -> str:
    """How the other page says it, where it says it differently."""
    shown = [f"'{there}' for '{here}'" if here else f"and '{there}'" for here, there in twin.differences if there]
    left_out = [f"no '{here}'" for here, there in twin.differences if not there]
    return f" (there: {', '.join((*shown, *left_out))})" if twin.differences else ""
