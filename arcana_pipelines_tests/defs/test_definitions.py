"""What Dagster is told: the definitions load, are light, and the layers hold."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from arcana_pipelines.defs.build import build_defs

SPECS = {
    "notion_pages": ("notion_index", set(), {"notion", "postgres"}),
    "support_tickets": ("notion_index", set(), {"tickets", "postgres"}),
    "document_files": ("notion_index", {"notion_pages", "support_tickets"}, {"file", "postgres"}),
    "document_content": (
        "notion_index",
        {"notion_pages", "support_tickets", "document_files"},
        {"markdown", "postgres"},
    ),
    "document_chunks": ("notion_index", {"document_content"}, {"postgres"}),
    "chunk_embeddings": ("notion_index", {"document_chunks"}, {"openai", "postgres"}),
    "rag_indexes": ("notion_index", {"chunk_embeddings"}, {"pgvector", "postgres"}),
    "doc_taxonomy": ("notion_index", {"rag_indexes"}, {"taxonomy", "postgres"}),
    "index_targets": ("notion_index", {"rag_indexes", "doc_taxonomy"}, {"postgres"}),
    "retrieval_quality": ("notion_index", {"rag_indexes"}, {"postgres"}),
    "backups": ("notion_index", set(), {"postgres"}),
}


def test_the_definitions_are_loadable() -> None:
    dg.Definitions.validate_loadable(build_defs())


def test_the_assets_are_what_the_design_says() -> None:
    specs = {spec.key.to_user_string(): spec for spec in build_defs().resolve_all_asset_specs()}
    found = {
        key: (spec.group_name, {dep.asset_key.to_user_string() for dep in spec.deps}, spec.kinds)
        for key, spec in specs.items()
    }
    assert found == SPECS
    for spec in specs.values():
        assert spec.description
        assert spec.owners
        assert spec.code_version
        of_a_workspace = dg.DynamicPartitionsDefinition(name="arcana_workspace")
        assert spec.partitions_def == (None if spec.key.path == ["backups"] else of_a_workspace)


def test_sensors_and_schedules_run_from_the_start() -> None:
    defs = build_defs()
    statuses = {sensor.name: sensor.default_status for sensor in defs.sensors or ()}
    assert statuses == dict.fromkeys(
        ("workspace_registry", "source_changes", "index_builds", "target_deliveries", "alerts", "ticket_summaries"),
        dg.DefaultSensorStatus.RUNNING,
    )
    schedules = {schedule.name: schedule.default_status for schedule in defs.schedules or ()}
    assert schedules == dict.fromkeys(
        (
            "audit_sweep",
            "ticket_audit_sweep",
            "quality_sweep",
            "installation_sweep",
            "maintenance_sweep",
            "backup_sweep",
            "backup_log_sweep",
        ),
        dg.DefaultScheduleStatus.RUNNING,
    )


@pytest.mark.slow
def test_loading_the_definitions_imports_nothing_heavy() -> None:
    heavy = "{'openai', 'pandas', 'alembic.command', 'wordllama', 'notion_client', 'httpx', 'urllib3'}"
    code = f"import sys, arcana_pipelines.definitions; print(sorted({heavy} & set(sys.modules) - set(BEFORE)))"
    code = "import sys, dagster, dagster_postgres; BEFORE = set(sys.modules)\n" + code
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
