"""The words by which a chunk is found, and how much each says: one tokeniser for documents and queries.

- Latin words, numbers and other scripts: as written (lower case, compatibility forms folded), and, for words of
  a-z, their English stem (marked `~`). Both count, so that an exact form beats another form of the same word.
  Accents make another form: `Köln` has the stem of `koln`. Pictures (emoji) are words.
- Identifiers such as `HR-200`, `R&D` or `v1.2`: whole besides their parts; `HR-200` and `e-mail` also as `HR200` and
  `email`.
- Names such as `getUserName`: whole, and the words that capitals make in them.
- Names that a sign makes, such as `C++`, `.NET`, `@alice`, `#4711` or `--flag`: whole besides their letters. Where the
  sign ends the name, those count little in a query: `C#` finds C# before C.
- Runs of Hangul, kana and ideographs: overlapping pairs of characters, and for a Hangul word also what is left
  without its particles and endings (marked `=`), which carries words of one syllable too, and the stem of a verb.

What the words of a chunk weigh is in `weights`; questions do without it, and without numpy.
"""

from __future__ import annotations

import itertools
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import Stemmer

from arcana_pipelines.lexical.korean import POLITE, only_asks, verb_stem, without_endings

K1 = 1.5
STEPS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)  # borders of a weight's step, as frequency / saturation point
LEVELS = len(STEPS) + 1
TERMS = 2**28  # a term is its hash: term * LEVELS + level is a PostgreSQL integer
ALSO = 0.5  # how much counts in a query how else a name may be written, the words inside of it, a Korean verb's stem,
LEAST = 0.3  # the letters of a name that a sign makes, Korean endings, words that join others,
SILENT = 0.05  # and what only asks

