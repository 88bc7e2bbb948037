"""`arcana target`: copies of an index in other stores, added, compared, paused and dropped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.one_workspace import WorkspaceCommand
from arcana_pipelines.cli.output import json_option, print_json, say, so_many
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import ArcanaError, TargetDiffers
from arcana_pipelines.indexes.builds import DEFAULT_INDEX
from arcana_pipelines.indexes.targets import targets
from arcana_pipelines.indexes.targets.delivery import Delivery, deliver, verify_target
from arcana_pipelines.indexes.targets.dumps import dump, load
from arcana_pipelines.indexes.targets.registry import kinds, location_of, open_store
from arcana_pipelines.indexes.targets.targets import Target
from arcana_pipelines.indexes.targets.unwanted import drop_unwanted, due_places
from arcana_pipelines.workspaces import workspaces

FILL_SECONDS = 24 * 3600.0


@click.group(name="target")
def command() -> None:
    """Keep copies of an index in other stores, and prove that they are equal."""


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("kind", type=click.Choice(kinds()))
@click.option("--location", metavar="PLACE", help="A path or an address without secrets. Default: a place of its own.")
@click.option("--index", default=DEFAULT_INDEX, show_default=True, help="Which of the workspace's indexes.")
@click.option("--name", help="What it is called. Default: its kind.")
@click.option("--without-text", is_flag=True, help="Store vectors and what identifies them, but no texts.")
@json_option
def add(
    slug: str, kind: str, location: str | None, index: str, name: str | None, without_text: bool, as_json: bool
) -> None:
    """Add a store that is to hold a copy of an index, and fill it.

    For example: arcana target add handbook sqlite
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        workspace = workspaces.find(connection, slug)
    name = name or targets.default_name(kind, index)
    place = location_of(database.settings, kind, Path(workspace.storage_path), location, name)
    # It answers, or nothing is added.
    with open_store(database.settings, kind, place) as store:
        version = store.version()
    with database.connection() as connection:
        target = targets.add_target(
            connection, workspace.workspace_id, kind, place, name, index=index, with_text=not without_text
        )
    done = deliver(database, target, seconds=FILL_SECONDS)
    target = _again(database, target)
    if as_json:
        print_json({**target.as_dict(), "version": version, "delivered": asdict(done)})
    else:
        say("Target '{}' of workspace '{}': {} at {}.", target.name, slug, version, target.location)
        _say_delivered(done)
    if done.error is not None:
        raise click.exceptions.Exit(TargetDiffers.exit_code)


@command.command(name="list", cls=WorkspaceCommand)
@click.argument("slug")
@json_option
def list_(slug: str, as_json: bool) -> None:
    """List the targets of a workspace, with what waits for them."""
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        found = targets.seen(targets.targets_of(connection, workspaces.find(connection, slug).workspace_id))
    if as_json:
        print_json({"workspace": slug, "targets": [target.as_dict() for target in found]})
        return
    if not found:
        say("No targets: PostgreSQL alone has this workspace's index. arcana target add {} KIND", slug)
    for target in found:
        say(
            "[bold]{}[/bold] ({}, {}): {}, {} of {}, {} waiting, {} s behind{}",
            target.name, target.kind, target.location, target.state, so_many(target.vector_count, "chunk"),
            so_many(target.object_count, "document"), target.waiting, round(target.lag_seconds),
            f". {target.last_error}" if target.last_error else "",
        )  # fmt: skip


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name", required=False)
@json_option
def verify(slug: str, name: str | None, as_json: bool) -> None:
    """Compare targets with PostgreSQL, row by row; exit 3 where one differs. What differs is delivered again.

    What waits is delivered first. NAME: one target; without it all.
    """
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        found = targets.targets_of(connection, workspaces.find(connection, slug).workspace_id, name)
    compared = [_verified(database, target) for target in found]
    if as_json:
        print_json({"workspace": slug, "targets": compared})
    for each in () if as_json else compared:
        if each["error"]:
            say("[bold]{}[/bold]: [red]not compared[/red]. {}", each["name"], each["error"])
        else:
            say(
                "[bold]{}[/bold]: {} rows, {} missing, {} extra, {} different; {} waiting.{}",
                each["name"], each["count"], each["missing"], each["extra"], each["different"], each["waiting"],
                f" {each['repaired']} rows were delivered again." if each["repaired"] else "",
            )  # fmt: skip
    if any(each["error"] for each in compared):
        raise click.exceptions.Exit(1)
    if not all(each["is_equal"] for each in compared):
        raise click.exceptions.Exit(TargetDiffers.exit_code)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@json_option
def pause(slug: str, name: str, as_json: bool) -> None:
    """Deliver nothing more to a target, until it is resumed. What changes meanwhile waits."""
    _, target = _paused(slug, name, True)
    if as_json:
        print_json(target.as_dict())
    else:
        say("The target '{}' is paused.", name)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@json_option
