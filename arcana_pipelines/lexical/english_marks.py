"""Which English words are the same one to a reader.

Search joins words by their stem, and better finds too much. A reader who asks for the `lining` of a brake and sees
`Line` marked wonders what was found: what is marked here are forms of a word and what is made of it (`deploying` and
`deployment` of `deploy`), but not another word that happens to have its stem.
"""

from __future__ import annotations

from collections.abc import Iterator

# Words with the stem of another one and another meaning: things in -ing, what suffixes leave alike, adverbs, and nouns
# that are plurals alone.
_APART = frozenset(
    "according accounting backing bearing bedding boring boxing building casing ceiling clothing coating coupling "
    "dressing fitting heading hearing interesting landing lasting lining marketing promising railing rating "
    "seasoning siding staging stocking wedding willing "
    "accountable activity allowance animal apart appointment author busy careful consist conversation "
    "conversion critical customer depart designate digit direction edition elevator emergency engine executive "
    "expensive experiment express extensive formation hospitality import informal initiative installment integrity "
    "objection objective officer personal personality productive productivity publication ration relative "
    "respective response several terminal transit utility wellness witness "
    "barely hardly highly largely lately likely mostly nearly shortly "
    "customs glasses goods premises shorts".split()
)
_ENDINGS = (
    ("ies", "y"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", ""), ("d", ""), ("ing", ""), ("ing", "e"), ("ly", ""),
)  # fmt: skip


def apart(word: str) -> str | None:
    """The word of another meaning than its stem tells that a word (a-z) is a form of; None for most words."""
    return next((form for form in _forms(word) if form in _APART), None)


def _forms(word: str) -> Iterator[str]:
    yield word
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            yield word[: -len(ending)] + instead
