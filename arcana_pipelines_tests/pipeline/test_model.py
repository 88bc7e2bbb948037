"""The promises together, over random histories: a few hundred steps here, thousands in `benchmarks/soak.py`."""

from __future__ import annotations

import pytest

from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.world_machine import Tally, WatchedDatabase, run_histories

HISTORIES = 6
STEPS = 45


def test_whatever_people_do_and_whatever_fails_readers_see_the_truth(settings: Settings) -> None:
    database = WatchedDatabase(settings.model_copy(update={"batch_size": 4}))
    tally = Tally()
    try:
        failure = run_histories(database, tally, HISTORIES, STEPS)
    finally:
        database.close()
    if failure is not None:
        pytest.fail("\n".join(["these steps, of `WorldMachine`, end in a difference:", *failure]), pytrace=False)
    assert tally.convergences["full"] >= HISTORIES
