"""What a search may be asked: texts that a database can hold, and numbers within bounds."""

from __future__ import annotations

import re

from arcana_pipelines.errors import WrongUse

LONGEST_QUERY = 4000  # characters; what comes behind adds nothing to a question
MOST_HITS = 1000
MOST_NEIGHBOURS = 100
MOST_CONDITIONS = 50
LONGEST_VALUE = 2000  # characters of a name, a value, an address

_IMPOSSIBLE = re.compile("[\0\ud800-\udfff]")


def check_text(what: str, text: str, longest: int = LONGEST_VALUE) -> None:
    """Refuse a text that no database holds or that is too long.

    Raises:
        WrongUse: it does.
    """
    if _IMPOSSIBLE.search(text):
        raise WrongUse(f"{what} holds NUL or half of a surrogate pair, which no text has: remove it.")
    if len(text) > longest:
        raise WrongUse(f"{what} has {len(text):,} characters; at most {longest:,} can be. Shorten it.")


def check_question(query: str, k: int, neighbours: int) -> None:
    """Refuse a question that is too long, holds what no text has, or asks for too much.

    Raises:
        WrongUse: it does.
    """
    check_text("The query", query, LONGEST_QUERY)
    for name, value, least, most in (("k", k, 1, MOST_HITS), ("neighbours", neighbours, 0, MOST_NEIGHBOURS)):
        if not isinstance(value, int) or not least <= value <= most:
            raise WrongUse(f"A search needs {name} of at least {least} and at most {most}, not {value}.")
