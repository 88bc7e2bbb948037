"""Which Korean words are the same one to a reader, and how much of each to mark.

Search looks for pairs of syllables, so that nothing is missed. A reader who sees `토요` marked in 토요일, or `명까` in
명까지, wonders what was found: what is marked here is a noun without its particles, or a verb with its ending, never a
part of one. A word of one syllable is marked where a particle shows that it is one, and not where it is a unit that is
counted (`한 알`, `두 달`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from arcana_pipelines.lexical.korean import is_ending, only_asks, verb_stem, with_fewer_endings, without_endings

# Behind or before a noun they make another one of the same things: 회의실, 담당자, 재계약. No other syllable does
# surely: 다시마 is no kind of 다시.
_SUFFIXES = frozenset(
    "자 실 록 부 관 서 비 금 일 팀 장 소 점 사 원 증 표 권 료 식 용 형 율 률 별 제 법 력 계 기 품 물 초 인 회 화 적 "
    "성 집 님 들 째 씩 차 항 값 량 액 층 함 망 군 단 국 청 측 안 건".split()
)
_PREFIXES = frozenset("동 재 신 구 본 총 비 미 무 부 첫 주 월 연 대 소 고 저 초 전 각 매 타 당 귀 새".split())
# What stands behind a noun and is hardly its end, as 가 is in 휴가, 의 in 회의, 도 in 온도, 과 in 결과, 로 in 도로.
_BEHIND_CONSONANT = ("은", "을", "으로", "이다", "이에요", "입니다")
_BEHIND_VOWEL = ("는", "를")
_BEHIND_ANY = ("에", "에서", "에게", "에는", "에도", "에만", "에서는", "까지", "부터", "처럼", "마다", "한테")
# Words of one syllable that name nothing.
_EMPTY = frozenset(
    "한 두 세 네 안 못 더 잘 다 또 꼭 새 첫 각 온 이 그 저 지 수 것 데 중 등 채 씩 쯤 할 될 된 해 함".split()
)
_COUNTED = re.compile(r"(?:\d|(?<![가-힣])(?:한|두|세|네|몇|여러|다섯|여섯|일곱|여덟|아홉|열|스무|첫|매|각))\s*$")
_CONTEXT = 12  # characters before a word that say whether something is counted
_HANGUL = re.compile(r"[가-힣]+")


class Mark(NamedTuple):
    """One way to know a word again.

    Attributes:
        name: what it has in common with other forms of the word and with its compounds.
        length: how many syllables of it are marked, from the first one on.
        may_count: it is a unit where a number stands before it.
    """

    name: str
    length: int
    may_count: bool = False


def names_of(text: str) -> Iterator[str]:
    """By what the Korean words of a text are known again, those that only ask left out."""
    for run in _HANGUL.finditer(text):
        word = run.group()
        if not only_asks(word, without_endings(word), _verb(word)):
            is_unit = is_counted(text, run.start())
            yield from (mark.name for mark in marks(word) if not (mark.may_count and is_unit))


def is_counted(text: str, at: int) -> bool:
    """Whether a number stands before what begins there."""
    return _COUNTED.search(text[max(0, at - _CONTEXT) : at]) is not None


@lru_cache(20_000)
def marks(word: str) -> tuple[Mark, ...]:
    """All of them for a word of Hangul, the one to be preferred first."""
    if len(word) == 1:
        return () if word in _EMPTY else (Mark(word, 1, may_count=True),)
    verb = _verb(word)
    found = []
    is_one = word[1:] in _sure(word[0]) or (word[1:] == "이" and _has_final(word[0]))
    if is_one and word[0] not in _EMPTY:
        found.append(Mark(word[0], 1, may_count=True))
        if word[1:] in ("은", "을"):  # 먹은 is no noun, which its syllables do not tell
            found.append(Mark(f"{word[0]}다", 2))
    if verb:
        found.append(Mark(f"{verb}다", len(word)))
    shorter = len(word) - len(_surely_behind(word))
    nouns = [noun for noun in dict.fromkeys(with_fewer_endings(word)) if 1 < len(noun) <= shorter]
    found += [Mark(noun, len(noun)) for noun in nouns]
    if verb and len(verb) > 1:
        found += [Mark(part, len(word)) for part in (verb, *_parts(verb))]
    elif not verb:
        found += [Mark(part, len(noun)) for noun in reversed(nouns) for part in _parts(noun)]
    return tuple(found)


def _verb(word: str) -> str | None:
    head = word.removesuffix("는")
    # No particle stands like that behind a consonant: 먹는.
    return verb_stem(word) or (head if head not in ("", word) and _has_final(head[-1]) else None)


def _surely_behind(word: str) -> str:
    """The particle behind a word that no noun ends in; empty where there is none."""
    behind = (word[at:] for at in range(1, len(word)) if word[at:] in _sure(word[at - 1]))
    return next(behind, "")


def _sure(before: str) -> tuple[str, ...]:
    """The particles that stand behind a syllable and are hardly the end of a noun."""
    return (*(_BEHIND_CONSONANT if _has_final(before) else _BEHIND_VOWEL), *_BEHIND_ANY)


def _has_final(syllable: str) -> bool:
    return (ord(syllable) - 0xAC00) % 28 > 0


def _parts(noun: str) -> Iterator[str]:
    """What a compound may be made of: 휴가 of 연차휴가."""
    for at in range(1, len(noun)):
        begin, end = noun[:at], noun[at:]
        if at > 1 and (end in _SUFFIXES or (len(end) > 1 and (len(end) > 2 or end[1] not in "와만나"))):
            yield begin
        is_suffix = end[0] in _SUFFIXES and end[1:] in ("가", "이")
        if len(end) > 1 and not is_suffix and not is_ending(end) and (at > 1 or begin in _PREFIXES):
            yield end
