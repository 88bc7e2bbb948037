"""`arcana audit`: who changed what, and whether the log of it is whole."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import click

from arcana_pipelines.audit import chain
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, local_time, print_json, say
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.workspaces import workspaces

_HASH = re.compile("[0-9a-f]{64}")


@click.group(name="audit")
def command() -> None:
    """Show who changed workspaces, keys and indexes, and check that nothing of it was changed since."""


@command.command(name="list")
@click.option("--workspace", metavar="SLUG", help="Only of this workspace; one that was removed, too.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest so many.")
@json_option
def list_(workspace: str | None, limit: int, as_json: bool) -> None:
    """List what was done, the newest first."""
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        found = chain.entries(connection, workspace, limit)
        if workspace and not found and workspace not in workspaces.retired_slugs(connection):
            workspaces.find(connection, workspace)
    if as_json:
        print_json({"entries": [{**asdict(entry), "at": entry.at.isoformat()} for entry in found]})
        return
    if not found:
        say("Nothing is in the audit log" + (" of this workspace." if workspace else " yet."))
    for entry in found:
        say(
            "{}  {}  {}  {}  {}  {}  {}",
            entry.audit_log_id, local_time(entry.at), entry.actor, entry.action, entry.workspace_slug or "-",
            entry.object, json.dumps(entry.details, ensure_ascii=False),
        )  # fmt: skip


@command.command()
@click.option("--head", metavar="HASH", help="A head that was noted elsewhere: its row has to be there still.")
@json_option
@click.pass_context
def verify(context: click.Context, head: str | None, as_json: bool) -> None:
    """Check that each row is as it was written, and print the head; exit 1 when one is not, or is missing.

    The head is the hash of the last row and stands for all of them. Note it elsewhere from time to time: a log that
    lost its end, or was made anew as a whole, is noticed by that alone.

    \b
    arcana audit verify
    arcana audit verify --head 5f0c…
    """
    if head is not None and not _HASH.fullmatch(head):
        raise WrongUse("--head takes the 64 hexadecimal digits that `arcana audit verify` printed.")
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        found = chain.verified(connection, head)
    if as_json:
        print_json({"ok": found.is_whole, **asdict(found)})
    elif found.is_whole:
        say("{} rows, each as it was written. Head: {}", found.entries, found.head or "-")
    else:
        say("[red]FAIL[/] {}", found.problem)
    context.exit(0 if found.is_whole else 1)
