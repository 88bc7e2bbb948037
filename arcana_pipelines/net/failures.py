"""What a failed request says: whether it was a timeout, and its words without the key."""

from __future__ import annotations

from urllib3.exceptions import NewConnectionError
from urllib3.exceptions import TimeoutError as TimedOut

_LONGEST = 300  # characters; an endpoint may answer an error with a whole page


def timed_out(error: BaseException) -> bool:
    """Whether nothing came in time. urllib3 counts a server that cannot be reached among the timeouts."""
    return isinstance(error, TimedOut) and not isinstance(error, NewConnectionError)


def quiet(text: str, secret: str) -> str:
    """A message, cut, without the secret that an endpoint or a library may repeat in it."""
    return (text.replace(secret, "***") if secret else text)[:_LONGEST]
