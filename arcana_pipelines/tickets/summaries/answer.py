"""What a model answered, as a summary or not at all: four fields, plain text of bounded length in the right language.

The model has read what strangers wrote, so nothing that it says is believed: no markup, no link and no address comes
through, and none of it is ever quoted in an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from arcana_pipelines.errors import SummaryUnusable
from arcana_pipelines.tickets.summaries.language import hangul_share, is_korean
from arcana_pipelines.tickets.summaries.masking import masked, visible

MOST_FIELD = 600
"""Characters of a field; what is longer is cut at a word."""

_MOST_ANSWERED = 20_000  # characters; what is longer is no summary, whatever it holds
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_][A-Za-z]{2,4})?")
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
_LINK = re.compile(r"!?\[([^\[\]]{0,600})\]\([^()\s]{0,2000}(?:\s[^()]{0,300})?\)")
_TAG = re.compile(r"<[/!?]?[a-zA-Z][^<>]{0,2000}>|<!--.{0,2000}?-->", re.DOTALL)
_ADDRESS = re.compile(
    r"(?:\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://|\bwww\.|\b(?:javascript|data|mailto):)[^\s<>\"')\]]{1,2000}"
)
# What makes a line of Markdown something else than text.
_LINE_SIGN = re.compile(r"^\s{0,3}(?:#{1,6}\s|>\s?|[-*+]\s|\d{1,3}[.)]\s|```|~~~|\|)", re.MULTILINE)
_SIGNS = re.compile(r"\*\*|__|~~|`+")
_MOST_ROUNDS = 5
_SHORT = 40  # characters
_ANGLES = str.maketrans({"<": "‹", ">": "›"})


@dataclass(frozen=True, slots=True)
class SummaryText:
    """What a ticket is about.

    Attributes:
        symptom: what the customer sees or asks for.
        cause: why it happens; None where the ticket does not say.
        resolution: what solved it; None where the ticket does not say.
        language: of these, in two letters.
    """

    symptom: str
    cause: str | None
    resolution: str | None
    language: str


class _Answered(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    symptom: str
    cause: str | None
    resolution: str | None
    language: str


def checked(answer: str | None, of_korean: bool | None) -> SummaryText:
    """The summary that a model answered. `of_korean`: whether it has to be Korean; None: it may be.

    Raises:
        SummaryUnusable: it is none: no JSON, a field too many or too few, empty, or in another language.
    """
    if not answer:
        raise SummaryUnusable("the answer is empty")
    if len(answer) > _MOST_ANSWERED:
        raise SummaryUnusable("the answer is far too long")
    fenced = _FENCE.fullmatch(answer)
    try:
        said = _Answered.model_validate_json(fenced[1] if fenced else answer)
    except ValidationError as error:
        raise SummaryUnusable(f"the answer is no summary: {_reasons(error)}") from None
    symptom = plain(said.symptom)
    if not symptom:
        raise SummaryUnusable("the answer has no symptom")
    summary = SummaryText(symptom, plain(said.cause) or None, plain(said.resolution) or None, _language(said.language))
    _require_language(summary, of_korean)
    return summary


def plain(text: str | None) -> str:
    """Text on one line without markup, links, addresses and signs that cannot be seen, at most `MOST_FIELD` long."""
    text = visible(text or "")
    for _ in range(_MOST_ROUNDS):  # what is taken out may bring together what stood on both sides of it
        before = text
        text = _LINK.sub(r"\1", text)
        text = _ADDRESS.sub("[link]", _TAG.sub(" ", text))
        text = _SIGNS.sub("", _LINE_SIGN.sub("", text))
        if text == before:
            break
    # Whatever was nested deeper is no markup any more.
    text = " ".join(masked(text).split()).translate(_ANGLES).replace("](", "] (")
    if len(text) <= MOST_FIELD:
        return text
    cut = text[: MOST_FIELD - 1]
    return f"{cut.rsplit(' ', 1)[0] if ' ' in cut[MOST_FIELD // 2 :] else cut}…"


def _language(said: str) -> str:
    match = _LANGUAGE.fullmatch(said.strip())
    if match is None:
        raise SummaryUnusable("the answer names no language")
    return match[1]


def _require_language(summary: SummaryText, of_korean: bool | None) -> None:
    texts = [text for text in (summary.symptom, summary.cause, summary.resolution) if text]
    says_korean = summary.language == "ko"
    # A short field may be the name of an error alone.
    has_english = any(len(text) > _SHORT and not hangul_share(text) for text in texts)
    if of_korean and not (says_korean and is_korean(" ".join(texts)) and not has_english):
        raise SummaryUnusable("the answer is not in Korean, as the ticket is")
    if of_korean is False and (says_korean or hangul_share(" ".join(texts)) > 0.5):
        raise SummaryUnusable("the answer is in Korean, and the ticket is not")
    if says_korean is not is_korean(" ".join(texts)):
        raise SummaryUnusable("the answer is not in the language that it names")


def _reasons(error: ValidationError) -> str:
    """Which of our fields is wrong and how, and nothing of what stands there."""
    wrong = set()
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        field = each["loc"][0] if each["loc"] else ""
        wrong.add(f"{field} {each['type']}" if field in _Answered.model_fields else each["type"])
    return ", ".join(sorted(wrong))
