"""Mail of Outlook (.msg). Where its properties lie is read by oxmsg.

What they say is decoded here: oxmsg fails on code pages that Python has another name for, and has no way into the mails
that are attached to a mail.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

from olefile import OleFileIO
from oxmsg.domain import constants as pid
from oxmsg.storage import Storage

from arcana_pipelines.files.parsing.mail.compressed_rtf import unpacked
from arcana_pipelines.files.parsing.mail.letter import Letter, Text, chosen, decoded, moment
from arcana_pipelines.files.parsing.plain import plain

_DEEPEST = 5  # mails in mails
# Where the properties begin in the stream that lists them ([MS-OXMSG] 2.4).
_OF_MESSAGE, _OF_INNER_MESSAGE, _OF_OTHERS = 32, 24, 8
_BY_VALUE, _MESSAGE = 1, 5
_TO, _CC = 1, 2
_SHOWN_IN_BODY = 4
# Windows' numbers of code pages that Python has no `cp…` for.
_CODE_PAGES = {
    936: "gb18030", 20127: "ascii", 20866: "koi8_r", 20949: "cp949", 28591: "cp1252", 50220: "iso2022_jp",
    50221: "iso2022_jp", 50225: "iso2022_kr", 51932: "euc_jp", 51949: "cp949", 54936: "gb18030", 65001: "utf-8",
} | {28590 + part: f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 15)}  # fmt: skip


def read(path: Path) -> Letter:
    """A mail of a file. Raises errors of olefile and the standard library where it is none."""
    with OleFileIO(str(path)) as ole:
        return _letter(Storage.from_ole(ole), _OF_MESSAGE, 0)


def _letter(storage: Storage, begin: int, depth: int) -> Letter:
    item = _Item(storage, begin)
    letter = Letter(
        item.text(pid.PID_SUBJECT), date=item.moment(pid.PID_CLIENT_SUBMIT_TIME, pid.PID_MESSAGE_DELIVERY_TIME)
    )
    sender = item.person(pid.PID_SENDER_NAME, pid.PID_SENDER_SMTP_ADDRESS, pid.PID_SENDER_EMAIL_ADDRESS)
    to: dict[int, list[str]] = {_TO: [], _CC: []}
    for recipient in storage.iter_recipient_storages():
        one = _Item(recipient, _OF_OTHERS, item.codec)
        if who := one.person(pid.PID_DISPLAY_NAME, pid.PID_SMTP_ADDRESS, pid.PID_EMAIL_ADDRESS):
            to.setdefault(one.number(pid.PID_RECIPIENT_TYPE) or _TO, []).append(who)
    letter.people = [("From", [sender] if sender else []), ("To", to[_TO]), ("Cc", to[_CC])]
    rtf = Text(unpacked(item.bytes_of(pid.PID_RTF_COMPRESSED)).decode("latin-1"), "rtf")
    letter.texts = chosen([Text(item.lines(pid.PID_BODY)), Text(item.lines(pid.PID_HTML), "html"), rtf])
    letter.encrypted = item.text(pid.PID_MESSAGE_CLASS).upper() == "IPM.NOTE.SMIME"
    for attachment in storage.iter_attachment_storages():
        _attachment(attachment, item.codec, letter, depth)
    return letter


def _attachment(storage: Storage, codec: str, letter: Letter, depth: int) -> None:
    item = _Item(storage, _OF_OTHERS, codec)
    method = item.number(pid.PID_ATTACH_METHOD)
    name = item.text(pid.PID_ATTACH_LONG_FILENAME) or item.text(pid.PID_ATTACH_FILENAME) or "attachment"
    data = item.bytes_of(pid.PID_ATTACH_DATA_BINARY)
    inner = [part for part in storage.storages if part.name == f"__substg1.0_{pid.PID_ATTACH_DATA_BINARY:04X}000D"]
    if method == _MESSAGE and inner and depth < _DEEPEST:
        letter.inner.append(_letter(inner[0], _OF_INNER_MESSAGE, depth + 1))
    elif item.number(pid.PID_ATTACHMENT_HIDDEN) or item.number(pid.PID_ATTACH_FLAGS) & _SHOWN_IN_BODY:
        letter.pictures += 1
    elif method in (0, _BY_VALUE) and data:
        letter.files.append((name, data))
    else:
        letter.not_read += 1


class _Item:
    """The properties of a message, a recipient or an attachment."""

    def __init__(self, storage: Storage, begin: int, codec: str = "") -> None:
        self._streams: dict[str, bytes] = {stream.name: stream.bytes_ for stream in storage.streams}
        listed = self._streams.get("__properties_version1.0", b"")
        self._fixed: dict[int, int] = dict(
            struct.unpack_from("<2xH4xQ", listed, at) for at in range(begin, len(listed) - 15, 16)
        )
        page = self.number(pid.PID_INTERNET_CODEPAGE) or self.number(pid.PID_MESSAGE_CODEPAGE)
        self.codec = _CODE_PAGES.get(page, f"cp{page}") if page else codec

    def number(self, name: int) -> int:
        """A whole number, or a truth as one; 0 without."""
        return self._fixed.get(name, 0) & 0xFFFFFFFF

    def moment(self, *names: int) -> str:
        """The first of these times that there is."""
        ticks = next(filter(None, (self._fixed.get(name, 0) for name in names)), 0)
        try:
            return moment(datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)) if ticks else ""
        except OverflowError:
            return ""

    def bytes_of(self, name: int) -> bytes:
        """Bytes as they are; none without."""
        return self._streams.get(f"__substg1.0_{name:04X}0102", b"")

    def lines(self, name: int) -> str:
        """A text with its lines: in UTF-16, in a code page, or as bytes in one."""
        if wide := self._streams.get(f"__substg1.0_{name:04X}001F"):
            return wide.decode("utf-16-le", "replace")
        return decoded(self._streams.get(f"__substg1.0_{name:04X}001E") or self.bytes_of(name), self.codec)

    def text(self, name: int) -> str:
        """A text as one line."""
        return plain(self.lines(name))

    def person(self, name: int, *addresses: int) -> str:
        """`name <address>`. An address of Exchange's own directory says nothing to people and is left out."""
        who = self.text(name)
        address = next(filter(lambda found: "@" in found, map(self.text, addresses)), "")
        return f"{who} <{address}>" if who and address and who != address else who or address
