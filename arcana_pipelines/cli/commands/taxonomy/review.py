"""`arcana taxonomy queue`, `accept` and `reject`: what waits for a person, and the person's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import click

from arcana_pipelines.audit.record import by_user
from arcana_pipelines.classification import review
from arcana_pipelines.classification.review import QueueFilters, QueueRow, Verdict
from arcana_pipelines.classification.rules import find_rule
from arcana_pipelines.cli.commands.taxonomy.opening import opened
from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, local_time, print_json, say, so_many
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.whole_document import find_document_id
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup

_ORIGINS = ("nearest", "rule", "default", "given", "person")
_SHOWN = 20  # documents, before many are decided on
_ONE = "Name a page and the topic that is suggested for it; or, for all of them at once, --below TOPIC or --rule NAME."


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--limit", type=click.IntRange(1, review.MOST_ROWS), default=20, show_default=True, help="Documents.")
@click.option("--after", metavar="CURSOR", help="What follows: `after` of the output before.")
@click.option("--below", metavar="PATH", help="Only suggestions of this topic and those below it.")
@click.option("--rule", metavar="NAME", help="Only what this rule found.")
@click.option("--origin", type=click.Choice(_ORIGINS), help="Only what was found so.")
@json_option
def queue(
    slug: str, limit: int, after: str | None, below: str | None, rule: str | None, origin: str | None, as_json: bool
) -> None:
    """List documents whose topic waits for a person, those first that searches show most often.

    For example: arcana taxonomy queue handbook --below AI
    """
    with opened(slug) as (connection, workspace_id):
        filters = _filters(connection, workspace_id, below, rule, origin)
        page = review.queue(connection, workspace_id, limit, after, filters)
        counts = review.queue_counts(connection, workspace_id)
    if as_json:
        print_json({
            "workspace": slug, "version": page.version, "documents": counts.documents,
            "rows": [_told(row) for row in page.rows], "after": page.after,
        })  # fmt: skip
        return
    if not page.rows:
        say("Nothing of '{}' waits for a person.", slug)
        return
    for row in page.rows:
        _say_row(row)
    say("[bold]{}[/bold] of {}. arcana taxonomy accept {} PAGE TOPIC, or reject",
        len(page.rows), so_many(counts.documents, "document"), slug)  # fmt: skip
    if page.after:
        say("[dim]There are more: --after '{}'[/dim]", page.after)


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("page", required=False)
@click.argument("topic", required=False)
@click.option("--instead", metavar="PATH", help="It is not about TOPIC, but about this one.")
@click.option("--below", metavar="PATH", help="All whose first suggestion is this topic or one below it.")
@click.option("--rule", metavar="NAME", help="All that this rule found.")
@click.option("--yes", is_flag=True, help="Do not ask, where --below or --rule means many.")
@json_option
def accept(
    slug: str, page: str | None, topic: str | None, instead: str | None, below: str | None, rule: str | None,
    yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say that a document is about the topic that is suggested for it. It stays so, whatever is found later.

    \b
    arcana taxonomy accept handbook "Vacation policy" "People/Time off"
    arcana taxonomy accept handbook "Vacation policy" AI --instead "People/Time off"
    """
    _decide("accepted", slug, page, topic, instead, below, rule, yes, as_json)


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("page", required=False)
@click.argument("topic", required=False)
@click.option("--below", metavar="PATH", help="All whose first suggestion is this topic or one below it.")
@click.option("--rule", metavar="NAME", help="All that this rule found.")
@click.option("--yes", is_flag=True, help="Do not ask, where --below or --rule means many.")
@json_option
def reject(
    slug: str, page: str | None, topic: str | None, below: str | None, rule: str | None, yes: bool, as_json: bool
) -> None:  # fmt: skip
    """Say that a document is not about the topic that is suggested for it. It is never suggested for it again.

    For example: arcana taxonomy reject handbook "Vacation policy" AI
    """
    _decide("rejected", slug, page, topic, None, below, rule, yes, as_json)


def _decide(
    verdict: Verdict, slug: str, page: str | None, topic: str | None, instead: str | None, below: str | None,
    rule: str | None, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    is_one = page is not None and topic is not None
    if is_one == (below is not None or rule is not None) or (page is None) != (topic is None):
        raise WrongUse(_ONE)
    if instead is not None and not is_one:
        raise WrongUse("--instead is for one page.")
    suggested, other = (read_path(each) if each is not None else None for each in (topic, instead))
    with opened(slug, writes=True) as (connection, workspace_id):
        if page is None or suggested is None:
            filters = _filters(connection, workspace_id, below, rule, None)
            shown = review.all_suggested(connection, workspace_id, filters)
            if shown and not as_json:
                _say_group(shown)
            if shown:
                word = "Accept" if verdict == "accepted" else "Reject"
                asked = f"{word} what is suggested for {so_many(len(shown), 'document')} of '{slug}'?"
                confirm(asked, yes, as_json, is_final=False)
            decided = review.decide_all(connection, workspace_id, verdict, by_user(), filters, shown)
            if as_json:
                print_json({"workspace": slug, "verdict": verdict, "decided": decided})
            else:
                say("{} of '{}': {}.", so_many(decided, "document"), slug, verdict)
            return
        document_id = find_document_id(connection, workspace_id, page)
        nodes = lookup.require(connection, workspace_id, [suggested, *([other] if other else [])])
        done = review.decide(
            connection, workspace_id, document_id, nodes[suggested], verdict, by_user(), nodes[other] if other else None
        )
    if as_json:
        print_json({"workspace": slug, **asdict(done), "path": spell_path(done.path)})
    elif done.accepted:
        say("'{}' is about {}.", page, spell_path(done.path))
    else:
        say("'{}' is not about {}.", page, spell_path(done.path))


def _say_group(rows: Sequence[QueueRow]) -> None:
    for row in rows[:_SHOWN]:
        say("[bold]{}[/bold]  {}", row.title or row.external_id, spell_path(row.path))
    if len(rows) > _SHOWN:
        say("and {} more", f"{len(rows) - _SHOWN:,}")


def _filters(
    connection: Connection, workspace_id: UUID, below: str | None, rule: str | None, origin: str | None
) -> QueueFilters:
    node = lookup.one(connection, workspace_id, read_path(below)) if below is not None else None
    return QueueFilters(node, find_rule(connection, workspace_id, rule).rule_id if rule is not None else None, origin)


def _told(row: QueueRow) -> dict[str, Any]:
    others = [{**asdict(other), "path": spell_path(other.path)} for other in row.alternatives]
    return {**asdict(row), "path": spell_path(row.path), "alternatives": others}


def _say_row(row: QueueRow) -> None:
    found = f"rule '{row.rule}'" if row.rule else row.reason or row.origin
    shown = f", shown {row.shown:,} times" if row.shown else ""
    say("[bold]{}[/bold]  {}  [dim]{}, {}{}, since {}[/dim]", row.title or row.external_id, spell_path(row.path),
        f"{row.confidence:.2f}", found, shown, local_time(row.created_at))  # fmt: skip
    if row.alternatives:
        say("  [dim]or {}[/dim]", ", ".join(spell_path(other.path) for other in row.alternatives))
    if row.url:
        say("  [blue]{}[/blue]", row.url)
