"""Bytes of a text in whatever encoding they are: Korean ones as well as others, short ones as well as long."""

from __future__ import annotations

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes

from arcana_pipelines.files.byte_order_marks import BYTE_ORDER_MARKS
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable

_HEAD = 2048  # bytes in which a page or a book says how it is encoded
_DECLARED = re.compile(
    rb"""(?:<meta[^>]{1,200}?charset|<\?xml[^>]{1,200}?encoding)\s*=\s*["']?\s*([\w.:-]{2,40})""", re.I
)
# Pages name what browsers take for the wider code page of the same bytes.
_WIDER = {
    "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "ksc5601": "cp949", "korean": "cp949", "shift_jis": "cp932",
    "x-sjis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "latin1": "cp1252",
    "us-ascii": "cp1252", "ascii": "cp1252", "x-windows-949": "cp949", "windows-949": "cp949",
}  # fmt: skip
_ISO_2022_KR = b"\x1b$)C"
_SAMPLE = 65_536  # bytes that are looked at before all of them are decoded
_HANGUL = re.compile("[가-힣]")
_HANJA = re.compile("[\u4e00-\u9fff\uf900-\ufaff]")
_ASCII = re.compile(rb"[\x00-\x7f]+")
# What EUC-KR has. CP949 adds the rarer syllables in places where other encodings have letters.
_COMMON_PAIRS = re.compile(rb"(?:[\xa1-\xfe][\xa1-\xfe])*")
_LETTER = r"[^\W\d_]"
# What cp1252 makes of texts in another code page: symbols inside words, and letters of Central Europe alone.
_NOT_WESTERN = re.compile(rf"{_LETTER}[\xa1-\xa9\xab-\xb4\xb6-\xb9\xbb-\xbf]{_LETTER}|[ŠšŽž]")
_USUAL = re.compile("[\n -~가-힣]")
_CONTROL = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f]")


def decode(data: bytes) -> str:
    """The text that `data` is, without NUL and byte-order mark; "" for no bytes.

    Bytes that are wrong in a text that is otherwise clear become U+FFFD.

    Raises:
        Unreadable: it is no text.
    """
    text = _decoded(data).removeprefix("\ufeff")
    if len(_CONTROL.findall(text[:_SAMPLE])) * 20 > len(text[:_SAMPLE]):
        raise _no_text()
    return text.replace("\x00", "") if "\x00" in text else text


def decode_marked_up(data: bytes) -> str:
    """The text of HTML or XML, which says in its beginning how it is encoded; UTF-8 that is valid is believed more.

    Raises:
        Unreadable: it is no text.
    """
    declared = _DECLARED.search(data, 0, _HEAD)
    if declared is None or data.startswith(tuple(mark for mark, _ in BYTE_ORDER_MARKS)) or b"\x00" in data[:_HEAD]:
        return decode(data)
    name = declared[1].decode("ascii").lower()
    try:
        codec = codecs.lookup(_WIDER.get(name, name)).name
    except LookupError:
        return decode(data)
    if codec == "utf-8" or codec.startswith(("utf-16", "utf-32")):
        return decode(data)
    text = None if codec.startswith(("iso2022", "hz")) else _mostly(data, "utf-8")
    text = _mostly(data, codec) if text is None else text
    return decode(data) if text is None else text.replace("\x00", "")


def _decoded(data: bytes) -> str:
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    if b"\x00" in data[:_SAMPLE]:
        return _with_nul(data)
    if _ISO_2022_KR in data[:_SAMPLE]:
        return data.decode("iso2022_kr", "replace")
    if (text := _mostly(data, "utf-8")) is not None:
        return text
    if (text := _korean(data)) is not None:
        return text
    return _by_statistics(data)


def _with_nul(data: bytes) -> str:
    """UTF-16 without a mark has NUL bytes, in its blanks and line ends (and in Hangul: that of 가 is U+AC00)."""
    texts = (data.decode(codec, "replace") for codec in ("utf-16-le", "utf-16-be"))
    text = max(texts, key=lambda text: len(_USUAL.findall(text[:_SAMPLE])))
    if _is_language(text[:_SAMPLE]) and _USUAL.search(text):
        return text
    # A log with a hole in it: text all the same.
    if data[:_SAMPLE].count(0) * 20 <= len(data[:_SAMPLE]):
        return _decoded(data.replace(b"\x00", b""))
    raise _no_text()


def _is_language(text: str) -> bool:
    """Whether nearly all characters are ones that are written."""
    odd = sum(
        unicodedata.category(character) in {"Cn", "Co", "Cs"}
        or character == "\ufffd"
        or bool(_CONTROL.match(character))
        for character in text
    )
    return odd * 50 <= len(text)


def _mostly(data: bytes, codec: str) -> str | None:
    """`data` in `codec`; with a few wrong bytes among many right characters (a cut end, a foreign line) as well."""
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        text = data.decode(codec, "replace")
    wrong = text.count("\ufffd")
    right = sum(character > "\x7f" for character in text) - wrong
    return text if wrong * 20 <= right else None


def _korean(data: bytes) -> str | None:
    text = _mostly(data, "cp949")
    if text is None:
        return None
    others = sum(character > "\x7f" for character in text)
    hangul = len(_HANGUL.findall(text))
    # Chinese in GB 2312 reads as Hangul and Chinese characters, half and half.
    if not hangul or hangul * 2 < others or len(_HANJA.findall(text)) * 4 > hangul:
        return None
    in_a_row = re.search("[가-힣]{2}", text) is not None
    return text if in_a_row or _COMMON_PAIRS.fullmatch(_ASCII.sub(b"", data)) else None


def _by_statistics(data: bytes) -> str:
    """As charset-normalizer has it; but it takes the West of Europe for its middle, so cp1252 is looked at first."""
    western = _western(data)
    if western is not None:
        return western
    best = from_bytes(data[: data.rfind(b"\n", 0, _SAMPLE) + 1 or _SAMPLE]).best()
    if best is None:
        raise _no_text()
    return data.decode("cp949" if best.encoding == "euc_kr" else best.encoding, "replace")


def _western(data: bytes) -> str | None:
    """`data` in cp1252 if it reads as words that have a foreign letter here and there."""
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    letters = [character for character in text[:_SAMPLE] if character.isalpha()]
    foreign = sum(character > "\x7f" for character in letters)
    return None if foreign * 2 > len(letters) or _NOT_WESTERN.search(text) else text


def _no_text() -> Unreadable:
    return Unreadable(Reason.UNSUPPORTED, "the bytes are no text in an encoding that we know")
