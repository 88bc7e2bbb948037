"""Whatever happens in a help desk, once nothing fails any more a few syncs make all of it as it should be."""

from __future__ import annotations

import pytest

from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.ticket_histories import TicketHistory, quickly
from arcana_pipelines_tests.pipeline.world_machine import WatchedDatabase

STEPS = 40


@pytest.mark.parametrize("seed", [1, 2])
def test_random_histories_of_tickets_end_as_they_should(settings: Settings, seed: int) -> None:
    database = WatchedDatabase(settings.model_copy(update={"batch_size": 4}))
    history = TicketHistory(database, seed)
    try:
        with quickly():
            history.take(STEPS)
    except Exception as error:
        error.add_note(f"seed {seed}: {' '.join(history.steps)}")
        raise
    finally:
        history.close()
        database.close()
