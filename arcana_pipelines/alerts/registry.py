"""Which receivers are set, and how they are opened."""

from __future__ import annotations

from arcana_pipelines.alerts.protocol import Receiver
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.settings import Settings


def receivers(settings: Settings) -> list[Receiver]:
    """Everyone whom the settings name, in the order of their names. None: no one is told."""
    return [_open(settings, name) for name in sorted(settings.alert_receivers)]


def receiver(settings: Settings, name: str) -> Receiver:
    """The one of this name.

    Raises:
        WrongUse: it is not set.
    """
    if name not in settings.alert_receivers:
        known = ", ".join(sorted(settings.alert_receivers)) or "none"
        raise WrongUse(f"There is no receiver of alerts '{name}'. Set are: {known}.")
    return _open(settings, name)


def _open(settings: Settings, name: str) -> Receiver:
    ui_url = settings.arcana_ui_url
    if name == "webhook":
        from arcana_pipelines.alerts.webhook import Webhook

        assert settings.alert_webhook_url is not None
        return Webhook(settings.alert_webhook_url, ui_url)
    if name == "pagerduty":
        from arcana_pipelines.alerts.pagerduty import PagerDuty

        assert settings.alert_pagerduty_key is not None
        return PagerDuty(settings.alert_pagerduty_url, settings.alert_pagerduty_key, ui_url)
    from arcana_pipelines.alerts.mail import Mail

    server = settings.mail_server
    assert server is not None and settings.alert_sender is not None
    recipients = settings.alert_recipients if name == "email" else [name]
    return Mail(name, server, settings.alert_sender, recipients, ui_url)
