"""`arcana db`: the schema and where it lives."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from typing import Any

import click

from arcana_pipelines import __version__
from arcana_pipelines.cli import database_changes
from arcana_pipelines.cli.confirm import confirm
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, print_json, runnable, say
from arcana_pipelines.db import schema, upgrade_plan
from arcana_pipelines.db.dump import backup_folder
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.server import tables_out_of_reach
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.workspaces import lease

BEHIND = 3


@click.group(name="db")
def command() -> None:
    """Create, check and find the database."""


@command.command()
@json_option
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Show the revisions of the database and of this release, and what an upgrade would do; exit 3 when they differ.

    Nothing is changed, and no table is locked.
    """
    facts = _facts(open_database(), with_statements=False)
    if as_json:
        print_json(facts)
    else:
        _print_facts(facts)
    context.exit(0 if facts["state"] == "current" else BEHIND)


@command.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--sql", "with_sql", is_flag=True, help="With --dry-run: show the statements, too.")
@click.option("--no-backup", is_flag=True, help="Do not dump the tables before they change.")
@click.option(
    "--statement-timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Give up, and change nothing, when one statement takes longer (default: no limit).",
)
@json_option
def upgrade(dry_run: bool, with_sql: bool, no_backup: bool, statement_timeout: float | None, as_json: bool) -> None:
    """Create the schema and Dagster's tables, or bring both up to this release.

    Tables that are about to change are dumped first, into ARCANA_HOME/backups. Searches may go on meanwhile.
    """
    if with_sql and not dry_run:
        raise WrongUse("--sql shows what --dry-run would do: give both.")
    if dry_run:
        facts = _facts(open_database(), with_statements=with_sql, is_dumped=not no_backup)
        schema.refuse_newer(facts["database"])
        if as_json:
            print_json(facts)
        else:
            _print_facts(facts)
            click.echo("Nothing was changed.")
        return
    from arcana_pipelines.defs.instance import open_instance

    database = open_database(may_create=True)
    dump = database_changes.upgrade(database, backup=not no_backup, statement_seconds=statement_timeout)
    schema.grant_reads(database)
    with open_instance(database) as instance:
        instance.upgrade()
    if as_json:
        print_json({"revision": schema.newest_revision(), "backup": None if dump is None else str(dump)})
    else:
        click.echo(f"The schema is at {schema.newest_revision()}.")


