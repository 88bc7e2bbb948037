"""`arcana key`: make, list, rotate and revoke API keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import get_args

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.indexes.builds import find_index_names
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Allowance, Permission, Scope
from arcana_pipelines.keys.keys import NewKey
from arcana_pipelines.keys.limits import read_limit
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import existing_company


@click.group(name="key")
def command() -> None:
    """Make, list, rotate and revoke the keys of programs that use `arcana serve`."""


@command.command()
@click.option("--workspace", "slugs", multiple=True, metavar="SLUG", help="A workspace that it opens. May be repeated.")
@click.option("--company", metavar="NAME", help="In their place: all workspaces of a company, those to come too.")
@click.option("--index", metavar="NAME", help="Only this index of each workspace.")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(get_args(Scope)), help="What it may do."
)
@click.option("--expires", type=click.IntRange(1, 3650), metavar="DAYS", help="After so many days; without it never.")
@click.option(
    "--filter", "filter_", metavar="JSON",
    help="Its searches find nothing else: filters as in a search, such as '{\"below\": \"Handbook\"}'. The scopes "
    "`search`, `notes` and `review` alone.",
)  # fmt: skip
@click.option(
    "--requests-per-minute", type=click.IntRange(1, 1_000_000), metavar="NUMBER",
    help="How often it may ask; without it as often as any (KEY_REQUESTS_PER_MINUTE).",
)  # fmt: skip
@click.option(
    "--searches-per-month", type=click.IntRange(1, 1_000_000_000), metavar="NUMBER",
    help="How many searches it may make in a month (UTC); without it any number.",
)  # fmt: skip
@click.option("--name", default="", help="What people call it: the program that has it.")
@json_option
def create(
    slugs: tuple[str, ...], company: str | None, index: str | None, scopes: tuple[Scope, ...], expires: int | None,
    filter_: str | None, requests_per_minute: int | None, searches_per_month: int | None, name: str, as_json: bool,
) -> None:  # fmt: skip
    """Make a key and show it, once: only a hash of it is stored.

    For example: arcana key create --workspace handbook --scope search --scope read
    """
    if bool(slugs) == bool(company):
        raise WrongUse("Say what the key opens: --workspace SLUG, or --company NAME, and not both.")
    if index and not slugs:
        raise WrongUse("--index names an index of workspaces: give --workspace SLUG with it.")
    filters = read_limit(filter_) if filter_ is not None else None
    database = open_database()
    upgrade(database)
    salt = database.settings.require("API_KEY_SALT").get_secret_value()
    with database.connection() as connection:
        if company:
            company_id = existing_company(connection, company)
            permissions = [Permission(scope, None, None, filters) for scope in scopes]
        else:
            opened = [workspaces.find(connection, slug) for slug in slugs]
            company_id = opened[0].company_id
            if any(each.company_id != company_id for each in opened):
                raise WrongUse("These workspaces belong to several companies, and a key to one: make a key for each.")
            for workspace in opened:
                _require_index(connection, workspace, index)
            permissions = [Permission(scope, each.workspace_id, index, filters) for each in opened for scope in scopes]
        allowance = Allowance(requests_per_minute, searches_per_month)
        made = keys.create(connection, salt, company_id, permissions, name, expires, allowance=allowance)
    _show(made, as_json)


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the keys with what they may do. The keys themselves are not known."""
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        found = keys.list_all(connection)
    if as_json:
        print_json({"keys": [asdict(key) for key in found]})
        return
    if not found:
        say("No keys yet. `arcana key create` makes one.")
    for key in found:
        used = f"used {key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
        may = [*(key.scopes or ["opens nothing any more"])]
        if key.requests_per_minute:
            may.append(f"{key.requests_per_minute:,} requests a minute")
        if key.searches_per_month:
            may.append(f"{key.searches_per_month:,} searches a month")
        state = f"good until {key.expires_at:%Y-%m-%d}" if key.state == "good" and key.expires_at else key.state
        say("{}  {}  {}  {}  {}", key.key_id, state, key.name or "-", ", ".join(may), used)


@command.command()
@click.argument("key_id")
@click.option(
    "--overlap", type=click.IntRange(0, 365), default=keys.OVERLAP_DAYS, show_default=True, metavar="DAYS",
    help="How long the old key still works.",
)  # fmt: skip
@json_option
def rotate(key_id: str, overlap: int, as_json: bool) -> None:
    """Make a key that may do what KEY_ID may, which ends some days later."""
    database = open_database()
    upgrade(database)
    salt = database.settings.require("API_KEY_SALT").get_secret_value()
    with database.connection() as connection:
        made = keys.rotate(connection, salt, key_id, overlap)
    _show(made, as_json)


@command.command()
@click.argument("key_id")
@json_option
def revoke(key_id: str, as_json: bool) -> None:
    """End a key, at once and for ever."""
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        keys.revoke(connection, key_id)
    if as_json:
        print_json({"key_id": key_id, "state": "revoked"})
    else:
        say("Key {} opens nothing any more.", key_id)


def _require_index(connection: Connection, workspace: workspaces.Workspace, index: str | None) -> None:
    if index is not None and index not in find_index_names(connection, workspace.workspace_id):
        raise WrongUse(
            f"Workspace '{workspace.slug}' has no index '{index}'. `arcana index list {workspace.slug}` shows them."
        )


def _show(made: NewKey, as_json: bool) -> None:
    if as_json:
        print_json(asdict(made))
        return
    until = f" until {made.expires_at:%Y-%m-%d}" if made.expires_at else ""
    say("Key {}{}. It is shown this once:", made.key_id, until)
    click.echo(made.key)
    if made.note:
        click.echo(made.note, err=True)
