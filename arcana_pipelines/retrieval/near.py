"""Names and titles that are near to what a person wrote, for sentences that say what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable

from arcana_pipelines.markdown.characters import nfc

_MOST = 3


def nearest(text: str, among: Iterable[str]) -> list[str]:
    """Those that are most like the text, the best first; none that are not like it."""
    from rapidfuzz import fuzz, process

    matches = process.extract(text, list(among), scorer=fuzz.WRatio, processor=folded, limit=_MOST, score_cutoff=60)
    return [choice for choice, _, _ in matches]


def listed(texts: Iterable[str]) -> str:
    """Each in quotation marks."""
    return ", ".join(f"'{text}'" for text in texts)


def folded(text: str) -> str:
    """The text without regard to case, blanks and composition."""
    return " ".join(nfc(text).casefold().split())
