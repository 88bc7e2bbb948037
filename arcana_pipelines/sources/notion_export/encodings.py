"""Bytes of an export as text: UTF-8, UTF-16, or a code page that the text proves.

Notion writes UTF-8. A file that another program saved again may be in the code page of its Windows: 949 for
Korean (a superset of EUC-KR), 932 for Japanese, 1252 for western Europe. Nothing in the file says which, so each
is decoded strictly, in the order of how much its own rules refuse, and taken only if what comes out reads like its
language. (charset-normalizer 3.5 takes a Korean page of two words for Big5, and "Crème brûlée" for code page 1250:
it needs more text than a short page has.)
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable

from arcana_pipelines.files.byte_order_marks import BYTE_ORDER_MARKS

_LONGEST_CHARACTER = 4
# So much is looked at to tell a code page: enough for any language, and quick for a large table.
_SAMPLE = 64 * 1024
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_NOT_ASCII_RUN = re.compile(r"[^\x00-\x7f]+")
# Text of another encoding, or no text at all, once a fifth of it could not be decoded.
_RUBBISH_SHARE = 0.2
_BROKEN_SHARE = 0.02
_HANGUL = re.compile(r"[가-힣]")
# The syllables that make up nearly all Korean text. Chinese or Japanese read as Korean has few of them.
_FREQUENT = frozenset(
    "다니이에지는시일로은사가고를안습전을기하자수장원보정간서합리비도의인한면요어나상입스주트터무있대개실으월아분과회오출용교팀경봇배드않세영내만까모야제동당린금산급"
    "부층관없두문후화해계신근람명와라번할현게업데구유승육증치공휴운연충설체건우임베험별직표행조카메재통차존음약담예객테확받소성본단식추목최류파노마립반때년여들물그위"
    "북저피결됩방말올매열적려칙거청책품크윤량록호생첫넘뒤날바준되격함백항쓰누것작등외점검울택집진접절편님디복먼따웨된멈취곳발밀및료불남걸속참중루길프채환새태키권국필"
    "미돌란토플코창규타달선같갑율령포능알께변액법박강초특황착째독커버심손레처역양침끝밤천범색짜값씨"
)
_KOREAN = re.compile(r"[가-힣一-鿿豈-﫿、-〗！-～·‘’“”…―─-╿①-⓿■-◿★☆←-⇿※℃￦￥]")
_KANA = re.compile(r"[぀-ヿ]")
_JAPANESE = re.compile(r"[぀-ヿ一-鿿、-〗！-～ー…―─-╿①-⓿■-◿★☆←-⇿※‘’“”]")
_WESTERN_LETTER = "A-Za-zÀ-ÖØ-öø-ÿŠšŽžŒœŸ"
_WESTERN = re.compile(rf"[{_WESTERN_LETTER}‘’‚“”„‹›«»–—…•€£¥§©®™°±²³·¿¡×÷µºª\xa0¼½¾†‡‰¢]")
# Signs that stand beside letters only where another code page was meant: a superscript inside of a word.
_BROKEN_WORD = re.compile(
    rf"[{_WESTERN_LETTER}](?:[¹¼½¾±¥¢†‡¿¡]|[²³µ][{_WESTERN_LETTER}])|[¼½¾±¢†‡][{_WESTERN_LETTER}]"
)


def decode(data: bytes, *, whole: bool = True) -> tuple[str, str | None]:
    """Text without its byte-order mark, and in words what is wrong with it (None: nothing).

    Args:
        data: a file, or only its beginning.
        whole: False for a beginning, which may end inside a character.

    What cannot be decoded is replaced by U+FFFD, and NUL too: no text of ours can hold it.
    """
    text, problem = _decoded(data, whole)
    if "\0" in text:
        return text.replace("\0", "\ufffd"), problem or "it holds bytes of value 0, which were replaced"
    return text, problem


def is_rubbish(text: str) -> bool:
    """Whether so much of a text could not be decoded that no search should find it."""
    replaced = text.count("\ufffd")
    return replaced > 0 and replaced > _RUBBISH_SHARE * sum(not char.isspace() for char in text)


def _decoded(data: bytes, whole: bool) -> tuple[str, str | None]:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _known(data[len(mark) :], encoding, whole)
    text = _strict(data, "utf-8", whole)
    # In UTF-16 every second byte of an English text is 0, of a Russian one 4, which is UTF-8 as well.
    if text is not None and 4 * len(_CONTROLS.findall(text)) < len(data):
        return text, None
    broken = data.decode("utf-8", "replace")
    if 0 in data and (text is not None or not _mostly_utf8(broken)) and (utf16 := _utf16(data)):
        return _known(data, utf16, whole)
    if text is not None:
        return text, None
    if not _mostly_utf8(broken):
        for encoding, plausible in _CODE_PAGES:
            text = _strict(data, encoding, whole)
            if text is not None and plausible(text[:_SAMPLE]):
                return text, None
    return broken, "some bytes are not UTF-8 text and were replaced"


def _utf16(data: bytes) -> str | None:
    """Which UTF-16 a text without a mark is in: its blanks, commas and ends of lines have a byte of value 0."""
    sample = data[: _SAMPLE & ~1]
    read: dict[int, str] = {}
    for encoding in ("utf-16-be", "utf-16-le"):
        text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
        unknown = any(unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") for char in set(text) - set("\t\n\r"))
        if not unknown and text.count("\ufffd") <= _BROKEN_SHARE * len(text):
            read[len(text) - len(_NOT_ASCII.findall(text))] = encoding
    # In the wrong order the zeros are the last halves of other characters.
    most = max(read, default=0)
    return read[most] if most else None


def _known(data: bytes, encoding: str, whole: bool) -> tuple[str, str | None]:
    text = _strict(data, encoding, whole)
    if text is not None:
        return text, None
    return data.decode(encoding, "replace"), f"some bytes are not {encoding.upper()} text and were replaced"


def _strict(data: bytes, encoding: str, whole: bool) -> str | None:
    """All of `data`, or without the character that its end cuts in two; None if it is something else."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(data, final=whole)
    except UnicodeDecodeError:
        return None


