"""How a document and a passage of it are named: `handbook/0f0e…9c1d#3` is the third passage of a document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval.limits import told
from arcana_pipelines.workspaces.workspaces import SLUG

_EXAMPLE = "handbook/0190f3a2-7c1e-7cc4-9f0a-3d2b1a4c5e6f"
HOW = (
    f"An id is as `search` and `list_documents` give it: `{_EXAMPLE}` for a document, and the same with `#3` behind "
    "it for its third passage."
)
_ID = re.compile(rf"(?P<workspace>{SLUG.pattern})/(?P<document>[0-9a-fA-F-]{{32,36}})(?:#(?P<passage>[0-9]{{1,7}}))?")


@dataclass(frozen=True, slots=True)
class Named:
    """A document, or a passage of it.

    Attributes:
        workspace: its slug.
        document_id: a UUID; it stays through all versions of the document.
        passage: the passage's number in the version that is served, from 1; None: the document.
    """

    workspace: str
    document_id: str
    passage: int | None = None

    def __str__(self) -> str:
        place = "" if self.passage is None else f"#{self.passage}"
        return f"{self.workspace}/{self.document_id}{place}"

    @property
    def uri(self) -> str:
        """The address of the resource."""
        place = "" if self.passage is None else f"/{self.passage}"
        return f"arcana://{self.workspace}/documents/{self.document_id}{place}"


def is_id(text: str) -> bool:
    """True for what looks like an id; no title and no address does."""
    return _ID.fullmatch(text.strip()) is not None


def read_id(text: str) -> Named:
    """What an id names.

    Raises:
        WrongUse: it is none; the message says what one looks like.
    """
    match = _ID.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        passage = match["passage"]
        return Named(match["workspace"], str(UUID(match["document"])), int(passage) if passage else None)
    except ValueError:
        raise WrongUse(f"{told(text)} is no id. {HOW}") from None
