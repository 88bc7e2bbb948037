"""`arcana file`: files that people add to a workspace, and what became of all that it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, printable, say, so_many
from arcana_pipelines.cli.reports import INCOMPLETE, print_report
from arcana_pipelines.cli.runs import Ran, run_sync
from arcana_pipelines.cli.said_once import unknown_topics_said_once
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import FileDamaged, FileNotAllowed, WrongUse
from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.ledger import files
from arcana_pipelines.ledger.added_files import AddedFile, Called, remove
from arcana_pipelines.ledger.listed_files import ListedFile, ShownFile, find_file, listed_files, show_file
from arcana_pipelines.operations.file_tree import Found, LeftOut, found_in
from arcana_pipelines.pipeline.added_files import add_file, require_files, require_topics
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.retrieval.places import find_living_page
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.workspaces import workspaces

_STATES = click.Choice(["pending", "stored", "parsed", "skipped", "quarantined", "removed"])
_SAMPLE = 20
_sync_option = click.option(
    "--sync/--no-sync", "then_sync", default=True, show_default=True,
    help="Whether a sync of the workspace follows at once, or whenever the next one comes.",
)  # fmt: skip


@click.group(name="file")
def command() -> None:
    """Add files that no page has, and see what became of all files of a workspace."""


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--below", metavar="PAGE", help="The page that they hang on: an id, an address, or a title.")
@click.option("--name", help="What the file, or the folder, is called. Default: its own name.")
@click.option(
    "--topic", "topics", metavar="PATH", multiple=True,
    help="What they are about: the path of a topic, such as AI/RAG. May be given several times.",
)  # fmt: skip
@_sync_option
@json_option
@click.pass_context
def add(
    context: click.Context,
    slug: str,
    paths: tuple[Path, ...],
    below: str | None,
    name: str | None,
    topics: tuple[str, ...],
    then_sync: bool,
    as_json: bool,
) -> None:
    """Add files, and all files in folders, so that searches find them.

    For example: arcana file add handbook contracts/ plan.pdf

    With a topic: arcana file add handbook lease.pdf --topic Law/Leases

    A file that was added under the same name, in the same folder, is that file with other bytes; with the same bytes
    nothing is done, but that it has the topics that are given now. Hidden files and links in folders are left out. Exit
    code 3: some could not be added.
    """
    database = open_database()
    upgrade(database)
    require_files(database.settings)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        page = find_living_page(connection, workspace.workspace_id, below).external_id if below else None
    about = [read_path(topic) for topic in topics]
    with unknown_topics_said_once():
        require_topics(database, workspace, about)
    found = list(found_in(paths, name))
    _refuse_twice([each for each in found if isinstance(each, Found)])
    added: list[AddedFile] = []
    left_out: list[LeftOut] = []
    with open_file_store(database.settings) as store:
        for each in found:
            if isinstance(each, LeftOut):
                left_out.append(each)
                continue
            try:
                added.append(add_file(database, store, workspace, each.path, Called.of(each.parts, page), topics=about))
            except FileNotAllowed as error:
                left_out.append(LeftOut(each.path, str(error)))
            except FileDamaged:
                left_out.append(LeftOut(each.path, "changed while it was read"))
            except OSError as error:
                left_out.append(LeftOut(each.path, error.strerror or "cannot be read"))
    if not as_json:
        _say_added(slug, added, left_out)
        if added and about:
            say("They are about {} now.", ", ".join(f"'{spell_path(path)}'" for path in about))
    is_new = any(each.outcome != "same" for each in added)
    ran = _synced(database, slug, is_new and then_sync, is_new, as_json)
    if as_json:
        print_json({
            "workspace": slug,
            "files": [asdict(each) for each in added],
            "left_out": [{"path": str(each.path), "reason": each.reason} for each in left_out],
            "sync": ran.as_dict() if ran else None,
        })  # fmt: skip
    missing = [each for each in left_out if not each.is_meant]
    if missing and not added:
        context.exit(1)
    context.exit(INCOMPLETE if missing or (ran and ran.report.is_incomplete) else 0)


@command.command(name="remove", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@_sync_option
@json_option
@click.pass_context
def remove_(context: click.Context, slug: str, ids: tuple[str, ...], then_sync: bool, as_json: bool) -> None:
    """Remove files that were added. A file of a page goes when its page has it no more.

    ID is what `arcana file list` shows, or the name with its folder. For example: arcana file remove handbook plan.pdf
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
        found = _meant(connection, workspace.workspace_id, ids)
        with connection.transaction():  # all, or none
            for file in found:
                remove(connection, workspace, file)
    if not as_json:
        say("{} removed from '{}'.", so_many(len(found), "file"), slug)
    ran = _synced(database, slug, then_sync, True, as_json)
    if as_json:
        removed = [file.external_id for file in found]
        print_json({"workspace": slug, "removed": removed, "sync": ran.as_dict() if ran else None})
    context.exit(INCOMPLETE if ran and ran.report.is_incomplete else 0)


