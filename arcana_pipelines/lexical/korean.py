"""What stands behind a Korean word's stem without a blank, and words that only ask.

A noun's particles stand behind it as they are. A verb melts into its endings: `버리` and `었` are `버렸`. There is no
dictionary here. A syllable that may as well be the last one of a noun (`창고`, `휴가`) is a verb's ending only where
what stands before it is surely a verb: behind a final consonant that nouns hardly have, or one of the commonest verbs.
"""

from __future__ import annotations

import re

_ENDINGS = frozenset(
    "은 는 이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 으로 로 으로서 로서 으로써 로써 와 과 도 만 까지 부터 "
    "처럼 보다 마다 조차 밖에 이나 나 이랑 랑 이라는 라는 이란 란 이라고 라고 이며 며 이고 에는 에도 에만 에서는 "
    "에서도 에서의 에의 으로는 로는 으로도 로도 으로의 로의 와의 과의 까지의 부터의 까지는 들 들은 들이 들을 들의 "
    "들에 들과 들도 이다 입니다 이었다 였다 인 일 인가요 이에요 예요 이므로 하다 합니다 하는 하기 하고 하여 해서 해 "
    "했다 했습니다 한 할 함 하면 하려면 하게 하지 하며 하세요 한다 하도록 되다 됩니다 되는 되기 되고 되어 되면 된 될 "
    "됨 된다 습니다 었습니다 았습니다 는데 지만".split()
)
_LONGEST = max(map(len, _ENDINGS))


def without_endings(word: str) -> str:
    """A Korean word without its last two particles or endings; at least one syllable stays."""
    return _without_ending(_without_ending(word))


def with_fewer_endings(word: str) -> tuple[str, ...]:
    """The word itself, without its last ending, and without its last two: `가` of 휴가는 may be of the noun."""
    once = _without_ending(word)
    return word, once, _without_ending(once)


def is_ending(word: str) -> bool:
    """Whether it is a particle or an ending, and no word."""
    return word in _ENDINGS


def _without_ending(word: str) -> str:
    if word not in _ENDINGS:
        for begin in range(max(1, len(word) - _LONGEST), len(word)):
            if word[begin:] in _ENDINGS:
                return word[:begin]
    return word


# In `쏘ㄷ아ㅆ다` each final consonant stands behind its syllable, for an ending may begin in the middle of one.
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_FIRST, _SYLLABLES = 0xAC00, 11_172


class _Opened(dict[int, str]):
    """Of each character what it is with its final consonant apart (`str.translate`); made when one is met first."""

    def __missing__(self, point: int) -> str:
        at = point - _FIRST
        has_final = 0 <= at < _SYLLABLES and at % 28 > 0
        self[point] = opened = chr(point - at % 28) + _FINALS[at % 28 - 1] if has_final else chr(point)
        return opened


_OPENED = _Opened()
_CLOSABLE = re.compile(rf"([가-힣])([{_FINALS}])")
_OF_VERBS = frozenset("ㄲㄵㄶㄷㄺㄻㄼㄾㄿㅀㅄㅅㅆㅈㅊㅌㅍㅎ")  # finals of verbs, hardly of nouns
_VOWELS = {6: 20, 9: 8, 14: 13, 10: 11}  # ㅕ ㅘ ㅝ ㅙ are ㅣ ㅗ ㅜ ㅚ melted with 어 or 아
_MELTED = frozenset(chr(_FIRST + first * 588 + vowel * 28) for first in range(19) for vowel in _VOWELS) | {"해"}


def _opened(words: str) -> tuple[str, ...]:
    return tuple(word.translate(_OPENED) for word in words.split())


