"""`arcana usage`: what embeddings have cost, what keys were used for, and deleting what is known of use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import console, json_option, print_json, printable, say
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.files.csv_cells import cell
from arcana_pipelines.keys.usage import KeyUsage, by_month, month_of
from arcana_pipelines.learning import counts
from arcana_pipelines.operations.usage import MonthlyUsage, frame, usage_by_month
from arcana_pipelines.tickets.summaries.counts import MonthlySummaryUsage
from arcana_pipelines.tickets.summaries.counts import usage_by_month as of_summaries_by_month
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.companies import Company, companies_since


class _Usage(click.Group):
    """Shows, unless another of its commands is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(name="usage", cls=_Usage)
def command() -> None:
    """Show what embeddings have cost, by month, workspace and model: of all workspaces, or of one.

    `arcana usage [SLUG]` is `arcana usage show [SLUG]`.
    """


@command.command(name="show")
@click.argument("slug", required=False)
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False), metavar="FILE", help="Write the rows into FILE.")
@click.option("--keys", "of_keys", is_flag=True, help="Show in their place what keys were used for.")
@click.option(
    "--summaries", "of_summaries", is_flag=True, help="Show in their place the tokens that summaries of tickets used."
)
@json_option
def show(slug: str | None, csv_file: str | None, of_keys: bool, of_summaries: bool, as_json: bool) -> None:
    """Show what embeddings have cost, by month, workspace and model: of all workspaces, or of one.

    With --summaries: the tokens of the chat model, by month, workspace and model. What they cost is not known here.
    With --keys: how many requests were made with each key, by month, and of all companies how many searches of this
    month. What arcana serve answers shows within seconds.

    Months are UTC. Costs are US dollars and exact, in JSON as texts. What a reranker costs is not known here.
    """
    if (of_keys or of_summaries) and csv_file:
        raise WrongUse("--csv writes what embeddings have cost: leave out --keys and --summaries, or use --json.")
    if of_keys and of_summaries:
        raise WrongUse("--keys and --summaries are two tables: ask for one.")
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id if slug else None
        if of_keys:
            of_companies = [] if slug else companies_since(connection, month_of(datetime.now(UTC)))
            _show_keys(by_month(connection, workspace_id), of_companies, as_json)
            return
        if of_summaries:
            _show_summaries(of_summaries_by_month(connection, workspace_id), as_json)
            return
        usage = usage_by_month(connection, workspace_id)
    policy = PricingPolicy.of(database.settings)
    unpriced = sorted({row.model for row in usage if row.model and not row.cost and policy.price(row.model) is None})
    if csv_file:
        rows = frame(usage)
        rows["cost"] = [f"{cost:f}" for cost in rows["cost"]]
        rows = rows.rename(columns={"cost": "cost_usd"})
        rows.map(cell).to_csv(csv_file, index=False, encoding="utf-8")
    if as_json:
        print_json(
            {
                "time_zone": "UTC",
                "usage": [row.as_dict() for row in usage if not row.is_sum],
                "months": [
                    {key: value for key, value in row.as_dict().items() if value is not None}
                    for row in usage
                    if row.is_sum
                ],
                "unpriced_models": unpriced,
            }
        )
    else:
        _print(usage, unpriced)
        if csv_file:
            say("Wrote {}.", csv_file)


