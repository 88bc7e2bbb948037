"""`arcana alert`: what is open and who was told of it; a message that tries whether those who are to be told are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click

from arcana_pipelines.alerts.deliveries import Delivery, deliveries
from arcana_pipelines.alerts.protocol import Alert, NotDelivered, Receiver, Unanswered
from arcana_pipelines.alerts.records import OpenAlert, open_alerts
from arcana_pipelines.alerts.severity import severity_of
from arcana_pipelines.cli.database import open_database
from arcana_pipelines.cli.output import json_option, local_time, print_json, runnable, say
from arcana_pipelines.db.schema import require_current
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import load_settings


@click.group(name="alert")
def command() -> None:
    """Show what is wrong and who was told of it, and try whether those who are to be told are."""


@command.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List the alerts that are open, the oldest first, and what became of each at whom it is sent to.

    As the sensor last saw it; `arcana status --check` looks now.
    """
    database = open_database()
    require_current(database)
    with database.connection() as connection:
        found, sent = open_alerts(connection), deliveries(connection)
    if as_json:
        print_json({"alerts": [_as_json(alert, sent.get(alert.alert_id, ())) for alert in found]})
        return
    if not found:
        say("No alert is open.")
    for alert in found:
        severity = severity_of(alert.cause)
        say(
            f"[{'red' if severity == 'broken' else 'yellow'}]{{}}[/] since {{}}  [bold]{{}}[/bold]  {{}}: {{}}{{}}",
            severity, local_time(alert.since), alert.workspace or "Arcana", alert.cause, alert.text,
            f" ({alert.detail})" if alert.detail else "",
        )  # fmt: skip
        say("  Next: {}", runnable(alert.next_step))
        for each in sent.get(alert.alert_id, ()):
            say("  {}: {}", each.receiver, _state(each))


@command.command()
@click.option("--receiver", "name", metavar="NAME", help="Only this one; by default all that are set.")
@json_option
@click.pass_context
def test(context: click.Context, name: str | None, as_json: bool) -> None:
    """Send everyone who is set a message that says it is a test, and that it is over. Exit code 1: one did not take it.

    Routes are not asked: everyone gets it. For example: arcana alert test --receiver email
    """
    from arcana_pipelines.alerts.registry import receiver, receivers

    settings = load_settings()
    opened = receivers(settings) if name is None else [receiver(settings, name)]
    if not opened:
        raise WrongUse("No one is told of alerts: set ALERT_WEBHOOK_URL, ALERT_EMAIL_TO or ALERT_PAGERDUTY_KEY.")
    problems = {each.name: _try(each) for each in opened}
    if as_json:
        print_json(
            {"receivers": [{"name": each, "ok": not problem, "problem": problem} for each, problem in problems.items()]}
        )
    else:
        for each, problem in problems.items():
            say(f"[{'red' if problem else 'green'}]{{}}[/]: {{}}", each, problem or "it took the alert and its end")
    context.exit(1 if any(problems.values()) else 0)


def _try(receiver: Receiver) -> str:
    """What went wrong; empty where nothing did."""
    now = datetime.now(UTC)
    text = "this is a test of alerts. Nothing is wrong."
    alert = Alert(0, "test", "", text, "", "arcana alert list", None, now, now, None)
    try:
        receiver.send(alert)
        receiver.send(replace(alert, resolved_at=now))
    except (NotDelivered, Unanswered) as error:
        return str(error)
    return ""


def _state(delivery: Delivery) -> str:
    if delivery.told_at is not None:
        return f"told at {local_time(delivery.told_at)}"
    if delivery.problem:
        return f"not told: {delivery.problem}"
    return "not told yet"


def _as_json(alert: OpenAlert, sent: Sequence[Delivery]) -> dict[str, object]:
    return {
        "cause": alert.cause,
        "severity": severity_of(alert.cause),
        "workspace": alert.workspace,
        "subject": alert.subject,
        "since": alert.since.isoformat(),
        "text": alert.text,
        "detail": alert.detail,
        "next_step": alert.next_step,
        "run_id": alert.run_id,
        "receivers": [
            {
                "name": each.receiver,
                "told_at": each.told_at.isoformat() if each.told_at else None,
                "problem": each.problem,
            }
            for each in sent
        ],
    }
