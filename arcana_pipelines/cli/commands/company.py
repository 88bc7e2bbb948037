"""`arcana company`: list companies, and limit what all keys of one may ask together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.database_changes import upgrade
from arcana_pipelines.cli.output import json_option, print_json, say
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.keys.usage import month_of
from arcana_pipelines.workspaces import companies
from arcana_pipelines.workspaces.companies import Company


@click.group(name="company")
def command() -> None:
    """List companies, and limit what all keys of one may ask together.

    `arcana workspace add --company` makes one.
    """


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the companies with their limits, and the searches that they have made in this month (UTC)."""
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        found = companies.companies_since(connection, month_of(datetime.now(UTC)))
    if as_json:
        print_json({"time_zone": "UTC", "companies": [asdict(each) for each in found]})
        return
    for each in found:
        say("{}  {} workspaces  {} keys  {}", each.name, each.workspaces, each.keys, limits_in_words(each))


@command.command()
@click.argument("name")
@click.option(
    "--requests-per-minute", type=click.IntRange(0, 1_000_000), metavar="NUMBER",
    help="How often all of its keys together may ask; 0: as often as they like.",
)  # fmt: skip
@click.option(
    "--searches-per-month", type=click.IntRange(0, 1_000_000_000), metavar="NUMBER",
    help="How many searches they may make in a month (UTC); 0: any number.",
)  # fmt: skip
@json_option
def limit(name: str, requests_per_minute: int | None, searches_per_month: int | None, as_json: bool) -> None:
    """Limit what all keys of the company NAME may ask together. Each key keeps its own limits: the smaller holds.

    What is not given stays as it is. For example: arcana company limit Globex --searches-per-month 50000
    """
    if requests_per_minute is None and searches_per_month is None:
        raise WrongUse("Say what is limited: --requests-per-minute, --searches-per-month, or both.")
    database = open_database()
    upgrade(database)
    with database.connection() as connection:
        before = _named(companies.companies_since(connection, month_of(datetime.now(UTC))), name)
        requests = before.requests_per_minute if before and requests_per_minute is None else requests_per_minute
        searches = before.searches_per_month if before and searches_per_month is None else searches_per_month
        companies.limit(connection, name, requests or None, searches or None)
        now = _named(companies.companies_since(connection, month_of(datetime.now(UTC))), name)
    assert now is not None
    if as_json:
        print_json(asdict(now))
    else:
        say("{}: {}.", name, limits_in_words(now))


def limits_in_words(company: Company) -> str:
    """What all of its keys together may, and what they have."""
    requests, searches = company.requests_per_minute, company.searches_per_month
    return (
        f"{'any number of' if requests is None else f'{requests:,}'} requests a minute, {company.searches:,} of "
        f"{'any number of' if searches is None else f'{searches:,}'} searches this month"
    )


def _named(found: Sequence[Company], name: str) -> Company | None:
    return next((each for each in found if each.name == name), None)
