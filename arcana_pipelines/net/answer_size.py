"""How large an answer may be: bytes, and values of JSON."""

from __future__ import annotations

import re
from itertools import islice

from urllib3.exceptions import HTTPError

# Of JSON, what announces a value, and strings, in which the same signs announce none.
_SIGN = re.compile(rb'[\[{,]|"[^"\\]*+(?:\\[\s\S][^"\\]*+)*+"?')


class AnswerTooLarge(HTTPError):
    """An answer has more bytes, unpacked, or more values than anything that was asked for can have."""


def check_values(data: bytes, most: int) -> None:
    """Refuse JSON of more values than `most` before it is read: `[],` is three bytes, and an object of some sixty.

    Raises:
        AnswerTooLarge: it has them.
    """
    # Nearly always the cheap count is enough; a long text may have as many commas.
    if sum(map(data.count, (b"[", b"{", b","))) > most and any(True for _ in islice(_SIGN.finditer(data), most, None)):
        raise AnswerTooLarge(f"the answer has more than {most:,} values")