@command.command()
@click.option("--older-than", type=click.IntRange(0, 36500), metavar="DAYS", help="Only what is older; 0: all of it.")
@click.option("--workspace", "slug", metavar="SLUG", help="Only of this workspace.")
@click.option("--key", "key_id", metavar="KEY_ID", help="Only what was asked and said with this key.")
@click.option("--yes", is_flag=True, help="Delete it. Without this it is counted, and nothing is changed.")
@json_option
def purge(older_than: int | None, slug: str | None, key_id: str | None, yes: bool, as_json: bool) -> None:
    """Delete what is known of use: questions, answers, feedback, conversations, counts by chunk, the log of requests.

    What is deleted fits all that is given. Of a key it is the questions of answers that are still noted
    (SEARCH_LOG_DAYS); counts by chunk are nobody's, and stay then. The searches of a key in this month are counted from
    the log of requests: with that they begin anew.

    \b
    arcana usage purge --older-than 90
    arcana usage purge --workspace handbook --older-than 0 --yes
    arcana usage purge --key qx7k2mfa --yes
    """
    if older_than is None and slug is None and key_id is None:
        raise WrongUse(
            "Say what is deleted: --older-than DAYS, --workspace SLUG or --key KEY_ID. --older-than 0 is all of it."
        )
    database = open_database()
    require_current(database)
    until = None if older_than is None else datetime.now(UTC) - timedelta(days=older_than)
    with database.connection() as connection:
        workspace_id = workspaces.find(connection, slug).workspace_id if slug else None
        with connection.transaction(force_rollback=not yes):
            gone = counts.purge(connection, until, workspace_id, key_id)
    if as_json:
        print_json({"deleted": yes, **asdict(gone)})
        return
    say(
        "{} questions, {} answers, {} rows of feedback, {} counts by chunk, {} conversations and {} requests {}.",
        gone.questions, gone.answers, gone.feedback, gone.chunk_days, gone.conversations, gone.requests,
        "were deleted" if yes else "would be deleted",
    )  # fmt: skip
    if gone.rows and not yes:
        say("Nothing was changed. Give --yes to delete them: it cannot be undone.")


def _show_keys(usage: Sequence[KeyUsage], of_companies: Sequence[Company], as_json: bool) -> None:
    if as_json:
        told = {"companies": [asdict(each) for each in of_companies]} if of_companies else {}
        print_json({"time_zone": "UTC", "keys": [asdict(row) for row in usage], **told})
        return
    if not usage:
        say("No key has been used yet.")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("month (UTC)", no_wrap=True)
    for column in ("company", "key", "name"):
        table.add_column(column, overflow="fold")
    for column in ("requests", "searches", "refused", "failed", "hits", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in usage:
        numbers = (row.requests, row.searches, row.refused, row.failed, row.hits, row.tokens)
        cells = (row.month, row.company, row.key_id, row.name, *(f"{number:,}" for number in numbers))
        table.add_row(*(Text(printable(cell)) for cell in cells))
    console().print(table)
    for each in of_companies:
        if each.searches_per_month is not None:
            used, most = f"{each.searches:,}", f"{each.searches_per_month:,}"
            say("{}: {} of the {} searches of this month.", each.name, used, most)


def _show_summaries(usage: Sequence[MonthlySummaryUsage], as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(row), "seconds": round(row.seconds, 3)} for row in usage]
        print_json({"time_zone": "UTC", "summaries": rows})
        return
    if not usage:
        say("No ticket has been summarised yet.")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table()
    table.add_column("month (UTC)", no_wrap=True)
    for column in ("workspace", "model"):
        table.add_column(column, overflow="fold")
    for column in ("requests", "tokens sent", "tokens answered"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in usage:
        numbers = (f"{number:,}" for number in (row.requests, row.input_tokens, row.output_tokens))
        table.add_row(*(Text(printable(cell)) for cell in (row.month, row.workspace, row.model, *numbers)))
    console().print(table)


def _print(usage: Sequence[MonthlyUsage], unpriced: Sequence[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    if not usage:
        say("Nothing has been embedded yet.")
        return
    table = Table()
    table.add_column("month (UTC)", no_wrap=True)
    # Where the line is too narrow they go on in the next one: a name that is cut names nothing.
    for column in ("workspace", "model"):
        table.add_column(column, overflow="fold")
    table.add_column("tier", no_wrap=True)
    for column in ("texts", "tokens", "USD"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in usage:
        cells = [row.month, row.workspace or "sum", row.model or "", row.tier or ""]
        numbers = [f"{row.texts:,}", f"{row.tokens:,}", f"{row.cost:.4f}"]
        table.add_row(
            *(Text(printable(cell)) for cell in (*cells, *numbers)),
            style="bold" if row.is_sum else None,
            end_section=row.is_sum,
        )
    console().print(table)
    for model in unpriced:
        say("The price of {} is not known: it counts as 0. EMBEDDING_PRICE_PER_MILLION_TOKENS says it.", model)
