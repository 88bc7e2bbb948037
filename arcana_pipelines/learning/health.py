"""What a process sees of something that it needs: written when that changes, and once an hour."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Literal

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

load_sql = statements_beside(__file__)

State = Literal["ok", "degraded", "down"]
_LONGEST = 500
# What the daemon calls it that looks at the embedding provider.
EMBEDDER = "embedding provider"


@dataclass(frozen=True, slots=True)
class Seen:
    """How something was.

    Attributes:
        component: what it is.
        state: `degraded`: it does its work, and not as it should.
        detail: what is wrong with it, in words.
        milliseconds: that it took to answer.
    """

    component: str
    state: State
    detail: str = ""
    milliseconds: int | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


def reporter(role: str) -> str:
    """What a process of this machine, or container, is called as whoever saw it."""
    return f"{role} on {socket.gethostname()}"


def record(connection: Connection, by: str, seen: Sequence[Seen]) -> None:
    """Write what was seen, in this order, where it is another state than before, or was last written an hour ago.

    Nothing is written twice in a minute.
    """
    for each in seen:
        told = {**asdict(each), "detail": each.detail[:_LONGEST], "reporter": by}
        connection.execute(load_sql("health_record"), told)
