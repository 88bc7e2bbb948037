"""`arcana db`: the schema and where it lives."""

from __future__ import annotations

import sys

import click

from arcana_pipelines.cli import database as databases
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, print_json
from arcana_pipelines.db import schema


@click.group(name="db")
def command() -> None:
    """Create, check and find the database."""


@command.command()
@click.option("--no-backup", is_flag=True, help="Do not dump the tables before they change.")
@json_option
def upgrade(no_backup: bool, as_json: bool) -> None:
    """Create the schema and Dagster's tables, or bring both up to this release.

    Tables that are about to change are dumped first, into ARCANA_HOME/backups.
    """
    from arcana_pipelines.defs.instance import open_instance

    database = open_database(may_create=True)
    dump = databases.upgrade(database, backup=not no_backup)
    schema.grant_reads(database)
    with open_instance(database) as instance:
        instance.upgrade()
    if as_json:
        print_json({"revision": schema.newest_revision(), "backup": None if dump is None else str(dump)})
    else:
        click.echo(f"The schema is at {schema.newest_revision()}.")


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
