"""What embeddings have cost, by month, workspace and model. Rerankers count nothing, so nothing of them is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from arcana_pipelines.db import query
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside

if TYPE_CHECKING:
    from pandas import DataFrame

load_sql = statements_beside(__file__)


@dataclass(frozen=True, slots=True)
class MonthlyUsage:
    """What was embedded in one month.

    Attributes:
        month: `YYYY-MM`, in UTC whatever the time zone of the machine and of the schedules.
        workspace: its slug; None in the sum of a month.
        model: that embedded; None in the sum of a month.
        tier: `standard`, or `batch` for a provider's batch interface; None in the sum of a month.
        texts: how many.
        tokens: how many they had.
        cost: US dollars, exact; 0 where the price was not known.
        seconds: that the requests took together.
    """

    month: str
    workspace: str | None
    model: str | None
    tier: str | None
    texts: int
    tokens: int
    cost: Decimal
    seconds: float

    @property
    def is_sum(self) -> bool:
        """True for the sum of a month."""
        return self.workspace is None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready. The cost is a text, since a number of JSON is not exact."""
        values = asdict(self)
        return {**values, "cost": f"{values['cost']:f}", "seconds": round(self.seconds, 3)}


def usage_by_month(connection: Connection, workspace_id: UUID | None = None) -> list[MonthlyUsage]:
    """Of one workspace or of all, the newest month first; the sum of each month stands behind its rows."""
    return query.rows(connection, MonthlyUsage, load_sql("usage"), {"workspace_id": workspace_id})


def frame(usage: Sequence[MonthlyUsage]) -> DataFrame:
    """The same as a frame without the sums; costs are exact decimals."""
    import pandas as pd

    columns = list(MonthlyUsage.__dataclass_fields__)
    return pd.DataFrame([asdict(row) for row in usage if not row.is_sum], columns=columns)
