"""Data written out as text, which no person reads: `data:` addresses and long runs of base64."""

from __future__ import annotations

import re

# RFC 2397. Base64 may be broken into lines; other data between quotes may have blanks in it (an SVG picture in a
# style sheet). Only registered kinds of media: `data:` is a word too.
_MEDIA = r"(?:application|audio|example|font|image|message|model|multipart|text|video|x-[\w-]+)/[\w.+*-]++"
_PARAMETERS = r"(?:;[\w=.+-]+)*+"
_LINE = r"[A-Za-z0-9+/_-]{60,}+={0,2}"
_LAST_LINE = r"(?:[ \t]*+\n[ \t>]*+(?:[A-Za-z0-9+/]{20,}+=*+|[A-Za-z0-9+/]++=+)(?!\S))?"
_DATA = re.compile(
    rf"<data:(?:{_MEDIA})?{_PARAMETERS},[^<>\n]*+>"
    rf"|(?<!\w)data:(?:{_MEDIA})?(?:;(?!base64,)[\w=.+-]+)*+;base64,[\w+/=%-]*+"
    rf"(?:[ \t]*+\n[ \t>]*+[\w+/]{{60,}}+=*+)*+{_LAST_LINE}"
    rf"|(?<=\")data:{_MEDIA}{_PARAMETERS},[^\"\n]*+"
    rf"|(?<=')data:{_MEDIA}{_PARAMETERS},[^'\n]*+"
    rf"|(?<!\w)data:{_MEDIA}{_PARAMETERS},[^\s\"'()<>\[\]|`]*+",
    re.I | re.ASCII,
)
# An address is read past: what stands in it is a part of it.
_RUN = re.compile(rf"https?://[^\s<>\"]++|(?<![\w+/-]){_LINE}(?:[ \t]*+\n[ \t>]*+{_LINE})*+{_LAST_LINE}")
# A hash has up to 128 characters; so much is a key, a certificate, a file.
_LONGEST_SHOWN = 512
_KEPT = 24
_WRAPPED = 60  # the least length of a line of data that goes on


def without_encoded(text: str) -> str:
    """`text` without the data in it; of a long run of base64 its beginning stays, by which it may be found."""
    if "ata:" in text or "ATA:" in text:
        text = _DATA.sub(_nothing, text)
    return _RUN.sub(_beginning, text) if any(map(_may_hold_data, text.split("\n"))) else text


def _may_hold_data(line: str) -> bool:
    """Whether a long run may stand in a line, or go on in it; many times as fast as the pattern."""
    if len(line) < _WRAPPED:
        return False
    if len(line) < _LONGEST_SHOWN:
        return " " not in line.strip("> \t") and "://" not in line
    return any(len(word) >= _LONGEST_SHOWN for word in line.split())


def _nothing(match: re.Match[str]) -> str:
    at = match.start()
    return '""' if at and match.string[at - 1] == "=" else ""  # of an attribute without quotes


def _beginning(match: re.Match[str]) -> str:
    run = match.group()
    if len(run) < _LONGEST_SHOWN or "://" in run or not _is_encoded(run):
        return run
    return f"{run[:_KEPT]}…"


def _is_encoded(run: str) -> bool:
    """Whether letters and digits are mixed as in data: words have few capitals, hashes and paths no such mixture."""
    share = len(run) / 100
    capitals = len(re.findall("[A-Z]", run))
    small = len(re.findall("[a-z]", run))
    digits = len(re.findall("[0-9]", run))
    return capitals >= 20 * share and small >= 20 * share and digits >= 5 * share