def resume(slug: str, name: str, as_json: bool) -> None:
    """Deliver to a target again, at once what waits."""
    database, target = _paused(slug, name, False)
    done = deliver(database, target, seconds=FILL_SECONDS)
    if as_json:
        print_json({**_again(database, target).as_dict(), "delivered": asdict(done)})
    else:
        say("The target '{}' is resumed.", name)
        _say_delivered(done)


@command.command(cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def drop(slug: str, name: str, yes: bool, as_json: bool) -> None:
    """Drop a target with all it holds. PostgreSQL keeps the index."""
    database, target = _found(slug, name)
    confirm(f"Drop the target '{name}' of workspace '{slug}' at {target.location}?", yes, as_json)
    with database.connection() as connection:
        targets.drop_target(connection, target)
        places = [place for place in due_places(connection) if place.location == target.location]
    is_left = any(drop_unwanted(database, place) < len(place.collections) for place in places)
    if as_json:
        print_json({"workspace": slug, "target": name, "dropped": True, "is_emptied": not is_left})
    else:
        then = "What it holds is deleted as soon as its store answers." if is_left else "Its store holds nothing of it."
        say("The target '{}' is dropped. {}", name, then)


@command.command(name="dump", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def dump_(slug: str, name: str, file: Path, as_json: bool) -> None:
    """Write what a target holds, vectors and metadata, into a new file.

    For example: arcana target dump handbook chroma handbook.jsonl.gz
    """
    database, target = _found(slug, name)
    done = dump(database, target, file)
    if as_json:
        print_json({"workspace": slug, "target": name, "file": str(file), **asdict(done)})
        return
    say("{:,} rows are in {}.".format(done.rows, "{}"), file)
    if done.left_out:
        say(f"[yellow]{done.left_out:,} rows were left out[/yellow]: PostgreSQL has them no more, or not so.")


@command.command(name="load", cls=WorkspaceCommand)
@click.argument("slug")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def load_(slug: str, name: str, file: Path, as_json: bool) -> None:
    """Fill a target anew from a file of `dump`, deliver what it lacks, and compare; exit 3 where it differs.

    The file is of the build that serves, of this or another kind of target. Without a file a target is filled as well:
    this is for vectors that are to be those of the file.
    """
    database, target = _found(slug, name)
    done = load(database, target, file, seconds=FILL_SECONDS)
    is_equal = done.parity is not None and done.parity.is_equal
    if as_json:
        told = {"rows": done.rows, "left_out": done.left_out, "delivered": asdict(done.delivery)}
        parity = done.parity.as_dict() if done.parity else None
        print_json({"workspace": slug, "target": name, **told, "is_equal": is_equal, "parity": parity})
    else:
        said = "{:,} rows came from the file, {:,} of it were left out; {:,} rows were delivered besides."
        say(said.format(done.rows, done.left_out, done.delivery.put))
        say("It is [green]equal[/green] to PostgreSQL." if is_equal else "[red]It differs from PostgreSQL.[/red]")
    if not is_equal:
        raise click.exceptions.Exit(TargetDiffers.exit_code)


def _found(slug: str, name: str) -> tuple[Database, Target]:
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        return database, targets.targets_of(connection, workspaces.find(connection, slug).workspace_id, name)[0]


def _paused(slug: str, name: str, is_paused: bool) -> tuple[Database, Target]:
    database, target = _found(slug, name)
    with database.connection() as connection:
        targets.pause(connection, target, is_paused)
    return database, _again(database, target)


def _again(database: Database, target: Target) -> Target:
    with database.connection() as connection:
        return targets.targets_of(connection, target.workspace_id, target.name)[0]


def _verified(database: Database, target: Target) -> dict[str, Any]:
    error = parity = None
    repaired = 0
    try:
        found = verify_target(database, target)
        parity, repaired = found.parity, found.repair.put
    except ArcanaError as problem:
        error = str(problem)
    now = _again(database, target)
    return {
        **now.as_dict(),
        "count": parity.count if parity else None,
        "missing": parity.missing if parity else None,
        "extra": parity.extra if parity else None,
        "different": parity.different if parity else None,
        "is_equal": parity is not None and parity.is_equal,
        "repaired": repaired,
        "parity": parity.as_dict() if parity else None,
        "error": error,
    }


def _say_delivered(done: Delivery) -> None:
    said = "{:,} rows put, {:,} taken out, of {:,} documents, in {:.1f} s."
    say(said.format(done.put, done.taken, done.documents, done.seconds))
    if done.error is not None:
        say("[red]{} documents wait[/red]: {}", done.waiting, done.error)
