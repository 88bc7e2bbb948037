"""How often the paths of topics that a sync looked up were known without asking the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.counters import Counters, LookupCounts
from arcana_pipelines.ledger.generations import Generation
from arcana_pipelines.taxonomy.lookup import lookup


@contextmanager
def lookups_noted(connection: Connection, generation: Generation) -> Iterator[None]:
    """Add what this process looks up until the block ends to what the generation counts, if it is anything."""
    before = lookup.report()
    yield
    more = lookup.report().since(before)
    if more.asked:
        with connection.transaction():
            counted = generations.counters(connection, generation, to_add=True).lookups or LookupCounts()
            counted = LookupCounts(counted.asked + more.asked, counted.hits + more.hits)
            generations.merge_counters(connection, generation, Counters(lookups=counted))
