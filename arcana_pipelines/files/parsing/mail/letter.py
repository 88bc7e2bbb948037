"""A mail before it is said, the same for every format of mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from arcana_pipelines.files.parsing.decoding import decode
from arcana_pipelines.files.parsing.protocol import Unreadable

_PLACEHOLDER = 200  # characters: a longer text is the mail's own
_MARKUP = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<[^>]*>", re.I | re.S)
# Charsets that are declared where larger ones are used.
_MEANT = {
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "ks_c_5601": "cp949", "ksc5601": "cp949", "iso-8859-1": "cp1252",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "big5": "cp950",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """A text of a mail.

    Attributes:
        form: of RTF, `text` is its source, a byte a character.
        flowed: of plain text: a line that ends in a blank goes on in the next one (RFC 3676).
    """

    text: str
    form: Literal["plain", "html", "rtf"] = "plain"
    flowed: bool = False


@dataclass(slots=True)
class Letter:
    """A mail.

    Attributes:
        people: who wrote, and to whom: the name of the header, and names with addresses.
        date: as people read it.
        texts: in the order of the mail, each in one of the ways that it came in.
        files: names and bytes.
        pictures: how many belong to its layout (logos, signatures).
        not_read: how many parts are left out besides.
        encrypted: its text is for one reader, or packed as such.
        inner: mails that are in it and no files of their own.
    """

    subject: str = ""
    people: list[tuple[str, list[str]]] = field(default_factory=list)
    date: str = ""
    texts: list[Text] = field(default_factory=list)
    files: list[tuple[str, bytes]] = field(default_factory=list)
    pictures: int = 0
    not_read: int = 0
    encrypted: bool = False
    inner: list[Letter] = field(default_factory=list)


def chosen(ways: list[Text]) -> list[Text]:
    """Of one text in several ways the plain one, unless that only says that there is another."""
    plain, html, rtf = (
        [text for text in ways if text.form == form and text.text.strip()] for form in ("plain", "html", "rtf")
    )
    if not plain or not html:
        return plain or html or rtf
    said = sum(len(text.text.strip()) for text in plain)
    shown = sum(len(" ".join(_MARKUP.sub(" ", text.text).split())) for text in html)
    return html if said < _PLACEHOLDER and shown > 5 * said else plain


def decoded(data: bytes, charset: str | None) -> str:
    """Text of bytes: as declared where that is true of them, else as they look."""
    declared = (charset or "ascii").strip().lower()
    try:
        return data.decode(_MEANT.get(declared, declared))
    except (LookupError, ValueError):
        pass
    try:
        return decode(data)
    except Unreadable:
        return data.decode("utf-8", "replace")


def moment(when: datetime) -> str:
    """A time to the minute, with its distance from UTC if that is known."""
    return when.isoformat(" ", "minutes")
