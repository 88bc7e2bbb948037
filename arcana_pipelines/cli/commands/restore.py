"""`arcana restore`: a backup becomes an installation again."""

from __future__ import annotations

from datetime import datetime

import click

from arcana_pipelines.backup.restore import SETTINGS
from arcana_pipelines.backup.restore import restore as bring_back
from arcana_pipelines.cli.output import json_option, local_time, print_json, say
from arcana_pipelines.cli.place_of_backups import from_option, place_or
from arcana_pipelines.cli.progress import counted
from arcana_pipelines.errors import WrongUse
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
@click.option("--without-files", is_flag=True, help="Leave out the bytes of files: the store has them still.")
@json_option
def command(place: str | None, backup_id: str | None, at: str | None, without_files: bool, as_json: bool) -> None:
    """Restore a backup into an empty ARCANA_HOME, or an empty DATABASE_URL; anything else is refused.

    All of the backup is read before anything is touched. Then set the secrets that it names, and run `arcana doctor`.

    For example: ARCANA_HOME=/srv/arcana arcana restore --from /mnt/backups
    """
    settings = load_settings()
    moment = None if at is None else time_of(at)
    if moment is not None and backup_id is not None:
        raise WrongUse("--at chooses the backup by itself: leave out --backup.")
    with counted("restoring files", not as_json) as tell:
        done = bring_back(
            settings, place_or(place, settings, "--from"), backup_id, at=moment, with_files=not without_files, tell=tell
        )
    if as_json:
        print_json(done.as_dict())
        return
    say(
        "Restored [bold]{}[/bold] of {} with {} files in {} s", done.manifest.backup_id, local_time(done.at),
        f"{done.files:,}", f"{done.seconds:.1f}",
    )  # fmt: skip
    for note in done.notes:
        say("[yellow]{}[/yellow]", note)
    if done.files_missing:
        say("{} files are not in the backup: the next sync fetches them from the source.", done.files_missing)
    if done.secrets:
        say("Secrets are in no backup. Set these again: {}", ", ".join(done.secrets))
    say("The settings of then are in {}, to take from it what fits.", settings.home / SETTINGS)
