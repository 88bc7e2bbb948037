"""Alerts for PagerDuty, or whatever else takes its Events API v2.

https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from arcana_pipelines.alerts.message import lines, run_url, shorten
from arcana_pipelines.alerts.posting import post
from arcana_pipelines.alerts.protocol import Alert, NotDelivered
from arcana_pipelines.net.post import host_of

_KEY = re.compile(r"[A-Za-z0-9]{32}")
# Longer ones are refused.
MOST_SUMMARY = 1024
# `error` is urgent by default, `warning` is not.
_SEVERITY = {"broken": "error", "waiting": "warning"}


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """A service that takes events. See `protocol.Receiver`."""

    url: str
    routing_key: SecretStr
    ui_url: str | None
    name: str = "pagerduty"

    def send(self, alert: Alert) -> None:
        """Trigger an incident, or resolve it."""
        body = {"routing_key": self.routing_key.get_secret_value(), **event(alert, self.ui_url)}
        post(f"{self.url.rstrip('/')}/v2/enqueue", body, "ALERT_PAGERDUTY_KEY and ALERT_PAGERDUTY_URL")

    def check(self, seconds: float) -> str:
        """Only the form of the key: no request tells whether it is taken without being an event."""
        host = host_of(self.url)
        if host.endswith(".pagerduty.com") and not _KEY.fullmatch(self.routing_key.get_secret_value()):
            raise NotDelivered(
                "ALERT_PAGERDUTY_KEY is no integration key of the Events API v2, which has 32 letters and digits"
            )
        return f"incidents at {host}; whether its key is taken, only `arcana alert test` tells"


def event(alert: Alert, ui_url: str | None) -> dict[str, Any]:
    """What is sent besides the key."""
    if alert.resolved_at is not None:
        return {"event_action": "resolve", "dedup_key": alert.key}
    summary, *more = lines(alert, None)
    sent: dict[str, Any] = {
        "event_action": "trigger",
        "dedup_key": alert.key,
        "client": "Arcana Pipelines",
        "payload": {
            "summary": shorten(summary, MOST_SUMMARY),
            "source": alert.workspace or "arcana",
            "severity": _SEVERITY[alert.severity],
            "timestamp": alert.since.isoformat(),
            "class": alert.cause,
            "custom_details": dict(line.split(": ", 1) for line in more),
        },
    }
    if run := run_url(alert, ui_url):
        sent["links"] = [{"href": run, "text": "The run in Dagster"}]
    return sent
