"""What an automation rule sends: JSON without a signature, which may come twice, late, or never."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import httpx

from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld


class WebhookSender:
    """Sends what happened in a world since it was made, when it is told to; a context manager.

    Nothing is announced of edited messages, trash, spam, archives and articles.

    Args:
        headers: those of the rule, such as the one with the token that its admin typed.
        duplicated: the share of announcements that are sent twice.
        lost: the share that is never sent.
        shuffled: they come out of order.
    """

    def __init__(
        self,
        world: FreshdeskWorld,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        seed: int = 1,
        duplicated: float = 0.0,
        lost: float = 0.0,
        shuffled: bool = False,
    ) -> None:
        self.world = world
        self.url = url
        self.duplicated = duplicated
        self.lost = lost
        self.shuffled = shuffled
        self._random = Random(f"webhooks {seed}")
        self._client = httpx.Client(headers=dict(headers or {}), verify=False)
        self._sent = len(world.events)

    def deliver(self) -> list[int]:
        """Send what is due; the statuses of the answers."""
        with self.world.lock:
            due = self.world.events[self._sent :]
            self._sent = len(self.world.events)
        bodies = []
        for ticket, event in due:
            if self._random.random() < self.lost:
                continue
            times = 2 if self._random.random() < self.duplicated else 1
            bodies += [self.body(ticket, event)] * times
        if self.shuffled:
            self._random.shuffle(bodies)
        return [self._client.post(self.url, json=body).status_code for body in bodies]

    def body(self, ticket: int, event: str) -> dict[str, Any]:
        """What the rule's admin has typed, with its placeholders filled."""
        url = f"https://{self.world.domain}.freshdesk.com/a/tickets/{ticket}"
        return {"freshdesk_webhook": {"ticket_id": ticket, "ticket_url": url, "triggered_event": event}}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> WebhookSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
