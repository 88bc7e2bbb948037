"""What a search may be asked: texts and times that a database can hold, and numbers within bounds.

Programs pass on what their users send: whatever it is, the answer is a sentence and no error of the driver's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from arcana_pipelines.errors import WrongUse

LONGEST_QUERY = 4000  # characters; what comes behind adds nothing to a question
MOST_HITS = 1000
MOST_NEIGHBOURS = 100
LONGEST_CURSOR = 20_000  # characters; 200 hits and all that repeats them are about 3,000
MOST_CONDITIONS = 50
MOST_EARLIER = 20  # questions of a conversation
LONGEST_VALUE = 2000  # characters of a name, a value, an address
LONGEST_TOPIC = 4000  # characters of a path: sixteen labels of 200, with what is between them

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")


def check_text(what: str, text: object, longest: int = LONGEST_VALUE) -> None:
    """Refuse what is not text, a text that no database holds, and one that is too long.

    Raises:
        WrongUse: it is.
    """
    if not isinstance(text, str):
        raise WrongUse(f"{what} has to be a text, not {told(text)}.")
    if _IMPOSSIBLE.search(text):
        raise WrongUse(f"{what} holds NUL or half of a surrogate pair, which no text has: remove it.")
    if len(text) > longest:
        raise WrongUse(f"{what} has {len(text):,} characters; at most {longest:,} are allowed. Shorten it.")


def moment(what: str, time: object) -> datetime:
    """An aware time in UTC: of zones further from it than 16 hours PostgreSQL knows nothing.

    Raises:
        WrongUse: it is not a time, or has no zone.
    """
    if not isinstance(time, datetime):
        raise WrongUse(f"{what} has to be a datetime, not {told(time)}.")
    if time.utcoffset() is None:
        raise WrongUse(f"{what} is a time without a zone: give an aware one, as datetime(2026, 1, 5, tzinfo=UTC).")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise WrongUse(f"{what} is a time before the first year or after the last.") from error


def told(value: object) -> str:
    """A wrong argument in words, however long it is and whatever it holds."""
    if isinstance(value, str):
        return repr(value[:60])
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return str(value)
    return f"what Python calls {type(value).__name__}"
