"""Whatever happens to files, once nothing fails any more two syncs make all of it as it should be."""

from __future__ import annotations

import pytest

from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.file_histories import FileHistory, quickly


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_histories_end_as_they_should(acme: Harness, seed: int) -> None:
    with quickly():
        FileHistory(acme, seed).take(40)
