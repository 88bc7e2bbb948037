"""What is kept of a question: its text without what names a person, or a keyed hash alone, or nothing."""

from __future__ import annotations

import hashlib
import hmac
import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.settings import Settings

# What is longer is cut: golden questions have no more either.
LONGEST = 500
# What stands in the place of something that was left out.
ADDRESS, NUMBER = "<address>", "<number>"
MASKS = (ADDRESS, NUMBER)
_FOR = b"arcana: a question, 1\0"
_IN_ADDRESS = r"[^\s@\uff20<>()\[\],;:\"']"
# From the beginning of a word on: another beginning would be looked for at each of its letters.
_ADDRESS = re.compile(rf"(?<!{_IN_ADDRESS}){_IN_ADDRESS}+(?:[@\uff20]{_IN_ADDRESS}+)+")
# Six digits in a row, or nine with signs between them: telephones, cards, accounts. A date has eight.
_NUMBER = re.compile(r"\+?\d(?:[ .\-/()\u2010-\u2015]{0,2}\d){8,}|\d{6,}")
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]+"
)


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    """What is kept of one.

    Attributes:
        query_hash: by which those that ask the same are one; None: nothing is kept.
        question: the text; None: texts are not kept.
    """

    query_hash: bytes | None
    question: str | None


def masked(text: str) -> str:
    """A text on one line, without addresses of e-mail and long numbers."""
    line = " ".join(_UNSEEN.sub(" ", unicodedata.normalize("NFC", text)).split())
    return _NUMBER.sub(NUMBER, _ADDRESS.sub(ADDRESS, line))


def kept(text: str, company_id: UUID, settings: Settings) -> KeptQuestion:
    """What `KEEP_QUESTIONS` keeps of a question of a company.

    The hash is of the masked text without case, keyed with `SECRET_KEY`, and another one for each company: a copy of
    the database does not tell whether a question was asked, nor whether two companies asked the same.

    Raises:
        InvalidSetting: SECRET_KEY is not set.
    """
    if settings.keep_questions == "off":
        return KeptQuestion(None, None)
    key = settings.require("SECRET_KEY").get_secret_value().encode()
    line = masked(text)
    # As in `keys.spelling`.
    query_hash = hmac.new(key, _FOR + company_id.bytes + line.casefold().encode(), hashlib.sha256).digest()
    return KeptQuestion(query_hash, line[:LONGEST] if settings.keep_questions == "text" else None)