@command.command()
@click.option("--to", metavar="REVISION", help="How far to go back (default: one migration).")
@click.option("--dry-run", is_flag=True, help="Show what would be lost, and change nothing.")
@click.option("--no-backup", is_flag=True, help="Do not dump the tables before they change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def downgrade(to: str | None, dry_run: bool, no_backup: bool, yes: bool, as_json: bool) -> None:
    """Take migrations back, for the release before this one; what they keep is lost, and told first.

    Stop what runs before, and install the older release after: this one brings the schema up again by itself. The
    tables are dumped first. Dagster's tables stay as they are.
    """
    database = open_database()
    current = schema.current_revision(database)
    target = _older(current, to)
    with database.connection() as connection:
        steps = upgrade_plan.steps_down(connection, str(current), target)
        lost = upgrade_plan.losses(connection, steps)
        running = _running(connection)
    if not as_json:
        _print_steps([step.as_dict() for step in steps], {})
        for loss in lost:
            most = "at most " if loss.is_at_most else ""
            say("  lost: {} ({}{} {})", loss.what, most, f"{loss.rows:,}", "row" if loss.rows == 1 else "rows")
    if not dry_run:
        if running:
            raise WrongUse(
                f"Runs are under way in {', '.join(running[:10])}{' …' if len(running) > 10 else ''}. Stop "
                "`arcana up`, or whatever starts them, and let them end. Nothing was changed."
            )
        confirm(f"Take the schema back from {current} to {target}?", yes, as_json, is_final=no_backup)
        dump = database_changes.downgrade(database, target, backup=not no_backup)
    if as_json:
        print_json({
            "from": current, "revision": current if dry_run else target, "to": target,
            "steps": [step.as_dict() for step in steps],
            "lost": [asdict(loss) for loss in lost],
            "runs": running, "backup": None if dry_run or dump is None else str(dump),
        })  # fmt: skip
    elif dry_run:
        click.echo("Nothing was changed.")
    else:
        click.echo(f"The schema is at {target}. Install the release that it is of before anything is started.")


@command.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Compare the live schema with this release's models; exit 1 when they differ."""
    database = open_database()
    schema.require_current(database)
    differences = schema.drift(database)
    if as_json:
        print_json({"drift": differences})
    else:
        for line in differences:
            click.echo(line)
        click.echo(f"{len(differences)} differences." if differences else "The live schema is what the models say.")
    context.exit(1 if differences else 0)


@command.command()
@click.option("--show-password", is_flag=True, help="Print the password too.")
@click.option("--hold", is_flag=True, help="Keep an embedded database running until standard input ends (Ctrl-D).")
def url(show_password: bool, hold: bool) -> None:
    """Print the database's address (psql, SQLAlchemy and others take it)."""
    database = open_database()
    click.echo(database.url if show_password else database.safe_url)
    if hold:
        sys.stdin.read()


def _older(current: str | None, to: str | None) -> str:
    """The revision to go back to.

    Raises:
        WrongUse: there is nothing to take back, or `to` is no older revision.
    """
    schema.refuse_newer(current)
    known = schema.revisions()
    if current is None or current == known[0]:
        raise WrongUse("There is no migration to take back.")
    older = known[: known.index(current)]
    if to is not None and to not in older:
        raise WrongUse(f"The database has the schema {current}. --to takes one before it: {older[0]} to {older[-1]}.")
    return to or older[-1]


def _running(connection: Connection) -> list[str]:
    """The workspaces that a run is at work on."""
    has_leases = connection.execute("SELECT to_regclass('workspace_lease') IS NOT NULL").fetchone() == (True,)
    return sorted(lease.locked(connection)) if has_leases else []


def _facts(database: Database, with_statements: bool, is_dumped: bool = True) -> dict[str, Any]:
    """What the database is at, and what an upgrade would do."""
    current, newest = schema.current_revision(database), schema.newest_revision()
    is_newer = current is not None and current not in schema.revisions()
    with database.connection() as connection:
        if current is None:
            tables_out_of_reach(connection)
        steps = [] if is_newer else upgrade_plan.steps_up(connection, current, newest)
        sizes = upgrade_plan.sizes_of(connection, steps)
        dumps = bool(steps) and current is not None and is_dumped
        dumped = upgrade_plan.dump_is_at_most(connection) if dumps else 0
        running = [] if current is None else _running(connection)
    home = database.settings.home
    return {
        "database": current,
        "release": newest,
        "version": __version__,
        "state": "empty" if current is None else "newer" if is_newer else "older" if steps else "current",
        "pending": [step.as_dict(with_statements) for step in steps],
        "table_bytes": sizes,
        "dump": {
            "folder": str(backup_folder(home)),
            "at_most_bytes": dumped,
            "free_bytes": shutil.disk_usage(home).free if home.is_dir() else None,
        } if dumps else None,
        "runs": running,
    }  # fmt: skip


_STATES = {
    "current": "that is this release's",
    "older": "this release needs {}: `arcana db upgrade`",
    "newer": "a newer release's than this one, which knows none above {0}: install that release; it can also go back: "
    "`arcana db downgrade --to {0}`",
    "empty": "this release needs {}: `arcana db upgrade` makes it",
}


def _print_facts(facts: dict[str, Any]) -> None:
    at = "has no tables of ours yet" if facts["database"] is None else f"has the schema {facts['database']}"
    say("The database {}; {}.", at, runnable(_STATES[facts["state"]].format(facts["release"])))
    _print_steps(facts["pending"], facts["table_bytes"])
    if facts["dump"]:
        free = facts["dump"]["free_bytes"]
        say(
            "The tables are dumped first, into {}: at most {} there, compressed{}.",
            facts["dump"]["folder"], _megabytes(facts["dump"]["at_most_bytes"]),
            "" if free is None else f"; {_megabytes(free)} are free",
        )  # fmt: skip
    if facts["runs"] and facts["pending"]:
        say("Runs are under way in {}: let them end first.", ", ".join(facts["runs"][:10]))


def _print_steps(steps: list[dict[str, Any]], sizes: dict[str, int]) -> None:
    for step in steps:
        say("[bold]{}[/bold] {}", step["revision"], step["description"])
        for label, key in (
            ("searches wait for", "stops_searches"),
            ("writes wait for", "stops_writes"),
            ("goes through", "goes_through"),
        ):
            if step[key]:
                tables = (f"{table} ({_megabytes(sizes[table])})" if table in sizes else table for table in step[key])
                say("  {}: {}", label, ", ".join(tables))
        if step["asks_first"]:
            say("  it asks the database what to do, so that not all is told here")
        for statement in step.get("statements", ()):
            click.echo(f"{statement};")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
