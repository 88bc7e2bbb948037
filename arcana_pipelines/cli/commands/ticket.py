"""`arcana ticket`: support tickets, and summaries of them."""

from __future__ import annotations

import click

from arcana_pipelines.cli.ticket_summaries import summarise


@click.group(name="ticket")
def command() -> None:
    """Support tickets, and summaries of them."""


command.add_command(summarise)
