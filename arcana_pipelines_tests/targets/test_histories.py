"""Targets stay true over random histories: some steps here, thousands in `make slow`."""

from __future__ import annotations

import pytest

from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.pipeline.world_machine import WatchedDatabase
from arcana_pipelines_tests.targets.history_machine import Tally, run_histories

HISTORIES = 3
STEPS = 7


@pytest.mark.slow
def test_whatever_happens_targets_are_never_silently_behind_and_become_equal(settings: Settings) -> None:
    database = WatchedDatabase(settings.model_copy(update={"batch_size": 4}))
    tally = Tally()
    try:
        failure = run_histories(database, ["sqlite", "qdrant"], tally, HISTORIES, STEPS)
    finally:
        database.close()
    if failure is not None:
        pytest.fail("\n".join(["these steps, of `TargetMachine`, end in a difference:", *failure]), pytrace=False)
    assert tally["saw a convergence"] >= HISTORIES
