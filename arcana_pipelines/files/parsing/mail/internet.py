"""Mail of the internet (.eml).

Its headers are decoded here and not by `email.policy.default`: Korean mail names EUC-KR and means CP949, cuts
characters in two where a header is folded, and sends bytes that no header declares.
"""

from __future__ import annotations

import base64
import email
import email.errors
import email.header
import email.utils
import re
from email.message import EmailMessage, Message
from email.policy import EmailPolicy
from pathlib import Path
from typing import Any

from arcana_pipelines.files.parsing.mail.letter import Letter, Text, chosen, decoded, moment
from arcana_pipelines.files.parsing.plain import plain

_DEEPEST = 20  # parts within parts
_SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_ENCRYPTED = frozenset({"application/pgp-encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"})
_WORD = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*")
_WRONG = (ValueError, LookupError, TypeError, AttributeError, OverflowError, email.errors.MessageError)


class _AsSent(EmailPolicy):
    """Headers as they were sent: surrogates stand for bytes above ASCII."""

    def header_fetch_parse(self, name: str, value: str) -> Any:
        return "".join(value.splitlines())


# `none`: a mail inside is handed on as it came.
_POLICY = _AsSent(refold_source="none")


def read(path: Path) -> Letter:
    """A mail of a file. Raises errors of the standard library where it is none."""
    with path.open("rb") as source:
        message = email.message_from_binary_file(source, _class=EmailMessage, policy=_POLICY)
    letter = Letter(_header(message, "subject"), date=_date(message))
    letter.people = [(name, _addresses(message, name)) for name in ("From", "To", "Cc")]
    _part(message, letter, "mixed", 0)
    return letter


def _part(part: Message[Any, Any], letter: Letter, within: str, depth: int) -> None:
    kind = part.get_content_type()
    if depth > _DEEPEST:
        letter.not_read += 1
    elif kind == "message/rfc822":
        _attached_mail(part, letter)
    elif part.is_multipart():
        letter.encrypted = letter.encrypted or kind == "multipart/encrypted"
        before = len(letter.texts)
        for child in part.get_payload():
            if isinstance(child, Message):
                _part(child, letter, kind.partition("/")[2], depth + 1)
        if kind == "multipart/alternative":
            letter.texts[before:] = chosen(letter.texts[before:])
    elif kind in _ENCRYPTED:
        letter.encrypted = True
    elif kind not in _SIGNATURES:
        _leaf(part, letter, kind, within)


def _attached_mail(part: Message[Any, Any], letter: Letter) -> None:
    inner = part.get_payload()
    if not (isinstance(inner, list) and inner and isinstance(inner[0], Message)):
        letter.not_read += 1
        return
    message = inner[0]
    try:
        data = message.as_bytes()
        if str(part.get("content-transfer-encoding") or "").strip().lower() == "base64":
            # Against the rules (RFC 2046, 5.2.1), but sent.
            data = base64.b64decode(data)
            message = email.message_from_bytes(data, _class=EmailMessage, policy=_POLICY)
        letter.files.append(((_header(message, "subject") or "mail") + ".eml", data))
    except _WRONG:
        letter.not_read += 1


def _leaf(part: Message[Any, Any], letter: Letter, kind: str, within: str) -> None:
    name = _file_name(part)
    attached = part.get_content_disposition() == "attachment" or (bool(name) and within != "alternative")
    payload = part.get_payload(decode=True)
    data = payload if isinstance(payload, bytes) else b""
    if kind in ("text/plain", "text/html") and not attached:
        flowed = str(part.get_param("format", "")).lower() == "flowed"
        text = decoded(data, part.get_content_charset())
        letter.texts.append(Text(text, "html" if kind == "text/html" else "plain", flowed))
    elif part.get_content_maintype() == "image" and within == "related":
        letter.pictures += 1
    elif attached or part.get_content_maintype() == "image":
        if data:
            letter.files.append((name or "attachment", data))
    elif within != "alternative" and data:
        letter.not_read += 1


def _header(message: Message[Any, Any], name: str) -> str:
    return _words(message.get(name) or "")


def _words(raw: str) -> str:
    """A header as people read it: encoded words (RFC 2047) and undeclared bytes decoded."""
    if not raw.isascii():
        raw = decoded(raw.encode("utf-8", "surrogateescape"), None)
    return plain(_ENCODED_WORDS.sub(lambda words: _encoded_words(words.group()), raw))


def _encoded_words(words: str) -> str:
    # Words in a row in one charset are joined before they are decoded: a character may lie in two of them.
    try:
        pieces = email.header.decode_header(words)
    except (email.errors.HeaderParseError, ValueError):
        return words
    return "".join(piece if isinstance(piece, str) else decoded(piece, charset) for piece, charset in pieces)


def _addresses(message: Message[Any, Any], name: str) -> list[str]:
    pairs = email.utils.getaddresses([str(value) for value in message.get_all(name) or []])
    said = ((_words(who), plain(address)) for who, address in pairs)
    return [f"{who} <{address}>" if who and address else who or address for who, address in said if who or address]


def _date(message: Message[Any, Any]) -> str:
    try:
        return moment(email.utils.parsedate_to_datetime(message.get("date") or ""))
    except _WRONG:
        return ""


def _file_name(part: Message[Any, Any]) -> str:
    try:
        return _words(part.get_filename() or "")
    except _WRONG:
        return ""
