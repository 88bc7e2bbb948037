"""What a receiver of alerts is, and what it is handed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from arcana_pipelines.alerts.severity import Severity, severity_of
from arcana_pipelines.errors import ArcanaError


class NotDelivered(ArcanaError):
    """The receiver did not take an alert. It stays untold and is sent again."""


class Unanswered(ArcanaError):
    """An alert was sent, and whether it arrived is not known. It is sent again, but not soon."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is to be told: that it began, or that it is over. For the other fields see `causes.Cause`.

    Attributes:
        alert_id: the key of its row: the same when it begins and when it is over.
        detail: what others said of it, at most `records.MOST_DETAIL` characters on one line.
        run_id: of the newest run in Dagster that shows it; None where no run does.
        since: when an evaluation first saw it; aware.
        last_seen_at: when an evaluation last saw it; aware.
        resolved_at: when an evaluation looked for it and did not find it; aware. None: it is open, and that is what is
            told.
    """

    alert_id: int
    cause: str
    workspace: str
    text: str
    detail: str
    next_step: str
    run_id: str | None
    since: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    subject: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return severity_of(self.cause)

    @property
    def key(self) -> str:
        """What it is known by at a receiver, of at most 255 characters: the same when it begins and when it is over.

        The moment makes it another one than the same cause has in another installation.
        """
        moment = self.since.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        named = "/".join(part for part in (self.workspace, self.cause, self.subject[:100]) if part)
        return f"arcana/{named}/{moment}-{self.alert_id}"


class Receiver(Protocol):
    """Someone who is told. One module an implementation; `registry.receivers` opens those that are set."""

    @property
    def name(self) -> str:
        """What `ALERT_ROUTES` calls it."""
        ...

    def send(self, alert: Alert) -> None:
        """Tell that an alert began, or that it is over.

        Raises:
            Unanswered: it was sent, and whether it arrived is not known.
            NotDelivered: it was not taken. The message holds no secret.
        """
        ...

    def check(self, seconds: float) -> str:
        """What can be said of the receiver without telling it anything, within so many seconds.

        Raises:
            NotDelivered: an alert would not be taken now.
        """
        ...
