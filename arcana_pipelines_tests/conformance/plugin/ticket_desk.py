"""A distribution of somebody else's: tickets from a JSON file, an embedder and a reranker that count words."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, field_validator

from arcana_pipelines.embedding.catalogue import Model
from arcana_pipelines.embedding.protocol import Embedded, Embedder
from arcana_pipelines.embedding.registry import EmbeddingProvider
from arcana_pipelines.errors import PageUnavailable, SourceUnavailable
from arcana_pipelines.retrieval.reranking.registry import RerankerKind
from arcana_pipelines.sources.protocol import Capabilities, FetchedPage, Listing, Mode, PageRef, Presence, Source
from arcana_pipelines.sources.registry import Opening, Platform


class TicketSettings(BaseModel):
    """What a project's YAML may say of a desk besides its file."""

    subjects_with: str | None = Field(None, description="Only tickets whose subject holds this word.")
    oldest: int = Field(2000, ge=2000, description="The first year whose tickets are read.")

    @field_validator("subjects_with")
    @classmethod
    def _is_a_word(cls, word: str | None) -> str | None:
        if word is not None and not word.isalpha():
            raise ValueError("is no word")
        return word


class Tickets(Source):
    """`{"id": {"subject", "text", "updated", "by"}}`: no trash, no containers, no token, and not always a `by`."""

    capabilities = Capabilities(lists_everything=True, absences_needed=1)

    def __init__(self, path: Path, settings: TicketSettings) -> None:
        self._path = path
        self._settings = settings

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        listing = Listing(source_time=datetime.now(UTC))
        listing.batches = self._batches(listing)
        return listing

    def _batches(self, listing: Listing) -> Iterator[Sequence[PageRef]]:
        yield [_ref(key, ticket) for key, ticket in self._tickets().items()]
        listing.complete, listing.cursor = True, "all"

    def fetch(self, ref: PageRef) -> FetchedPage:
        ticket = self._tickets().get(ref.external_id)
        if ticket is None:
            raise PageUnavailable(f"There is no ticket {ref.external_id}.")
        return FetchedPage(ticket["text"], datetime.now(UTC))

    def confirm(self, external_id: str) -> tuple[Presence, PageRef | None]:
        try:
            ticket = self._tickets().get(external_id)
        except SourceUnavailable:
            return Presence.UNKNOWN, None
        return (Presence.GONE, None) if ticket is None else (Presence.ALIVE, _ref(external_id, ticket))

    def _tickets(self) -> dict[str, dict[str, Any]]:
        try:
            tickets: dict[str, dict[str, Any]] = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise SourceUnavailable(f"The tickets in {self._path} cannot be read: {error}") from error
        word, oldest = self._settings.subjects_with or "", self._settings.oldest
        return {
            key: ticket
            for key, ticket in tickets.items()
            if word in ticket["subject"] and datetime.fromisoformat(ticket["updated"]).year >= oldest
        }


def _ref(key: str, ticket: dict[str, Any]) -> PageRef:
    return PageRef(
        external_id=key,
        kind="page",
        parent_kind="workspace",
        parent_id=None,
        title=ticket["subject"],
        url=None,
        revision=ticket["updated"],
        last_edited_at=datetime.fromisoformat(ticket["updated"]),
        editor_id=ticket.get("by"),
    )


class WordCounts:
    """A dimension a hash of words; nothing is loaded and nothing is asked."""

    concurrency = 1

    def __init__(self, model: str, dimensions: int) -> None:
        self.model, self.dimensions = model, dimensions

    def embed(self, texts: Sequence[str]) -> Embedded:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        counts = []
        for row, text in enumerate(texts):
            words = text.casefold().split() or [""]
            counts.append(len(words))
            for word in words:
                vectors[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        return Embedded(vectors, sum(counts), counts)


class SharedWords:
    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        asked = set(query.casefold().strip("?").split())
        return [float(sum(word in asked for word in text.casefold().split())) for text in texts]


def _open_embedder(settings: object, model: Model, dimensions: int, patience: float) -> Embedder:
    return WordCounts(model.name, dimensions)


def _open_tickets(opening: Opening) -> Source:
    return Tickets(Path(opening.config["path"]), TicketSettings.model_validate(opening.config))


PARTS = (
    Platform(
        name="ticket_desk",
        title="the ticket desk",
        open=_open_tickets,
        path_is="the file of tickets",
        settings=TicketSettings,
        asset="support_tickets",
    ),
    EmbeddingProvider(name="words", open=_open_embedder, default=lambda settings: ("word-counts", 32)),
    Model(name="word-counts", provider="words", dimensions=32, price=Decimal(0), runs_here=True, strength="weak"),
    RerankerKind(name="shared-words", open=lambda settings: SharedWords()),
)
