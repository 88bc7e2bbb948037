"""`arcana backup`: copies of everything in another place."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from arcana_pipelines.backup import manifest, wal
from arcana_pipelines.backup.create import create as make
from arcana_pipelines.backup.drill import drill as hold
from arcana_pipelines.backup.manifest import Kind
from arcana_pipelines.backup.prune import prune as remove_old
from arcana_pipelines.backup.vault import open_vault
from arcana_pipelines.backup.verify import verify as read_all
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, local_time, print_json, say
from arcana_pipelines.cli.place_of_backups import from_option, place_or
from arcana_pipelines.cli.progress import counted
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import load_settings

INCOMPLETE = 3


@click.group(name="backup")
def command() -> None:
    """Keep copies of everything in another place, check them, and delete old ones."""


@command.command()
@click.option(
    "--to", "place", metavar="PLACE", help="Where to put it: a folder, or s3://BUCKET/PREFIX; by default BACKUP_TO."
)
@click.option("--full", "kind", flag_value="full", help="The server's files, whole: the default of the embedded one.")
@click.option("--incremental", "kind", flag_value="incremental", help="What changed in them since the newest backup.")
@click.option("--logical", "kind", flag_value="logical", help="As pg_dump writes it: for any server, also a newer one.")
@json_option
@click.pass_context
def create(context: click.Context, place: str | None, kind: Kind | None, as_json: bool) -> None:
    """Back up the database, the files and the settings, as they are at one moment. Syncs may go on meanwhile.

    Exit code 3: the store of files lacked some that the database names.

    For example: arcana backup create --to /mnt/backups
    """
    database = open_database()
    require_current(database)
    with counted("copying files", not as_json) as tell:
        made = make(database, place_or(place, database.settings, "--to"), kind, tell)
    if not made.is_encrypted:
        click.echo(
            "Warning: the backup is NOT encrypted, as ENCRYPTION_KEY is not set: whoever reads it reads everything. "
            "`arcana config init` makes a key; then give another place.",
            err=True,
        )
    if as_json:
        print_json(made.as_dict())
    else:
        say(
            "Backup [bold]{}[/bold] ({}) in {}: {} MB written in {} s", made.manifest.backup_id, made.manifest.kind,
            made.place, f"{made.manifest.kept / 1e6:,.1f}", f"{made.manifest.seconds:.1f}",
        )  # fmt: skip
        if made.manifest.missing:
            say("[yellow]{} files are not in it[/yellow]: the store has them no more.", len(made.manifest.missing))
    context.exit(INCOMPLETE if made.manifest.missing else 0)


@command.command(name="list")
@from_option
@json_option
def list_(place: str | None, as_json: bool) -> None:
    """List the backups at a place, the oldest first.

    For example: arcana backup list --from /mnt/backups
    """
    settings = load_settings()
    with open_vault(place_or(place, settings, "--from"), settings) as vault:
        backups = list(manifest.all_of(vault))
        shown, is_encrypted = vault.place.shown, vault.is_encrypted
    if as_json:
        rows = [
            {
                "backup_id": each.backup_id,
                "kind": each.kind,
                "at": each.at.isoformat(),
                "bytes": each.kept,
                "seconds": round(each.seconds, 3),
                "files": each.objects,
                "parent": each.parent,
                "revision": each.revision,
            }
            for each in backups
        ]
        print_json({"place": shown, "encrypted": is_encrypted, "backups": rows})
        return
    if not backups:
        say("There are no backups at {}.", shown)
    for each in backups:
        say(
            "[bold]{}[/bold]  {}  {}  {} MB, {} files{}", each.backup_id, each.kind, local_time(each.at),
            f"{each.kept / 1e6:,.1f}", f"{each.objects:,}", f", needs {each.parent}" if each.parent else "",
        )  # fmt: skip


@command.command()
@from_option
@click.option("--backup", "backup_id", metavar="ID", help="Only this one; by default all of them.")
@json_option
@click.pass_context
def verify(context: click.Context, place: str | None, backup_id: str | None, as_json: bool) -> None:
    """Read every byte of the backups at a place; exit 1 where one is missing or not what was written.

    For example: arcana backup verify --from /mnt/backups
    """
    settings = load_settings()
    known: set[str] = set()
    with open_vault(place_or(place, settings, "--from"), settings) as vault, vault.place.locked(exclusive=False):
        chosen = manifest.ids(vault) if backup_id is None else [backup_id]
        with counted("reading files", not as_json) as tell:
            found = [read_all(vault, manifest.read(vault, each), known, tell) for each in chosen]
        shown = vault.place.shown
    damaged = [each for each in found if each.problem]
    if as_json:
        print_json({"place": shown, "backups": [each.as_dict() for each in found], "damaged": len(damaged)})
    else:
        for each in found:
            say("[bold]{}[/bold]  {}  {}", each.backup_id, each.kind, each.problem or "is what was written")
    context.exit(1 if damaged else 0)


@command.command()
@from_option
@click.option("--days", type=click.IntRange(1), help="How many days are kept; by default BACKUP_KEEP_DAYS.")
@json_option
def prune(place: str | None, days: int | None, as_json: bool) -> None:
    """Delete backups that are older, and what no backup needs any more. The newest is always kept.

    For example: arcana backup prune --from /mnt/backups --days 14
    """
    settings = load_settings()
    with open_vault(place_or(place, settings, "--from"), settings) as vault:
        done = remove_old(vault, days or settings.backup_keep_days, datetime.now(UTC))
    if as_json:
        print_json(done.as_dict())
    else:
        say(
            "{} backups deleted, {} kept; {} files with {} MB gone", len(done.backups), done.kept, f"{done.files:,}",
            f"{done.size / 1e6:,.1f}",
        )  # fmt: skip


@command.command()
@from_option
@click.option("--backup", "backup_id", metavar="ID", help="Which one; by default the newest.")
@json_option
@click.pass_context
def drill(context: click.Context, place: str | None, backup_id: str | None, as_json: bool) -> None:
    """Restore a backup into a server of its own, compare it with what was backed up, and throw it away.

    Every table is compared, and twenty searches. Exit code 1: something differs.

    For example: arcana backup drill --from /mnt/backups
    """
    settings = load_settings()
    held = hold(settings, place_or(place, settings, "--from"), backup_id)
    if as_json:
        print_json(held.as_dict())
    else:
        for line in held.differences:
            say("[red]{}[/red]", line)
        say(
            "[bold]{}[/bold] was restored in {} s, {}: {} tables with {} rows, {} searches, {} files", held.backup_id,
            f"{held.restore_seconds:.1f}", "and is equal" if held.is_equal else "and DIFFERS", held.tables,
            f"{held.rows:,}", held.searches, f"{held.files:,}",
        )  # fmt: skip
    context.exit(0 if held.is_equal else 1)


@command.command(name="wal")
@click.option("--to", "place", metavar="PLACE", help="Where backups are put; by default BACKUP_TO.")
@json_option
def wal_(place: str | None, as_json: bool) -> None:
    """Put the server's log of changes up to now into the place, so that it can be restored as it was at any moment.

    Needs BACKUP_WAL=on, and a backup with --full. For example: arcana backup wal --to /mnt/backups
    """
    database = open_database()
    require_current(database)
    settings = database.settings
    if settings.backup_wal != "on":
        raise WrongUse("BACKUP_WAL is off: set it to on, make a backup with --full, and run this now and then.")
    with open_vault(place_or(place, settings, "--to"), settings) as vault, vault.place.locked(exclusive=False):
        done = wal.ship(vault, database)
    if as_json:
        print_json(done.as_dict())
    else:
        say("{} files of the log in {} MB: up to {}", done.segments, f"{done.size / 1e6:,.1f}", local_time(done.until))
