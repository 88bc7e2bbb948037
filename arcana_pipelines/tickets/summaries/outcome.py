"""What became of asking for one summary."""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.errors import SummaryFailed
from arcana_pipelines.tickets.summaries.answer import SummaryText

MOST_REQUESTS = 2
"""Of one ticket that are answered: an answer that is no summary is asked for once more."""


@dataclass(slots=True)
class Usage:
    """What the requests for one ticket have used.

    Attributes:
        requests: that were answered, or whose answer did not come in time.
        input_tokens: that were sent, as the endpoint counts them; where it counts nothing, estimated.
        output_tokens: likewise, of answers.
        seconds: that they took together.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one ticket.

    Attributes:
        summary: None where none was made.
        problem: why not: `SummaryUnusable` or `SummaryRefused` (this ticket), else `SummaryFailed` (the endpoint).
        usage: whatever became of it.
    """

    summary: SummaryText | None
    problem: SummaryFailed | None
    usage: Usage
