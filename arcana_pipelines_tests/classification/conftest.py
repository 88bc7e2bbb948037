"""A synced workspace whose topics are found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines_tests.classification.handbook import Handbook
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def handbook(database: Database, acme: Harness) -> Iterator[Handbook]:
    """Two pages, synced; there is no taxonomy yet."""
    with database.connection() as connection:
        made = Handbook.of(acme, connection)
        made.page("Vacation policy", "How many vacation days off everybody has, and when a holiday is taken.")
        made.page("Battery care", "A battery with a swelling cell is not to charge.")
        made.sync()
        yield made