# No noun ends in these,
_LONG = frozenset(
    _opened(
        "면서 려면 려고 려는 려는데 으려면 으려고 으러 는데 는데요 는지 는지요 는가 는가요 는다 는다면 "
        "는다고 나요 네요 지만 지요 거나 거든요 도록 니까 으니 으니까 으면 으면서 으며 습니다 습니까 십시오 "
        "으십시오 세요 으세요 으신 으실 시면 시나요 시는 은데 은데요 은지 은가 은가요 을까 을까요 을지 을게 "
        "을게요 을래 을래요 을수록 다면 다고 더니 던데 던가요 아서 어서 여서 아도 어도 아야 어야 아요 어요 "
        "자마자 고서 고요 냐고 라면 ㄹ려면 ㄹ려고 ㄹ려는데 ㄴ데 ㄴ데요 ㄴ지 ㄴ가요 ㄴ다면 ㄴ다고 ㄹ까 ㄹ까요 "
        "ㄹ지 ㄹ게 ㄹ게요 ㄹ래 ㄹ래요 ㄹ수록 ㅂ니다 ㅂ니까 ㅂ시다"
    )
)
# and nouns do end in these.
_SHORT = frozenset(_opened("고 지 기 게 자 면 니 네 던 다 냐 나 며 죠 는 은 을 음 아 어 러 ㄴ ㄹ ㅁ"))
_BEHIND_MELTED = frozenset(_opened("서 서는 야 야만 도 요 라"))
_ENDINGS_OF_VERBS = {"", *_LONG, *_SHORT, *_BEHIND_MELTED}  # "": behind a tense there need be none
_LAST = {ending[-1] for ending in _ENDINGS_OF_VERBS if ending} | {"ㅆ"}
_MOST = max(map(len, _ENDINGS_OF_VERBS))
_OF_NOUNS = ("를", "에는", "에서는", "으로는")  # which end like verbs and are none
_COMMON_VERBS = _opened(
    "하 되 시키 주 드리 버리 보내 나오 들어오 들어가 나가 내리 올리 걸리 누르 바꾸 바뀌 끝나 지나 다니 "
    "모이 고치 마치 마시 기다리 빌리 돌리 늘리 알리 살리 남기 넘기 옮기 맡기 생기 만들 만드 쓰 열 팔 알 "
    "모르 고르 부르 나누 배우 세우 지우 치우 키우 채우 비우 거치 미루 오르 걷 듣 싣 걸 머무르 서두르 움직이 "
    "보이 붙이 줄이 높이 찾아보 살펴보 떠나 만나 일어나 사라지 아지 어지 려지 해지 여지 려우 러우 까우 거우 "
    "쉬우 도우 나우 어렵 쉽 맵 돕 가깝 무겁 가볍"
)
_LIGHT = ("해드리", "시키", "당하", "하시", "되시", "해주", "하", "되")  # they make verbs of nouns
_IRREGULAR = {
    "듣": "들", "걷": "걸", "싣": "실", "닫": "달", "써": "쓰", "꺼": "끄", "커": "크", "해": "하", "드": "들"
}  # fmt: skip
_OF_B = frozenset("렵 럽 깝 겁 볍 쉽 맵 돕 눕 둡 춥 덥 맙 롭 답 줍".split())  # ㅂ that becomes 우


def verb_stem(word: str) -> str | None:
    """One stem for all forms of a verb of Hangul (it need not be that of the dictionary); None: it is surely none."""
    if _OPENED[ord(word[-1])][-1] not in _LAST or word.endswith(_OF_NOUNS):
        return None
    opened = word.translate(_OPENED)
    for begin in range(max(1, len(opened) - _MOST), len(opened) + 1):
        ending = opened[begin:]
        if ending in _ENDINGS_OF_VERBS and (stem := _before(opened[:begin], ending)) is not None:
            return _as_noun(_one_form(_CLOSABLE.sub(_close, stem)))
    return None


