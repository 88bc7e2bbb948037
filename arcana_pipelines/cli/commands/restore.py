"""`arcana restore`: a backup becomes an installation again."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from arcana_pipelines.backup.one_workspace import restore_workspace
from arcana_pipelines.backup.restore import SETTINGS, restore_data_directory
from arcana_pipelines.backup.restore import restore as bring_back
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import error_console, json_option, local_time, print_json, say
from arcana_pipelines.cli.place_of_backups import from_option, place_or
from arcana_pipelines.cli.progress import counted
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import InvalidSetting, WrongUse
from arcana_pipelines.home import room_in
from arcana_pipelines.indexes.targets.targets import all_targets
from arcana_pipelines.pipeline.targets import compare_all
from arcana_pipelines.settings import load_settings


def time_of(text: str) -> datetime:
    """A time with a zone.

    Raises:
        WrongUse: it is none, or has none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise WrongUse("--at takes a time with its zone, such as 2026-11-30T14:05:00+09:00.")
    return moment


@click.command(name="restore")
@from_option
@click.option("--backup", "backup_id", metavar="ID", help="Which one; by default the newest.")
@click.option("--at", metavar="TIME", help="As it was then (2026-11-30T14:05+09:00), where BACKUP_WAL was on.")
@click.option("--workspace", "slug", metavar="SLUG", help="This workspace alone, into the installation that is there.")
@click.option(
    "--data-directory", "directory", type=click.Path(path_type=Path), metavar="DIR",
    help="Of a backup of your own server's files: make its data directory there, and start nothing.",
)  # fmt: skip
@click.option("--as-copy", is_flag=True, help="Beside the installation that it is of: targets are paused, not filled.")
@click.option("--without-files", is_flag=True, help="Leave out the bytes of files: the store has them still.")
@json_option
def command(
    place: str | None,
    backup_id: str | None,
    at: str | None,
    slug: str | None,
    directory: Path | None,
    as_copy: bool,
    without_files: bool,
    as_json: bool,
) -> None:
    """Restore a backup into an empty ARCANA_HOME, or an empty DATABASE_URL; anything else is refused.

    All of the backup is read before anything is touched. Then set the secrets that it names, and run `arcana doctor`.

    For example: ARCANA_HOME=/srv/arcana arcana restore --from /mnt/backups
    """
    settings = load_settings()
    if slug is not None:
        if at is not None or without_files or as_copy:
            raise WrongUse("--workspace goes with --from and --backup alone.")
        _one(place_or(place, settings, "--from"), slug, backup_id, as_json)
        return
    moment = None if at is None else time_of(at)
    if directory is not None:
        made = restore_data_directory(
            settings, place_or(place, settings, "--from"), directory.expanduser().absolute(), backup_id, moment
        )
        if as_json:
            print_json({"backup_id": made.backup_id, "kind": made.kind, "data_directory": str(directory)})
        else:
            say(
                "{} is a data directory of PostgreSQL {}: give it to its user, and start the server.",
                directory,
                made.server,
            )
        return
    if moment is not None and backup_id is not None:
        raise WrongUse("--at chooses the backup by itself: leave out --backup.")
    with counted("restoring files", not as_json) as tell:
        done = bring_back(
            settings, place_or(place, settings, "--from"), backup_id, at=moment, with_files=not without_files, tell=tell
        )
    with closing(Database(settings)) as database:
        notes = [*done.notes, *_end_runs(database)]
        compared = _pause(database) if as_copy else _repair(database, not as_json)
    if as_json:
        print_json({**done.as_dict(), "notes": notes, "targets": compared})
        return
    say(
        "Restored [bold]{}[/bold] of {} with {} files in {} s", done.manifest.backup_id, local_time(done.at),
        f"{done.files:,}", f"{done.seconds:.1f}",
    )  # fmt: skip
    for note in notes:
        say("[yellow]{}[/yellow]", note)
    for each in compared:
        told = f"could not be compared: {each['error']}" if each["error"] else "is equal, or is filled again"
        say("Target '{}' of '{}' {}", each["target"], each["workspace"], "is paused" if as_copy else told)
    if done.files_missing:
        say("{} files are not in the backup: the next sync fetches them from the source.", done.files_missing)
    if done.secrets:
        say("Secrets are in no backup. Set these again: {}", ", ".join(done.secrets))
    say("The settings of then are in {}, to take from it what fits.", room_in(settings.home) / SETTINGS)


def _one(place: str, slug: str, backup_id: str | None, as_json: bool) -> None:
    database = open_database()
    require_current(database)
    done = restore_workspace(database, place, slug, backup_id)
    if as_json:
        print_json(done.as_dict())
    else:
        say(
            "[bold]{}[/bold] is back from {}: {} rows, {} builds, {} files, {} s",
            slug, done.backup_id, f"{done.rows:,}", done.builds, f"{done.files:,}", f"{done.seconds:.1f}",
        )  # fmt: skip


def _end_runs(database: Database) -> list[str]:
    """What was at work when the backup was made is not, here; Dagster would tell of it as failed in some minutes.

    Returns why it was not done, as where a `dagster.yaml` that was restored needs what is not here.
    """
    from arcana_pipelines.defs.instance import keeps_runs_here, open_instance
    from arcana_pipelines.defs.runs import cancel_restored

    try:
        if keeps_runs_here(database.settings):
            with open_instance(database) as instance:
                cancel_restored(instance)
    except InvalidSetting as error:
        return [str(error)]
    return []


def _repair(database: Database, wanted: bool) -> list[dict[str, Any]]:
    """Compare each target with what was restored, and deliver what differs; what became of each."""
    with database.connection() as connection:
        slugs = sorted({target.slug for target in all_targets(connection)})
    found = []
    for slug in slugs:
        for each in compare_all(database, slug):
            if wanted and each.error is None:
                error_console().print(f"{slug}: target {each.target} compared", markup=False)
            found.append({"workspace": slug, "target": each.target, "error": each.error})
    return found


def _pause(database: Database) -> list[dict[str, Any]]:
    """Let nothing be delivered from here."""
    with database.connection() as connection, connection.transaction():
        connection.execute("UPDATE index_target SET is_paused = true")
        targets = all_targets(connection)
    return [{"workspace": each.slug, "target": each.name, "error": None} for each in targets]
