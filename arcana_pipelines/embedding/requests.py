"""Batches of texts to the provider: with its concurrency, within the budget, refused texts split off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.embedding.budget import Budget
from arcana_pipelines.embedding.packing import Text
from arcana_pipelines.embedding.prices import cost
from arcana_pipelines.embedding.protocol import Embedded, Embedder
from arcana_pipelines.embedding.store import StoreKey, Usage, count, store
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.net.in_flight import in_flight
from arcana_pipelines.net.workers import worker_threads

HARMLESS = "hello"


@dataclass(slots=True)
class RequestOutcome:
    """What became of one batch.

    Attributes:
        embedded: the parts that were embedded.
        refused: (hash, reason) of each text that the provider refuses.
        probed: tokens that were spent on finding out whether it refuses everything.
        failure: what kept the rest from being embedded.
    """

    embedded: list[tuple[list[Text], Embedded]] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    probed: int = 0
    failure: EmbeddingFailed | None = None


def store_embedded(
    connection: Connection, key: StoreKey, outcome: RequestOutcome, price: Decimal | None, seconds: float = 0.0
) -> Usage:
    """Store what one request brought, with what it cost, in the caller's transaction. What was refused is left to them.

    Args:
        price: of a million tokens, in US dollars; None: not known.
        seconds: how long the request took.
    """
    texts, tokens = 0, outcome.probed
    for batch, embedded in outcome.embedded:
        counts = embedded.counts or [text.tokens for text in batch]
        store(connection, key, [text.text_hash for text in batch], embedded.vectors, counts)
        texts += len(batch)
        tokens += embedded.tokens
    usage = Usage(texts, tokens, cost(tokens, price), seconds)
    count(connection, key, usage)
    return usage


def send(embedder: Embedder, groups: Iterator[list[Text]], budget: Budget) -> Iterator[RequestOutcome]:
    """Send batches with the provider's concurrency and yield each as it is answered.

    No batch is taken before there is room for it. A batch counts against the budget until the caller, having
    stored it, asks for the next.

    Raises:
        EmbeddingFailed: the provider failed, or it refuses even a harmless text.
        BudgetReached: the next batch might cross the limit.
    """
    splitting = _SplittingEmbedder(embedder)
    if embedder.concurrency == 1:
        for batch in groups:
            if not budget.admit(batch):
                raise budget.reached(budget.most(batch))
            yield (outcome := splitting.embed(batch))
            budget.settle(batch)
            if outcome.failure is not None:
                raise outcome.failure
        return
    failure: BaseException | None = None
    without_room: list[Text] | None = None

    def admitted() -> Iterator[list[Text] | None]:
        nonlocal without_room
        for batch in groups:
            without_room = batch
            while failure is None and not budget.admit(batch):
                yield None  # a batch costs at most what it was counted as: there may be room when one is settled
            if failure is not None:
                return
            without_room = None
            yield batch

    with (
        worker_threads(embedder.concurrency, "embed") as pool,
        closing(in_flight(pool, splitting.embed, admitted(), embedder.concurrency)) as answered,
    ):
        # Even after a failure, what was asked for is paid for: it is stored before the failure is raised.
        for batch, future in answered:
            if (error := future.exception()) is not None:
                failure = error
                continue
            yield (outcome := future.result())
            budget.settle(batch)
            failure = failure or outcome.failure
    if failure is not None:
        raise failure
    if without_room is not None:
        raise budget.reached(budget.most(without_room))


class _SplittingEmbedder:
    """Halves a batch that is refused until the refused texts are alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._accepted = False

    def embed(self, batch: list[Text]) -> RequestOutcome:
        """Embed what is accepted."""
        outcome = RequestOutcome()
        waiting = [batch]
        try:
            while waiting:
                part = waiting.pop()
                try:
                    embedded = self._embedder.embed([text.text for text in part])
                except InputRejected as error:
                    if len(part) > 1:
                        waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
                        continue
                    if not self._accepted:
                        outcome.probed += self._try_harmless()
                    outcome.refused.append((part[0].text_hash, str(error)))
                else:
                    self._accepted = True
                    outcome.embedded.append((part, embedded))
        except EmbeddingFailed as failure:
            outcome.failure = failure
        return outcome

    def _try_harmless(self) -> int:
        """Is it the text that is wrong, or the model, the size, the endpoint? Returns the tokens it took."""
        try:
            tokens = self._embedder.embed([HARMLESS]).tokens
        except InputRejected as error:
            raise EmbeddingFailed(f"The provider refuses every text. {error}") from error
        self._accepted = True
        return tokens
