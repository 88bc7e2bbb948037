"""While a source is read, Dagster shows what can be found already."""

from __future__ import annotations

import dagster as dg
import pytest

from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.pipeline import follow, source_pages
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness


def test_each_slice_is_an_observation_of_the_index_in_the_run_that_reads(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        installed.world.add_page(f"Page {number}", blocks=[blocks.paragraph(f"Room {number}")])
    installed.settle()
    monkeypatch.setattr(follow, "AFTER_SECONDS", 0.0)
    monkeypatch.setattr(source_pages, "COMMIT_PAGES", 4)
    installed.server.latency(1.0)
    partitions.add(instance, "acme")
    job = build_defs(key_prefix="host").resolve_job_def("sync_workspace")
    result = job.execute_in_process(
        run_config=sync_config(Mode.FULL), partition_key="acme", instance=instance, raise_on_error=True
    )
    observed = instance.fetch_observations(dg.AssetKey(["host", "rag_indexes"]), limit=100).records
    assert observed and {record.run_id for record in observed} == {result.run_id}
    seen = [record.asset_observation for record in observed]
    assert all(each is not None and each.partition == "acme" for each in seen)
    pages = sum(int(each.metadata["pages"].value) for each in seen if each is not None)  # type: ignore[arg-type]
    (read,) = [
        event.materialization.metadata["indexed_while_reading"].value
        for event in result.get_asset_materialization_events()
        if event.materialization.asset_key.path[-1] == "notion_pages"
    ]
    assert pages == read > 0
    installed.server.latency(0)
    installed.assert_matches_world()