def _before(head: str, ending: str) -> str | None:
    """What stands before an ending, and before the tense in front of it."""
    if head[-1] == "ㅆ" and ending not in _BEHIND_MELTED:
        head = head[:-2] if head[-2:-1] in "아어여" else head[:-1]
        return head if head and head[-1] != "이" else None
    if ending in _LONG:
        return head
    if ending in _SHORT:
        return head if (head[-1] in _OF_VERBS and len(head) > 1) or head.endswith(_COMMON_VERBS) else None
    return head if ending and head[-1] in _MELTED and len(head) > 1 else None


def _close(found: re.Match[str]) -> str:
    return chr(ord(found[1]) + _FINALS.index(found[2]) + 1)


def _one_form(stem: str) -> str:
    """One form of a stem that melts with vowels: 버려 and 버리, 불러 and 부르, 도와 and 돕."""
    head, last = stem[:-1], stem[-1]
    if head and last in "러라" and (ord(head[-1]) - _FIRST) % 28 == 8:
        return head[:-1] + chr(ord(head[-1]) - 8) + "르"
    if last in _IRREGULAR and (last != "드" or head.endswith("만")):
        return head + _IRREGULAR[last]
    if last in _OF_B:
        return head + chr(ord(last) - 17) + "우"
    if last == "와" and head.endswith("도"):
        return head + "우"
    at = ord(last) - _FIRST
    if at % 28 == 0 and (vowel := at // 28 % 21) in _VOWELS:
        return head + chr(ord(last) + 28 * (_VOWELS[vowel] - vowel))
    return stem


def _as_noun(stem: str) -> str:
    """갱신 of 갱신하, as it stands before particles."""
    if stem.endswith(_LIGHT):
        noun = next(stem.removesuffix(each) for each in _LIGHT if stem.endswith(each))
        return noun if len(noun) > 1 else stem
    return stem


# What says how something is asked, politely, and not what for: as it is written, or what is left without endings.
_ASKING = frozenset(
    "뭐 뭔 뭘 뭐가 뭐로 뭐를 뭔가요 뭐예요 뭐임 무엇 무엇이 무엇을 무엇인가요 무슨 어떤 어떤가요 어떻게 "
    "어떻게요 어떡해 어떻해 어떻개 어때 왜 언제 어디 어디서 어디다 어디로 어디에 누가 누구 얼마 얼마나 몇 "
    "어느 혹시 좀 알려 알려줘 알려주 줘 주 주세요 인가요 일까요 입니까 나요 까요 있나요 없나요 하나요 되나요 "
    "안되나 되나 하려면 해야 해 돼 돼요 되죠 하죠 할까요 될까요 있을까요 있어요 있나 있어 있는지 하는지 "
    "되는지 수 것 거 게 걸 건 때 대해 대한 대해서 관해 관해서 위해 위한 경우 부탁 부탁드려요 부탁드립니다 "
    "궁금 궁금해요 궁금합니다 여쭤 가능 가능한가요 가능할까요 싶 싶은데 싶어요 싶습니다 저 제 제가 저는 저희 "
    "나 내 내가 나는 우리 이 그 이거 그거 이게 이걸 그걸 및 또는 그리고 하지만 그런데 근데 만약".split()
)

# Pairs of syllables that endings of questions and of politeness are made of.
POLITE = frozenset(
    "나요 까요 가요 네요 세요 어요 아요 해요 예요 에요 워요 데요 지요 든요 려요 대요 돼요 되나 하나 습니 "
    "니다 니까 주세 십시 시오 려면 는데 은데 한데".split()
)


# Verbs that say nothing by themselves, by their stems (see `verb_stem`).
_EMPTY_VERBS = frozenset("하 되 있 없 않 주 싶 알려주 가르쳐주 말해주".split())


def only_asks(word: str, stem: str, verb: str | None) -> bool:
    """True for a word that says how something is asked and not what for.

    `stem` is `without_endings` of it, `verb` its `verb_stem`.
    """
    # 있 (there is) looks like a past tense, and no noun begins with it.
    return word in _ENDINGS or word in _ASKING or stem in _ASKING or verb in _EMPTY_VERBS or word[0] == "있"
