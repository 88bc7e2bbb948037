"""The monthly limit of a workspace, asked before each request is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import one
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.packing import Text
from arcana_pipelines.embedding.prices import PricingPolicy, cost
from arcana_pipelines.errors import BudgetReached, InvalidSetting

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class Spending:
    """What a workspace has spent in a month, in US dollars.

    Attributes:
        slug: of the workspace.
        month: `YYYY-MM` in UTC, by the database's clock.
        embedding_budget: the workspace's own limit of a month; None: the settings' limit counts.
        spent: what was embedded in this month has cost.
        reserved: the most that open batches may still cost.
    """

    slug: str
    month: str
    embedding_budget: Decimal | None
    spent: Decimal
    reserved: Decimal


def spending(connection: Connection, workspace_id: UUID) -> Spending:
    """What the workspace has spent in the running month."""
    return one(connection, Spending, load_sql("spent"), {"workspace_id": workspace_id})


class Budget:
    """Keeps one model's requests within the limit.

    A request counts with more tokens than it can have until it is answered and stored, so the limit is never
    crossed. Used by the one thread that has the connection.
    """

    def __init__(self, connection: Connection, workspace_id: UUID, model: str, terms: PricingPolicy) -> None:
        """
        Raises:
            InvalidSetting: there is a limit, and the model's price is not known.
        """
        self._connection = connection
        self._workspace_id = workspace_id
        self.price = terms.price(model)
        state = spending(connection, workspace_id)
        self.limit = terms.monthly_budget if state.embedding_budget is None else state.embedding_budget
        if self.limit is not None and self.price is None:
            raise InvalidSetting(
                f"Workspace '{state.slug}' has a monthly limit, and the price of its model '{model}' is not known. "
                "Set EMBEDDING_PRICE_PER_MILLION_TOKENS (0 if it costs nothing)."
            )
        self._under_way: dict[int, Decimal] = {}

    def admit(self, batch: Sequence[Text]) -> bool:
        """Reserve what a request may cost, unless that might cross the limit."""
        room, most = self.room(), self.most(batch)
        if room is not None and most > room:
            return False
        self._under_way[id(batch)] = most
        return True

    def settle(self, batch: Sequence[Text]) -> None:
        """The request is answered, and what it cost is stored."""
        self._under_way.pop(id(batch), None)

    def most(self, batch: Sequence[Text], share: Decimal = Decimal(1)) -> Decimal:
        """The most that these texts can cost; `share` is that of the price."""
        return cost(sum(text.most_tokens for text in batch), self.price) * share

    def room(self) -> Decimal | None:
        """What may still be spent beside what is under way; None without a limit."""
        if self.limit is None:
            return None
        state = spending(self._connection, self._workspace_id)
        return self.limit - state.spent - state.reserved - sum(self._under_way.values())

    def reached(self, most: Decimal) -> BudgetReached:
        """The error to end the run with, when a request that may cost `most` does not fit."""
        state = spending(self._connection, self._workspace_id)
        batches = f", batches that are under way may cost {state.reserved:.4f}" if state.reserved else ""
        return BudgetReached(
            f"Workspace '{state.slug}' has spent {state.spent:.4f} of its {self.limit} USD for embeddings in "
            f"{state.month} (UTC){batches}, and the next request may cost up to {most:.4f}. What is embedded is "
            "stored, the rest waits, and readers keep what was published. Raise EMBEDDING_MONTHLY_BUDGET_USD or the "
            "workspace's own limit, or wait for the next month; the next sync goes on from here."
        )
