"""What embedding costs, in US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.settings import Settings

# Through OpenAI's Batch API everything costs half (https://platform.openai.com/docs/guides/batch).
BATCH_SHARE = Decimal("0.5")
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class PricingPolicy:
    """What embeddings may cost, and when batches are used.

    Attributes:
        price_per_million: US dollars a million tokens, in place of the listed price of any model that is not free;
            None: the listed one counts.
        monthly_budget: US dollars that a workspace without a limit of its own may spend in a month; None: no limit.
        batch_above: a run with more texts to embed than this sends them as batches, where the provider has these; 0:
            never.
    """

    price_per_million: Decimal | None = None
    monthly_budget: Decimal | None = None
    batch_above: int = 0

    @classmethod
    def of(cls, settings: Settings) -> PricingPolicy:
        """What the settings say."""
        return cls(
            settings.embedding_price_per_million_tokens,
            settings.embedding_monthly_budget_usd,
            settings.openai_batch_above,
        )

    def price(self, model: str) -> Decimal | None:
        """Dollars a million tokens of a model, or None when it is not known. Models that run here are free."""
        known = model_named(model).price
        return known if known == 0 or self.price_per_million is None else self.price_per_million


def cost(tokens: int, price_per_million: Decimal | None) -> Decimal:
    """Dollars for so many tokens; 0 where the price is not known."""
    return (price_per_million or Decimal(0)) * tokens / MILLION
