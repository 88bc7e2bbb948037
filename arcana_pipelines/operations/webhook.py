"""Alerts for Slack's incoming webhooks, and for whatever else takes a POST with {"text": "…"}."""

from __future__ import annotations

import json
from functools import partial

from pydantic import SecretStr

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.net.post import NoAnswer, host_of, status_of
from arcana_pipelines.operations.alerts import Alert, Unanswered

# A receiver that passes alerts on may take long. A tick of the sensor may take a minute.
ANSWER_SECONDS = 20.0
GATEWAY_TIMEOUT = 504


class NotDelivered(ArcanaError):
    """The receiver did not take an alert. It stays untold and is sent again."""


def send(url: SecretStr, ui_url: str | None, alert: Alert) -> None:
    """Post one alert.

    Raises:
        Unanswered: it was sent, and no answer came in time.
        NotDelivered: it could not be sent, or the answer is not 2xx.
    """
    address = url.get_secret_value()
    body = json.dumps({"text": message(alert, ui_url)}).encode()
    try:
        status = status_of(address, {"Content-Type": "application/json"}, body, ANSWER_SECONDS)
    except NoAnswer as error:
        if error.was_sent:
            raise _unanswered(str(error)) from None
        raise NotDelivered(f"The receiver of alerts: {error}. They are sent again. Check ALERT_WEBHOOK_URL.") from None
    if status == GATEWAY_TIMEOUT:
        raise _unanswered(f"{host_of(address)} answered {status}")
    if not 200 <= status < 300:
        raise NotDelivered(
            f"The receiver of alerts ({host_of(address)}) answered {status}. They are sent again. "
            "Check ALERT_WEBHOOK_URL."
        )


def _unanswered(what: str) -> Unanswered:
    return Unanswered(
        f"The receiver of alerts: {what}. What it was sent counts as arrived for an hour. Check ALERT_WEBHOOK_URL."
    )


def sender(url: SecretStr, ui_url: str | None) -> partial[None]:
    """`send` for this receiver."""
    return partial(send, url, ui_url)


def message(alert: Alert, ui_url: str | None) -> str:
    """What is posted: workspace, cause, next step and a link to the run; or, shortly, that it is over."""
    subject = alert.workspace or "Arcana"
    if alert.resolved_at is not None:
        minutes = max(1, round((alert.resolved_at - alert.since).total_seconds() / 60))
        return escaped(f"{subject}: resolved after {minutes} min: {alert.cause.replace('_', ' ')}.")
    lines = [f"{subject}: {alert.text}"]
    if alert.detail:
        lines.append(f"Why: {alert.detail}")
    if alert.next_step:
        lines.append(f"Next: {alert.next_step}")
    if alert.run_id and ui_url:
        lines.append(f"Run: {ui_url}/runs/{alert.run_id}")
    return escaped("\n".join(lines))


def escaped(text: str) -> str:
    """The text as Slack shows it, whatever is in it: no link, no mention, no call to a whole channel.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