@command.command(name="list", cls=WorkspaceCommand)
@click.argument("slug")
@click.option("--state", type=_STATES, help="Only files in this state.")
@json_option
def list_(slug: str, state: str | None, as_json: bool) -> None:
    """List the files of a workspace: those of pages, those in files, and those that were added.

    For example: arcana file list handbook --state skipped
    """
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        found = listed_files(connection, workspaces.find(connection, slug).workspace_id, state)
    if as_json:
        print_json({"workspace": slug, "files": [file.as_dict() for file in found]})
        return
    if not found:
        say("There are no files{} in '{}'.", f" in the state '{state}'" if state else "", slug)
    for file in sorted(found, key=lambda file: (file.page or "", file.page_id or "", file.path)):
        say(
            "[bold]{}[/bold]  {}{}{}[dim]{}  {}[/dim]",
            file.path, file.state, f" ({file.reason})" if file.reason else "", f", {_bytes_of(file)}",
            f", on {file.page or file.page_id}" if file.page_id else "", file.document_id or file.external_id,
        )  # fmt: skip


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("id_", metavar="ID")
@json_option
def show(slug: str, id_: str, as_json: bool) -> None:
    """Show what became of a file: its state, what was not read of it, its versions, and how its text begins.

    For example: arcana file show handbook plan.pdf
    """
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id
        file = find_file(connection, workspace_id, id_)
        known = show_file(connection, workspace_id, file)
    if as_json:
        print_json({"workspace": slug, **file.as_dict(), **known.as_dict()})
    else:
        _say_file(file, known)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--kind", type=click.Choice([kind.value for kind in FileKind]), help="All files of this kind.")
@_sync_option
@json_option
@click.pass_context
def retry(
    context: click.Context, slug: str, ids: tuple[str, ...], kind: str | None, then_sync: bool, as_json: bool
) -> None:
    """Read files once more: those named, those of a kind, or without either those in quarantine.

    What is searched of them stays until they are read. For example: arcana file retry handbook --kind pdf
    """
    database = open_database()
    upgrade(database)
    with workspace_session(database, slug) as session:
        workspace_id = session.workspace.workspace_id
        named = [file.external_id for file in _meant(session.connection, workspace_id, ids)] if ids else None
        due = files.read_again(session.connection, workspace_id, named, kind)
    if not as_json:
        say("{} of '{}' to be read once more.", so_many(due, "file"), slug)
    ran = _synced(database, slug, bool(due) and then_sync, bool(due), as_json)
    if as_json:
        print_json({"workspace": slug, "due": due, "sync": ran.as_dict() if ran else None})
    context.exit(INCOMPLETE if ran and ran.report.is_incomplete else 0)


def _refuse_twice(found: list[Found]) -> None:
    """Refuse files of one call that would be versions of each other.

    Raises:
        WrongUse: two are called the same.
    """
    counted = Counter(Called.of(each.parts).path for each in found)
    twice = [name for name, times in counted.items() if times > 1]
    if twice:
        raise WrongUse(
            f"{counted[twice[0]]} files would be called '{twice[0]}'. Add them one by one with --name, or the folder "
            "that they lie in."
        )


def _meant(connection: Connection, workspace_id: UUID, ids: tuple[str, ...]) -> list[ListedFile]:
    return list({file.external_id: file for file in (find_file(connection, workspace_id, id_) for id_ in ids)}.values())


def _synced(database: Database, slug: str, is_wanted: bool, is_due: bool, as_json: bool) -> Ran | None:
    """Sync the workspace, or say that the next sync does the rest."""
    if is_wanted:
        ran = run_sync(database, slug, Mode.INCREMENTAL, as_json=as_json)
        if not as_json:
            print_report(ran)
        return ran
    if is_due and not as_json:
        say(f"The next sync does the rest: arcana sync {slug}")
    return None


def _say_added(slug: str, added: list[AddedFile], left_out: list[LeftOut]) -> None:
    outcomes = Counter(each.outcome for each in added)
    say(
        "[bold]{}[/bold]: {} new, {} changed, {} already there", slug, outcomes["new"], outcomes["changed"],
        outcomes["same"],
    )  # fmt: skip
    meant = Counter(each.reason for each in left_out if each.is_meant)
    for reason, number in meant.items():
        say("Left out: {}, as each {}.", so_many(number, "file"), reason)
    missing = [each for each in left_out if not each.is_meant]
    for each in missing[:_SAMPLE]:
        say("[yellow]Not added[/yellow]: {}: {}", each.path, each.reason)
    if len(missing) > _SAMPLE:
        say("[yellow]Not added[/yellow]: {} more (--json lists them)", len(missing) - _SAMPLE)


def _say_file(file: ListedFile, known: ShownFile) -> None:
    say("[bold]{}[/bold]  {}, {}", file.path, file.state, _bytes_of(file))
    about: list[tuple[str, Any]] = [
        ("why", " ".join(filter(None, (file.reason, f"({known.detail})" if known.detail else "")))),
        ("again at", known.next_attempt_at.isoformat(timespec="seconds") if known.next_attempt_at else ""),
        ("on", file.page or file.page_id), ("in", known.inside), ("title", known.title),
        ("not read", "; ".join(known.notes)),
        ("text", f"{known.characters:,} characters in {len(known.places) or 1} places" if known.characters else ""),
        ("same bytes as", known.copy_of), ("read by", known.parser), ("document", file.document_id),
        ("id", file.external_id),
    ]  # fmt: skip
    for name, held in about:
        if held:
            say("[dim]{}:[/dim] {}", name, held)
    for version in known.versions:
        say("[dim]version {}:[/dim] {}", version["version"], str(version["created_at"])[:19])
    if known.text:
        click.echo()
        click.echo(printable("\n".join(known.text.splitlines()[:10])))


def _bytes_of(file: ListedFile) -> str:
    return "no bytes" if file.size is None else f"{file.kind}, {file.size:,} bytes"
