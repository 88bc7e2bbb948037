"""`arcana alert`, and what `arcana doctor` says of receivers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arcana_pipelines.alerts.causes import Cause
from arcana_pipelines.alerts.deliveries import plan, tell
from arcana_pipelines.alerts.protocol import NotDelivered
from arcana_pipelines.alerts.records import record
from arcana_pipelines.alerts.severity import LEVELS
from arcana_pipelines.alerts.webhook import Webhook
from arcana_pipelines_tests.alerts.conftest import Events, Mailbox, Receiver
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness

KEY = "R0123456789abcdefghijklmnopqrstu"
PASSWORD = "hunter2"


@pytest.fixture
def arcana(acme: Harness, tmp_path: Path, receiver: Receiver, events: Events, mailbox: Mailbox) -> Arcana:
    """With three receivers."""
    environment = {
        **acme.environment,
        "ALERT_WEBHOOK_URL": receiver.url.get_secret_value(),
        "ALERT_EMAIL_TO": "ops@acme.example",
        "ALERT_SMTP_URL": f"smtp://arcana%40acme.example:{PASSWORD}@127.0.0.1:{mailbox.port}",
        "ALERT_PAGERDUTY_KEY": KEY,
        "ALERT_PAGERDUTY_URL": events.address,
    }
    return Arcana(environment, tmp_path)


def test_everyone_is_sent_a_test_and_its_end(
    arcana: Arcana, receiver: Receiver, events: Events, mailbox: Mailbox
) -> None:
    assert arcana.json("alert", "test") == {
        "receivers": [{"name": name, "ok": True, "problem": ""} for name in ("email", "pagerduty", "webhook")]
    }
    assert [text.split("\n")[0] for text in receiver.texts] == [
        "Arcana: this is a test of alerts. Nothing is wrong.", "Arcana: resolved after 1 min: test.",
    ]  # fmt: skip
    assert [event["event_action"] for event in events.events] == ["trigger", "resolve"]
    assert [(sender, to) for sender, to, _ in mailbox.letters] == [("arcana@acme.example", ["ops@acme.example"])] * 2


def test_one_that_does_not_take_it_is_said_and_nothing_secret_is(
    arcana: Arcana, receiver: Receiver, events: Events, mailbox: Mailbox
) -> None:
    events.status, receiver.status = 400, 403
    mailbox.answers["AUTH"] = b"535 no"
    done = arcana.here("-v", "alert", "test")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "answered 400" in said and "answered 403" in said and "it answers 535" in said
    assert not any(secret in said for secret in (KEY, PASSWORD, "secret-path"))

    assert arcana.here("alert", "test", "--receiver", "sms").returncode == 2
    assert "Set are: email, pagerduty, webhook" in arcana.here("alert", "test", "--receiver", "sms").stderr


def test_what_is_open_is_listed_with_who_was_told(acme: Harness, arcana: Arcana, receiver: Receiver) -> None:
    assert "No alert is open" in arcana.here("alert", "list").stdout
    cause = Cause("failed_run", "acme", "it [bold]failed.", "arcana sync acme", "왜냐하면", subject="sync")
    with acme.database.connection() as connection:
        record(connection, [cause], LEVELS, retention_days=30)
        plan(connection, ["webhook", "pagerduty"], [])
        tell(connection, Webhook(receiver.url, None))
        receiver.status = 500
        with pytest.raises(NotDelivered):
            tell(connection, Webhook(receiver.url, None, name="pagerduty"))
    (alert,) = arcana.json("alert", "list")["alerts"]
    assert (alert["cause"], alert["severity"], alert["workspace"]) == ("failed_run", "broken", "acme")
    pagerduty, webhook = alert["receivers"]
    assert webhook["told_at"] and not webhook["problem"]
    assert pagerduty["told_at"] is None and "answered 500" in pagerduty["problem"]
    shown = " ".join(arcana.here("alert", "list").stdout.split())
    assert "acme: failed_run" not in shown and "it [bold]failed. (왜냐하면) Next: arcana sync acme" in shown
    assert "pagerduty: not told: The receiver of alerts" in shown and "webhook: told at" in shown


def test_doctor_looks_at_each_receiver_and_sends_nothing(
    arcana: Arcana, receiver: Receiver, events: Events, mailbox: Mailbox
) -> None:
    def checks(**variables: str) -> dict[str, tuple[bool, str]]:
        told = json.loads(arcana.here("doctor", "--json", **variables).stdout)
        return {each["name"]: (each["ok"], each["detail"]) for each in told["checks"]}

    found = checks(ALERT_ROUTES="email")
    assert found["alerts by email"] == (
        True, "e-mail to ops@acme.example by 127.0.0.1 (not encrypted, on this machine, as arcana@acme.example); none "
        "was sent",
    )  # fmt: skip
    assert found["alerts by webhook"][1].startswith("posted to 127.0.0.1:")
    assert "only `arcana alert test` tells" in found["alerts by pagerduty"][1]
    assert found["alerts"] == (True, "ALERT_ROUTES leaves out pagerduty, webhook")
    mailbox.answers["AUTH"] = b"535 no"
    ok, said = checks()["alerts by email"]
    assert not ok and "refuses the user and password" in said and PASSWORD not in said
    assert receiver.texts == events.events == mailbox.letters == []