_LONGEST = 64
_CJK_RANGE = "぀-ヿ㐀-鿿豈-﫿가-힣ᄀ-ᇿ"
# A picture is a word of its own, a flag is made of two letters. Colours of skin say nothing.
PICTURE = (
    "[\U0001f1e6-\U0001f1ff]{2}|[\u231a-\u23ff\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
)
_RUN = re.compile(rf"[{_CJK_RANGE}]+|[^\W_{_CJK_RANGE}]+|{PICTURE}")
# In ASCII text the same runs, found several times as fast.
_ASCII_RUN = re.compile(r"[a-z0-9]+")
# Possessive: a word without a part behind it is given up at once, not letter by letter.
_IDENTIFIER = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]++(?:[-_./&][A-Za-z0-9]++)+")
# The sign belongs to the name that stands right beside it. `c++17` is `c++` as well. A name is not tried again from its
# parts on: they end where it ends.
_SIGNED = re.compile(
    r"(?<![a-z0-9])(?<![a-z0-9][-_./&])(?P<name>(?:[a-z0-9]++[-_./&])*+[a-z0-9]++)(?P<sign>\+{1,2}|\#)"
    r"(?P<edition>\d{1,4}+)?(?![\w+#&])"
    r"|(?<![\w.&#@-])(?:\.[a-z]|[@#][a-z0-9]|--[a-z])[a-z0-9]*+(?:[-_.][a-z0-9]++)*+",
    re.ASCII,
)
_SIGNS = re.compile(r"[-+#@.]")
# Invisible: soft hyphens, joiners, marks of direction, selectors of an emoji's look (Unicode, general category Cf,
# and default ignorable code points). ♯ is what `C♯` is sometimes written with.
UNSEEN = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ff"
)
_UNSEEN = re.compile(f"[{UNSEEN}]+")
# Characters that stand for four and more, as ﷺ does for 18. Of many in a row, which no real text has, some count.
_WIDENING = re.compile(
    "([\u2057\u2152\u2167\u2177\u247d-\u2487\u2a0c\u321d\u321e\u3300-\u33ff\ufdf2-\ufdf8\ufdfa-\ufdfc]{8})"
    "[\u2057\u2152\u2167\u2177\u247d-\u2487\u2a0c\u321d\u321e\u3300-\u33ff\ufdf2-\ufdf8\ufdfa-\ufdfc]+"
)
# The words that capitals make inside a name: `get`, `User`, `Name` of `getUserName`; `HTTP`, `Error` of `HTTPError`.
# No name: `APIs`.
_CAPITALS = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}(?!s(?![A-Za-z0-9]))[a-z]")
_NAME = re.compile(r"[A-Za-z0-9]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Codes, and words such as e-mail: what is written with a hyphen or without, as one likes.
HYPHENATED = r"[a-z]{1,6}-[0-9]+|[a-z]-[a-z]{3,}"
_HYPHENATED = re.compile(HYPHENATED)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
_CJK_RUN = re.compile(rf"[{_CJK_RANGE}]+")
_HANGUL = re.compile(r"[가-힣]+")
_ENGLISH = re.compile(r"[a-z]+")

_JOINING = frozenset(
    "a an and are as at be been but by for from had has have he her his if in into is it its my no nor not of on or "
    "our she so such than that the their them then there these they this those to too was we were will with your am "
    "any".split()
)
_ASKING = frozenset(
    "how many much often what when where which who whom whose why can do does did i you me myself mine ours please "
    "about tell anyone anybody somebody someone must might shall d ll m re ve don doesn didn isn aren wasn won couldn "
    "shouldn wouldn could would should t s".split()
)
# Of "how long is the trial period" no answer says `long`.
_HOW = re.compile(r"\b(how)\s+(?:long|far|old|big|large|tall|soon|late|early)\b", re.IGNORECASE)
_stemmer = Stemmer.Stemmer("english", 0)


class Token(NamedTuple):
    """One term at one place of a text.

    Attributes:
        term: a written form, a pair of syllables or ideographs, or, behind a mark, a stem (`~` English, `=` Korean).
        weight: how much it counts in a query, of its own accord 1; less: `ALSO`, `LEAST` and `SILENT`.
        parts: the indexed terms that it refines: such a term (a written form beside its stem, a whole Korean word
            beside its pairs) is scored but neither indexed nor counted. Empty: it is indexed itself.
    """

    term: str
    weight: float = 1.0
    parts: tuple[str, ...] = ()


def tokens(text: str) -> Iterator[Token]:
    """The terms of a text with repetitions."""
    # As chunks are read, word by word: what the punctuation around a word hides is a term of neither.
    runs, others = _runs(" ".join(map(_bare, text.split())))
    parts = {part for run in runs if not run.isalnum() for part in _ASCII_RUN.findall(run) if _has_sign(run)}
    for run in runs:
        for token in _known_tokens(run):
            yield token._replace(weight=min(token.weight, LEAST)) if run in parts else token
    for run in others:
        for token in _known_tokens(run):
            yield token._replace(weight=min(token.weight, ALSO))


def _plain(text: str) -> str:
    """`text` in compatibility form, without what cannot be seen."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", _WIDENING.sub(r"\1", text)).replace("♯", "#")
    if _UNSEEN.search(text) is not None:
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    return text


def _runs(text: str) -> tuple[list[str], list[str]]:
    """What a text is made of, in lower case; and how its names may be written, too."""
    plain = _plain(text)
    text = plain.lower()
    identifiers = _IDENTIFIER.findall(text)
    others = [each.replace("-", "") for each in identifiers if _HYPHENATED.fullmatch(each)] if identifiers else []
    if text != plain:
        others += _capitalized(plain)
    if text.isascii():
        return [*_ASCII_RUN.findall(text), *identifiers, *_signed(text)], others
    text = text.replace("i\u0307", "i")  # what `İ` is in lower case
    return [*_RUN.findall(text), *identifiers, *_signed(text)], others


def _capitalized(text: str) -> list[str]:
    """The words, in lower case, of names that capitals hold together."""
    if _CAPITALS.search(text) is None:
        return []
    names = [_PART.findall(name) for name in _NAME.findall(text) if _CAPITALS.search(name) is not None]
    return [part.lower() for parts in names if _are_words(parts) for part in parts if len(part) > 1]


def _are_words(parts: Sequence[str]) -> bool:
    """False for keys and addresses, which have capitals by chance, and for brands.

    Of two words, the second in capitals, brands are made (`FastAPI`, `MySQL`): nobody looks for such by half, and texts
    about them would all be about APIs.
    """
    return sum(map(len, parts)) >= 2 * len(parts) and not (len(parts) == 2 and parts[1].isupper())


def _signed(text: str) -> list[str]:
    """The names in a folded text that a sign makes."""
    if _SIGNS.search(text) is None:
        return []
    runs: list[str] = []
    for match in _SIGNED.finditer(text):
        whole = match.group()
        if match["edition"]:
            runs.append(match["name"] + match["sign"])
        runs.append(whole)
    return runs


def _tokens(run: str) -> tuple[Token, ...]:
    return _cjk(run) if _CJK_RUN.match(run) else _word(run[:_LONGEST])


def _known_tokens(run: str) -> tuple[Token, ...]:
    return _tokens_before(run) if len(run) <= _LONGEST_CACHED else _tokens(run)


class Word(NamedTuple):
    """What stands between two spaces of a text.

    Attributes:
        terms: the numbers of its terms.
        is_indexed: which of them are indexed.
        words: those that a typing error may be near to (see `is_word`).
    """

    terms: tuple[int, ...]
    is_indexed: tuple[bool, ...]
    words: tuple[str, ...]


def _read(word: str) -> Word:
    if _HANGUL.fullmatch(word) is not None:
        return _read_run(word)  # there is nothing to fold in it, and no sign
    runs = [run for some in _runs(word) for run in some]
    words = [_read_run_before(run) if len(run) <= _LONGEST_CACHED else _read_run(run) for run in runs]
    if len(words) == 1:
        return words[0]
    return (
        Word(*(tuple(itertools.chain.from_iterable(column)) for column in zip(*words, strict=True)))
        if words
        else _NOTHING
    )


def _read_run(run: str) -> Word:
    if _CJK_RUN.match(run):  # as `_cjk` says, and sooner
        pairs, stems = _pairs(run), []
        if _HANGUL.fullmatch(run) is not None:
            stems = [without_endings(run)]
            if (verb := verb_stem(run)) is not None and verb != stems[0]:
                pairs += [pair for pair in _pairs(verb)[: len(verb) - 1] if pair not in pairs]
                stems.append(verb)
        terms = (*map(_pair_id, pairs), *[term_id("=" + stem[:_LONGEST]) for stem in stems])
        return Word(terms, (True,) * len(pairs) + tuple([len(stem) == 1 for stem in stems]), ())
    run_tokens = _tokens(run)
    return Word(
        tuple([term_id(token.term) for token in run_tokens]),
        tuple([not token.parts for token in run_tokens]),
        (run,) if is_word(run) else (),
    )


def _has_sign(run: str) -> bool:
    return run[-1] in "+#" or "+" in run or "#" in run[1:]


# Words come again and again; addresses and sentences of a script without spaces do not. So many of them are found
# nearly as often as without a limit, and weigh about 5 MB.
_LONGEST_CACHED = 24
_PUNCTUATION = string.punctuation + "“”‘’…·—–。、「」"
_BEFORE = "".join(set(_PUNCTUATION) - set(".@#-"))  # a sign may begin a name
_BEHIND = "".join(set(_PUNCTUATION) - set("+#"))  # or end it
_NOTHING = Word((), (), ())
_read_before = lru_cache(20_000)(_read)
_tokens_before = lru_cache(2_000)(_tokens)  # questions have many words in common
# In a long word the same runs come again and again.
_read_run_before = lru_cache(5_000)(_read_run)


def _bare(word: str) -> str:
    """A word as it stands in a text, without the punctuation around it."""
    return word.lstrip(_BEFORE).rstrip(_BEHIND)


def read_word(word: str) -> Word:
    """What stands between two spaces of a text, read."""
    bare = _bare(word)
    return _read_before(bare) if len(bare) <= _LONGEST_CACHED else _read(bare)


# Most words of a text are found as they stand in it, without a look at the signs around them.
_read_word_before = lru_cache(20_000)(read_word)


def read_words(words: Iterable[str]) -> list[Word]:
    """The same of many."""
    return [_read_word_before(word) if len(word) <= _LONGEST_CACHED else read_word(word) for word in words]


def numbers(word: str) -> tuple[int, ...]:
    """The numbers of the terms of a word as it stands in a text."""
    return _numbers_before(word) if len(word) <= _LONGEST_CACHED else _numbers(word)


def _numbers(word: str) -> tuple[int, ...]:
    return read_word(word).terms


# A search reads each word of its hits several times.
_numbers_before = lru_cache(20_000)(_numbers)


def _word(word: str) -> tuple[Token, ...]:
    weight = SILENT if word in _ASKING else LEAST if word in _JOINING else 1.0
    plain = word if word.isascii() else _without_accents(word)
    if _ENGLISH.fullmatch(plain) is not None:
        plain = "~" + stem_of_english(plain)
    elif plain == word:
        return (Token(word, weight),)
    return Token(plain, weight), Token(word, weight, (plain,))


def stem_of_english(word: str) -> str:
    """What the forms of an English word (a-z) have in common."""
    return str(_stemmer.stemWord(word))


def _without_accents(word: str) -> str:
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS))))


def _cjk(run: str) -> tuple[Token, ...]:
    pairs = _pairs(run)
    if _HANGUL.fullmatch(run) is None:
        return tuple(map(Token, pairs))
    stem = without_endings(run)
    verb = verb_stem(run)
    weight = SILENT if only_asks(run, stem, verb) else 1.0
    inside = max(len(stem) - 1, 1)  # pairs from there on hold a part of the ending
    terms = [
        Token(pair, SILENT if index and pair in POLITE else weight if index < inside else min(weight, LEAST))
        for index, pair in enumerate(pairs)
    ]
    terms.append(Token("=" + stem[:_LONGEST], weight, tuple(pairs[: len(stem) - 1])))
    if verb is not None and verb != stem:
        # Beside the stem that particles leave: what looks like a verb may be none. Where stem and ending are one
        # syllable (버렸), the pairs of the stem are not among those of the word.
        of_verb = _pairs(verb)[: len(verb) - 1]
        terms += [Token(pair, min(weight, ALSO)) for pair in of_verb if pair not in pairs]
        terms.append(Token("=" + verb[:_LONGEST], min(weight, ALSO), tuple(of_verb)))
    return tuple(terms)


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in itertools.pairwise(run)] or [run]


def has_cjk(text: str) -> bool:
    """True when the text has Hangul, kana or ideographs."""
    return _CJK_RUN.search(text) is not None


def with_pairs(text: str) -> str:
    """The text for an index that knows words as letters between others: runs of Hangul, kana and ideographs stand by
    themselves, each longer one with its pairs behind it, so that 휴가 is found in 연차휴가를."""
    return text if text.isascii() else _CJK_RUN.sub(lambda found: _beside_pairs(found[0]), text)


@lru_cache(20_000)
def _beside_pairs(run: str) -> str:
    return f" {run} {' '.join(_pairs(run))} " if len(run) > 2 else f" {run} "


def count_cjk(text: str) -> int:
    """How many characters of the text are Hangul, kana or ideographs."""
    return 0 if text.isascii() else sum(map(len, _CJK_RUN.findall(text)))


def term_id(term: str) -> int:
    """The number of a term, 0 <= number < `TERMS`. Two of a million terms rarely share one."""
    return crc32(term.encode()) % TERMS


_pair_id = lru_cache(20_000)(term_id)


def keys_of_term(term: int) -> range:
    """The keys of an indexed term: one for each step of its weight, the least first."""
    return range(term * LEVELS, (term + 1) * LEVELS)


def words_of(text: str) -> set[str]:
    """The words of a text that a typing error may be near to (see `is_word`)."""
    return set(filter(is_word, _runs(text)[0]))


def runs_of(text: str) -> list[str]:
    """The words and numbers of a text as they are written, in lower case, in their order, each once."""
    return list(dict.fromkeys(run for run in _runs(text)[0] if run.isalnum()))


def without_measure(question: str) -> str:
    """A question without the word behind `how` that says which measure is asked for."""
    return _HOW.sub(r"\1", question)


def is_asking(run: str) -> bool:
    """Whether a word only asks, or joins others."""
    return max(token.weight for token in _known_tokens(run)) <= LEAST


def is_word(run: str) -> bool:
    """True for letters only, 4 to 30 of them, of a script that puts spaces between words."""
    return 4 <= len(run) <= 30 and run.isalpha() and not has_cjk(run)


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """A term of a query.

    Attributes:
        weight: see `Token`.
        parts: the numbers of the indexed terms that tell how rare it is: its own, or those of its parts.
    """

    weight: float
    parts: tuple[int, ...]


def query_terms(text: str, others: Sequence[tuple[str, float]] = ()) -> dict[int, QueryTerm]:
    """The terms of a query by their number, in order, and behind them those of other texts, which count this much."""
    terms: dict[int, QueryTerm] = {}
    for part, share in ((text, 1.0), *others):
        for token in tokens(part):
            term, weight = term_id(token.term), share * token.weight
            if term not in terms or terms[term].weight < weight:
                terms[term] = QueryTerm(weight, tuple(map(term_id, token.parts)) or (term,))
    if terms and (most := max(term.weight for term in terms.values())) <= LEAST:
        # A question of such words alone is about them.
        return {number: QueryTerm(term.weight / most, term.parts) for number, term in terms.items()}
    return terms
