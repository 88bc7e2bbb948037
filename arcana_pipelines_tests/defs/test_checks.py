"""Asset checks: one result a workspace, and none where nothing was looked at."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.event_api import PartitionKeyFilter

from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.evaluation.golden import Question, Relevant
from arcana_pipelines.evaluation.quality import evaluate_serving, save_golden, store
from arcana_pipelines.indexes.health import Finding
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness


def _results(instance: dg.DagsterInstance, asset: str, check: str, slug: str) -> list[str]:
    """What Dagster keeps of a check for one workspace, newest first. PLANNED: a run that reported nothing."""
    records = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(asset), check), limit=10, partition_filter=PartitionKeyFilter(key=slug)
    )
    return [record.status.value for record in records]


def test_one_workspaces_green_hides_no_others_red(installed: Harness, instance: dg.DagsterInstance) -> None:
    Harness.register(installed.database, installed.world, installed.server, "globex")
    instance.add_dynamic_partitions(str(workspaces.name), ["acme", "globex"])
    installed.server.faults.add("POST /v1/search", "500", times=None)
    execute(instance, "globex", sync_config(Mode.FULL))
    installed.server.faults.clear()
    execute(instance, "acme", sync_config(Mode.FULL))
    assert _results(instance, "notion_pages", "listing_is_complete", "globex") == ["FAILED"]
    assert _results(instance, "notion_pages", "listing_is_complete", "acme") == ["SUCCEEDED"]

    execute(instance, "globex", sync_config(Mode.FULL))
    assert _results(instance, "notion_pages", "listing_is_complete", "globex") == ["SUCCEEDED", "FAILED"]


def test_every_check_that_a_sync_reports_is_kept_for_its_workspace(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    reported = {
        ("notion_pages", "ledger_balances"),
        ("notion_pages", "listing_is_complete"),
        ("notion_pages", "removals_are_within_the_cap"),
        ("rag_indexes", "published_counts_match"),
        ("rag_indexes", "builds_are_verified"),
        ("doc_taxonomy", "topics_are_well"),
        ("index_targets", "targets_are_current"),
    }
    for asset, check in reported:
        assert _results(instance, asset, check, "acme") == ["SUCCEEDED"], check


def test_the_health_of_indexes_found_bad_by_an_audit_stays_bad_until_something_measures_it_again(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    assert _results(instance, "rag_indexes", "indexes_are_healthy", "acme") == []

    def too_old(_: object) -> Finding:
        return Finding("pgvector", False, "0.7.0; upgrade it")

    with monkeypatch.context() as patch:
        patch.setattr("arcana_pipelines.defs.checks.pgvector", too_old)
        execute(instance, "acme", sync_config(Mode.AUDIT), "audit_workspace")
    assert _results(instance, "rag_indexes", "indexes_are_healthy", "acme") == ["FAILED"]
    execute(instance, "acme", sync_config(Mode.INCREMENTAL))
    assert _results(instance, "rag_indexes", "indexes_are_healthy", "acme") == ["FAILED"]

    execute(instance, "acme", {}, "fill_indexes")
    assert _results(instance, "rag_indexes", "indexes_are_healthy", "acme") == ["SUCCEEDED", "FAILED"]


def test_quality_that_was_compared_with_nothing_is_not_said_to_hold(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    with installed.database.connection() as connection:
        workspace_id = find(connection, "acme").workspace_id
        page = installed.world.visible_pages()[0]
        save_golden(connection, workspace_id, [Question(query="a question", relevant=(Relevant(external_id=page),))])
    execute(instance, "acme", {}, "measure_quality")
    assert _results(instance, "retrieval_quality", "quality_holds", "acme") == ["PLANNED"]

    with installed.database.connection() as connection:
        ((evaluation, _),) = evaluate_serving(connection, installed.database.settings, workspace_id)
        store(connection, evaluation, is_baseline=True)
    execute(instance, "acme", {}, "measure_quality")
    assert _results(instance, "retrieval_quality", "quality_holds", "acme") == ["SUCCEEDED", "PLANNED"]


def test_an_audit_compares_targets_and_one_that_cannot_be_asked_fails_no_run(
    installed: Harness, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    file = tmp_path / "copy.sqlite"
    with installed.database.connection() as connection:
        add_target(connection, find(connection, "acme").workspace_id, "sqlite", str(file), "copy")
    execute(instance, "acme", sync_config(Mode.AUDIT), "audit_workspace")
    for check in ("targets_are_current", "targets_are_equal"):
        assert _results(instance, "index_targets", check, "acme") == ["SUCCEEDED"], check
    file.write_text("This is no SQLite file. " * 100)
    execute(instance, "acme", sync_config(Mode.AUDIT), "audit_workspace")
    assert _results(instance, "index_targets", "targets_are_equal", "acme") == ["FAILED", "SUCCEEDED"]
