"""Bytes of a file as text: UTF-8, UTF-16, or what a Korean Excel saves as CSV."""

from __future__ import annotations

import re

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.files.byte_order_marks import BYTE_ORDER_MARKS

_HANGUL = re.compile("[가-힣]")
_HANJA = re.compile("[\u4e00-\u9fff\uf900-\ufaff]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SAMPLE = 65_536  # bytes


def decode(data: bytes, name: str) -> str:
    """The text of a file, which `name` names in errors.

    Code page 949 is taken where it can be nothing else and most letters are Korean.

    Raises:
        TaxonomyRefused: it is none of these encodings, or no text.
    """
    text = _decoded(data)
    if text is None or _CONTROLS.search(text):
        raise TaxonomyRefused(
            f"{name} is no text in UTF-8, in UTF-16 or in Korean (cp949): save it as UTF-8 "
            "(Excel: 'CSV UTF-8 (comma delimited)')."
        )
    return text


def _decoded(data: bytes) -> str | None:
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strictly(data[len(mark) :], codec)
    if 0 in data[:_SAMPLE]:
        # Latin letters and commas have a byte of value 0 in UTF-16: the second one if it is little-endian.
        zeros = data[1:_SAMPLE:2].count(0), data[0:_SAMPLE:2].count(0)
        return _strictly(data, "utf-16-le" if zeros[0] >= zeros[1] else "utf-16-be")
    if (text := _strictly(data, "utf-8")) is not None:
        return text
    if (text := _strictly(data, "cp949")) is None:
        return None
    others = sum(character > "\x7f" for character in text)
    hangul = len(_HANGUL.findall(text))
    # Chinese in its own encodings reads as Hangul and Chinese characters, half and half.
    return text if hangul * 2 >= others and hangul >= 4 * len(_HANJA.findall(text)) else None


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None