def _mostly_utf8(broken: str) -> bool:
    """Whether a text was UTF-8 before some bytes of it were damaged."""
    others = len(_NOT_ASCII.findall(broken))
    return others >= 2 * broken.count("\ufffd")


def reads_as_korean(text: str) -> bool:
    """Code page 949 accepts much that is not Korean, and then gives syllables that hardly anyone writes."""
    others = "".join(_NOT_ASCII.findall(text))
    hangul = _HANGUL.findall(others)
    return (
        len(hangul) >= 2
        and _CONTROLS.search(text) is None
        and 2 * len(hangul) >= len(others)
        and sum(char in _FREQUENT for char in hangul) >= 0.4 * len(hangul)
        and len(_KOREAN.findall(others)) >= 0.9 * len(others)
    )


def _japanese(text: str) -> bool:
    """Kana among Chinese characters, or words of common Chinese characters alone, as in a small table."""
    others = "".join(_NOT_ASCII.findall(text))
    kana = len(_KANA.findall(others))
    return (
        len(others) >= 4
        and _CONTROLS.search(text) is None
        and len(_JAPANESE.findall(others)) >= 0.9 * len(others)
        and (4 * kana >= len(others) or _is_common_japanese(text, others))
    )


def _is_common_japanese(text: str, others: str) -> bool:
    """Characters of the first level begin with bytes that other encodings have for single signs between letters."""
    common = sum(b"\x81" <= char.encode("cp932")[:1] <= b"\x97" for char in others)
    in_words = sum(len(run) for run in _NOT_ASCII_RUN.findall(text) if len(run) > 1)
    return common >= 0.9 * len(others) and in_words >= 0.8 * len(others)


def _western(text: str) -> bool:
    """A text in Latin letters with some accents and typographic marks."""
    others = _NOT_ASCII.findall(text)
    letters = sum(char.isalpha() for char in text)
    accents = sum(char.isalpha() for char in others)
    return (
        _CONTROLS.search(text) is None
        and all(map(_WESTERN.match, others))
        and 3 * accents <= letters
        and _BROKEN_WORD.search(text) is None
    )


_CODE_PAGES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("cp949", reads_as_korean),
    ("cp932", _japanese),
    ("cp1252", _western),
)
