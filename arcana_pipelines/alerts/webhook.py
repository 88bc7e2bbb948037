"""Alerts for Slack's incoming webhooks, and for whatever else takes a POST with {"text": "…"}."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from arcana_pipelines.alerts.message import lines
from arcana_pipelines.alerts.posting import post
from arcana_pipelines.alerts.protocol import Alert
from arcana_pipelines.net.post import host_of


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes posts. See `protocol.Receiver`."""

    url: SecretStr
    ui_url: str | None
    name: str = "webhook"

    def send(self, alert: Alert) -> None:
        """Post one alert."""
        post(self.url.get_secret_value(), {"text": message(alert, self.ui_url)}, "ALERT_WEBHOOK_URL")

    def check(self, seconds: float) -> str:
        """Only its name: whatever is sent to a webhook is shown to people."""
        runs = f"with links to {self.ui_url}" if self.ui_url else "without links (ARCANA_UI_URL)"
        return f"posted to {host_of(self.url.get_secret_value())}, {runs}"


def message(alert: Alert, ui_url: str | None) -> str:
    """What is posted."""
    return escaped("\n".join(lines(alert, ui_url)))


def escaped(text: str) -> str:
    """The text as Slack shows it, whatever is in it: no link, no mention, no call to a whole channel.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
