"""Rows are shown as tables: typed, bounded, and of what a run really did."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg

from arcana_pipelines import defs
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.tables import MOST_CHARACTERS, MOST_ROWS, table
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


def rows(shown: Any) -> list[dict[str, Any]]:
    assert isinstance(shown, dg.TableMetadataValue)
    return [dict(record.data) for record in shown.records]


def test_a_table_has_its_columns_also_without_rows() -> None:
    shown = table({"page": "string", "reads": "int"}, [])
    assert [(column.name, column.type) for column in shown.schema.columns] == [("page", "string"), ("reads", "int")]
    assert rows(shown) == []


def test_rows_are_bounded_and_what_is_left_out_is_counted() -> None:
    shown = rows(table({"page": "string", "reads": "int"}, [[f"p{n}", n] for n in range(MOST_ROWS + 7)]))
    assert len(shown) == MOST_ROWS + 1
    assert shown[-2:] == [{"page": "p49", "reads": 49}, {"page": "… and 7 more", "reads": None}]
    assert len(rows(table({"page": "string"}, [["a"]] * MOST_ROWS))) == MOST_ROWS, "nothing is left out"


def test_a_cell_is_one_short_line() -> None:
    (row,) = rows(table({"page": "string"}, [["연차\n 휴가 " * 100]]))
    assert row["page"].startswith("연차 휴가 연차 휴가") and len(row["page"]) == MOST_CHARACTERS


def test_no_asset_or_check_writes_rows_as_text() -> None:
    written = {path.name: path.read_text() for path in Path(defs.__file__).parent.glob("*.py")}
    assert [
        name for name, text in written.items() if "MetadataValue.md(" in text or "MetadataValue.json(" in text
    ] == []


def test_a_sync_shows_its_changes_builds_and_counts(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    result = (
        build_defs()
        .resolve_job_def("sync_workspace")
        .execute_in_process(instance=instance, partition_key="acme", run_config=sync_config(Mode.FULL))
    )
    metadata: dict[str, Any] = {}
    for event in result.get_asset_materialization_events():
        metadata |= event.materialization.metadata
    changes = rows(metadata["changes"])
    assert {change["what"] for change in changes} <= {"added", "…"} and changes[0]["url"].startswith("https://")
    (build,) = rows(metadata["builds"])
    assert (build["index"], build["state"]) == ("default", "active")
    (month,) = rows(metadata["usage"])
    assert month["model"] == "wordllama-l2-supercat" and month["tokens"] > 0 and Decimal(month["usd"]) == 0
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    (index,) = rows(checks["published_counts_match"].metadata["indexes"])
    assert index["object_count"] == index["documents"] > 0
    assert rows(checks["builds_are_verified"].metadata["unfit"]) == []
    assert rows(checks["listing_is_complete"].metadata["problems"]) == []
