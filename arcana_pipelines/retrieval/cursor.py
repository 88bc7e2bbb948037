"""Where a search goes on: what of its answer has been shown, in a text that the next request gives back.

It names the chunks that were shown, not how many: then nothing is shown twice and nothing is left out, also where a
provider's vectors differ a little from one call to the next, or the embedding provider fails in between. It holds for
one question, one build and what that build serves since one publish. Nothing in it is secret: who changes it changes
what is left out of their own answer.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from arcana_pipelines.errors import CursorRefused
from arcana_pipelines.retrieval.filters import Filters, Limits
from arcana_pipelines.retrieval.search_request import SearchRequest

DEEPEST = 200  # hits of one question, all answers to it together

_FORM = 1
_HEAD = struct.Struct(">B8sIqH")
_CHECK = 6
_TEXT = re.compile(r"[A-Za-z0-9_-]+")
# They change how much is given of the same answer.
_NOT_THE_QUESTION = ("k", "neighbours", "after", "facets")
_GREATEST = 2**63 - 1  # a bigint
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGAIN = "Search again without it."


@dataclass(frozen=True, slots=True)
class Cursor:
    """What has been shown of an answer.

    Attributes:
        question: see `question_hash`.
        build: the `rag_index_build_id` that answered.
        published: when the index last changed what it serves, in microseconds; 0 of the past, which does not change.
        shown: the chunks of the hits, ascending.
        named: the chunks that repeat their texts, ascending.
    """

    question: bytes
    build: int
    published: int
    shown: tuple[int, ...] = ()
    named: tuple[int, ...] = ()

    @classmethod
    def read(cls, text: str, question: bytes) -> Cursor:
        """The cursor of a text that was given for this question.

        Raises:
            CursorRefused: it is no cursor, or one of another question.
        """
        if _TEXT.fullmatch(text) is None:
            raise CursorRefused(f"This is no cursor of a search. {_AGAIN}")
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) % 4 != 1 else b""
        payload, check = packed[:-_CHECK], packed[-_CHECK:]
        if len(payload) < _HEAD.size or check != _check(payload):
            raise CursorRefused(f"This is no cursor of a search, or it is not whole. {_AGAIN}")
        form, asked, build, published, hits = _HEAD.unpack_from(payload)
        chunks = _unpacked(payload[_HEAD.size :], hits)
        # Of so many as may be shown there is no cursor: nothing would be left to ask for.
        if form != _FORM or hits > len(chunks) or hits >= DEEPEST:
            raise CursorRefused(f"This is no cursor of this release. {_AGAIN}")
        if asked != question:
            raise CursorRefused(
                "This cursor belongs to another question: it holds for the same query, filters, index and workspace "
                f"alone. {_AGAIN}"
            )
        return cls(asked, build, published, tuple(chunks[:hits]), tuple(chunks[hits:]))

    @property
    def text(self) -> str:
        """What the next request gives back."""
        head = _HEAD.pack(_FORM, self.question, self.build, self.published, len(self.shown))
        payload = head + b"".join([*_packed(self.shown), *_packed(self.named)])
        return base64.urlsafe_b64encode(payload + _check(payload)).rstrip(b"=").decode()

    def check(self, build: int, published: datetime | None) -> None:
        """Refuse to go on where the index has changed meanwhile.

        Raises:
            CursorRefused: it has.
        """
        if (self.build, self.published) != (build, microseconds(published)):
            raise CursorRefused(f"The index has changed since this cursor was given. {_AGAIN}")

    def further(self, shown: Iterable[int], named: Iterable[int]) -> Cursor:
        """The same with more that has been shown."""
        return replace(
            self,
            shown=tuple(sorted({*self.shown, *shown})),
            named=tuple(sorted({*self.named, *named})),
        )


def question_hash(request: SearchRequest, workspace_id: UUID, limits: Limits = ()) -> bytes:
    """Eight bytes that differ where requests may have different answers; `limits` are of who asks."""
    # Filters without a condition are none.
    request = replace(request, filters=request.filters or None)
    fields = {name: value for name, value in dataclasses.asdict(request).items() if name not in _NOT_THE_QUESTION}
    # Cursors of a release without these fields are good.
    if not request.earlier:
        del fields["earlier"]
    if request.target is None:
        del fields["target"]
    fields["filters"] = _said(request.filters) if request.filters else None
    limited = [list(map(_said, limits))] if limits else []
    facts = json.dumps([str(workspace_id), fields, *limited], sort_keys=True, default=str)
    return hashlib.sha256(facts.encode()).digest()[:8]


def _said(filters: Filters) -> dict[str, Any]:
    fields = dataclasses.asdict(filters)
    for later in ("internal", "topic"):
        if fields[later] is None:
            del fields[later]
    return fields


def microseconds(time: datetime | None) -> int:
    """A time as a whole number; 0 for none."""
    return (time - _EPOCH) // timedelta(microseconds=1) if time else 0


def _check(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()[:_CHECK]


def _packed(chunks: Iterable[int]) -> Iterator[bytes]:
    """Ascending numbers by their distances, seven bits a byte: two bytes each, as a rule."""
    before = 0
    for chunk in chunks:
        rest, before = chunk - before, chunk
        while rest > 127:
            yield bytes([128 | rest & 127])
            rest >>= 7
        yield bytes([rest])


def _unpacked(packed: bytes, first: int) -> list[int]:
    """The numbers of two such lists, of which one has `first`; none where it is not what `_packed` writes."""
    chunks: list[int] = []
    number = shift = before = 0
    for byte in packed:
        number |= (byte & 127) << shift
        shift += 7
        if byte & 128:
            continue
        before = number if len(chunks) == first else before + number
        if before > _GREATEST:
            return []
        chunks.append(before)
        number = shift = 0
    return [] if shift else chunks
