"""`arcana taxonomy lookup`, `topics`, `assign` and `unassign`: paths become nodes, and topics of documents."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import click

from arcana_pipelines.audit.record import by_user
from arcana_pipelines.cli.commands.taxonomy.opening import active_name, opened
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, printable, say
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.retrieval.topic_facets import topic_facets
from arcana_pipelines.retrieval.whole_document import find_document_id
from arcana_pipelines.taxonomy.given import Assignment, assign, unassign
from arcana_pipelines.taxonomy.labels import Path, read_path, spell_path
from arcana_pipelines.taxonomy.lookup import lookup
from arcana_pipelines.taxonomy.topics import not_since, one_topic

# Who says that a document is about a topic.
_SAYS = {
    "given": "comes with it", "person": "a person says so", "rule": "a rule says so",
    "nearest": "its text is near to it", "default": "what comes with it is no topic",
}  # fmt: skip
_Said = Callable[[Connection, UUID, UUID, Collection[Path], str], list[Assignment]]


@click.command(name="lookup", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--version", metavar="VERSION", help="Default: the active one.")
@json_option
def lookup_(slug: str, paths: tuple[str, ...], version: str | None, as_json: bool) -> None:
    """Print the ids of the topics at paths. A path that is none is an error, which names those near it.

    Without --version a path of an earlier version, or one in another language, is found as searches find it.

    For example: arcana taxonomy lookup handbook AI/RAG "AI/검색 증강"
    """
    wanted = [read_path(path) for path in paths]
    with opened(slug) as (connection, workspace_id):
        if version is not None:
            found = lookup.require(connection, workspace_id, wanted, version)
            meant = [Meant(path, path, found[path]) for path in wanted]
        else:
            version = active_name(connection, workspace_id)
            meant = _meant(connection, workspace_id, wanted)
    if as_json:
        print_json({"workspace": slug, "version": version, "nodes": [each.told() for each in meant]})
        return
    _say_meant(meant)
    for each in meant:
        say("{}  {}", each.node_id, spell_path(each.path))


@click.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("path", required=False)
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@json_option
def topics(slug: str, path: str | None, index: str, as_json: bool) -> None:
    """Count the documents that searches find of each topic below PATH, or of the uppermost.

    A document counts once in each topic that it is about, or that has one below it that it is about.

    For example: arcana taxonomy topics handbook AI
    """
    from rich.cells import cell_len

    with opened(slug) as (connection, workspace_id):
        found = topic_facets(connection, workspace_id, path, index=index)
    if as_json:
        print_json({"workspace": slug, "topic": path, "topics": [asdict(facet) for facet in found]})
        return
    if not found:
        say("There is nothing below {} in '{}'.", path or "the top", slug)
    names = [f"{facet.path}{'/…' if facet.has_children else ''}" for facet in found]
    widest = max(map(cell_len, names), default=0)
    for name, facet in zip(names, found, strict=True):
        click.echo(printable(f"{name}{' ' * (widest - cell_len(name))}  {facet.documents:,}"))


@click.command(name="assign", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("page")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
def assign_(slug: str, page: str, paths: tuple[str, ...], as_json: bool) -> None:
    """Say that a page or file is about topics. No rule and no model takes it back.

    PAGE is its id, its address, or its exact title. All paths are topics, or nothing is written.

    For example: arcana taxonomy assign handbook "Vacation policy" "People/Time off"
    """
    _say_it(assign, slug, page, paths, as_json)


@click.command(name="unassign", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("page")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@json_option
def unassign_(slug: str, page: str, paths: tuple[str, ...], as_json: bool) -> None:
    """Say that a page or file is not about topics. No rule and no model gives them to it again.

    For example: arcana taxonomy unassign handbook "Vacation policy" "People/Time off"
    """
    _say_it(unassign, slug, page, paths, as_json)


@dataclass(frozen=True, slots=True)
class Meant:
    """A topic that somebody names.

    Attributes:
        asked: as it was named.
        path: its own.
        since: the version since which `asked` is not its path; None: it is, or never was.
    """

    asked: Path
    path: Path
    node_id: UUID
    since: str | None = None

    def told(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "path": spell_path(self.path),
            "node_id": str(self.node_id),
            "asked": spell_path(self.asked),
            "since": self.since,
        }


def _meant(connection: Connection, workspace_id: UUID, paths: Collection[Path]) -> list[Meant]:
    """The topics of the active version that paths mean, of this version or an earlier one, or in another language."""
    meant = []
    for path in paths:
        node = one_topic(connection, workspace_id, spell_path(path))
        since = not_since(connection, workspace_id, path) if node.path != path else None
        meant.append(Meant(path, node.path, node.node_id, since))
    return meant


def _say_meant(meant: Collection[Meant]) -> None:
    for each in meant:
        if each.path != each.asked:
            since = f" since {each.since}" if each.since else ""
            say("[dim]'{}' is '{}'{}[/dim]", spell_path(each.asked), spell_path(each.path), since)


def _say_it(said: _Said, slug: str, page: str, paths: tuple[str, ...], as_json: bool) -> None:
    wanted = [read_path(path) for path in paths]
    with opened(slug, writes=True) as (connection, workspace_id):
        document_id = find_document_id(connection, workspace_id, page)
        meant = _meant(connection, workspace_id, wanted)
        topics = said(connection, workspace_id, document_id, [each.path for each in meant], by_user())
    if as_json:
        told = [_told(topic) for topic in topics]
        print_json({"workspace": slug, "document_id": str(document_id), "topics": told})
        return
    _say_meant(meant)
    if not topics:
        say("'{}' has no topic.", page)
    for topic in topics:
        why = f" ({topic.reason})" if topic.reason else ""
        waits = " [yellow]It is only suggested, and waits for a person.[/yellow]" if topic.hitl_required else ""
        say(f"{{}}  [dim]{{}}{{}}[/dim]{waits}", spell_path(topic.path), _SAYS[topic.origin], why)


def _told(topic: Assignment) -> dict[str, Any]:
    return {
        "node_id": str(topic.node_id),
        "path": spell_path(topic.path),
        "version": topic.version,
        "confidence": topic.confidence,
        "origin": topic.origin,
        "hitl_required": topic.hitl_required,
        "reason": topic.reason,
        "created_at": topic.created_at.isoformat(),
    }
