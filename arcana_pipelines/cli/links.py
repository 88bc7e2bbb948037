"""An address as a terminal shows it: the letters of its fragment as they read, with a link to the address itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_ENCODED = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f])+")


def link_text(out: Console, address: str) -> Text:
    """The address in one piece. Only a terminal's is made readable: what goes into a file or a pipe stays encoded."""
    from rich.style import Style
    from rich.text import Text

    if not out.is_terminal:
        return Text(address, "blue")
    return Text(readable(address), Style(color="blue", link=address))


def readable(address: str) -> str:
    """The address with the letters and digits of its fragment decoded that are not ASCII.

    The rest stays encoded: signs that mean something in an address, blanks that would end it, what nobody sees, and
    bytes that are no UTF-8. Host and path stay as they are, since letters that look alike lead elsewhere.
    """
    before, mark, fragment = address.partition("#")
    return before + mark + _ENCODED.sub(_letters, fragment)


def _letters(encoded: re.Match[str]) -> str:
    try:
        text = unquote_to_bytes(encoded[0]).decode()
    except UnicodeDecodeError:
        return encoded[0]
    return "".join(letter if letter.isalnum() else quote(letter) for letter in text)
