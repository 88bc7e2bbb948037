"""What embeddings cost by month: exact, of each workspace and model, in months of UTC."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from arcana_pipelines.cli.main import main
from arcana_pipelines.embedding import store
from arcana_pipelines.operations.usage import MonthlyUsage, frame, usage_by_month
from arcana_pipelines.workspaces.workspaces import find
from arcana_pipelines_tests.harness import Harness

NOVEMBER, DECEMBER = "2026-11", "2026-12"
LAST_SECOND = "2026-11-30 23:59:59.999+00"  # 1 December, 08:59:59, in Seoul
FIRST_SECOND = "2026-12-01 00:00:00+00"  # 30 November, 19:00, in New York
CENT = Decimal("0.01")


def _embedded(
    acme: Harness, at: str, model: str, cost: Decimal, tier: store.Tier = "standard", zone: str = "UTC"
) -> None:
    """Counts what was embedded as a run does, at that moment by the database's clock."""
    with acme.database.connect() as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS at")
        connection.execute(
            f"CREATE OR REPLACE FUNCTION at.now() RETURNS timestamptz STABLE LANGUAGE sql "
            f"AS $$ SELECT timestamptz '{at}' $$"
        )
        connection.execute("SELECT set_config('search_path', 'at, pg_catalog, public', false)")
        connection.execute("SELECT set_config('TimeZone', %s, false)", [zone])
        key = store.StoreKey(find(connection, acme.slug).workspace_id, model, 256)
        store.count(connection, key, store.Usage(10, 1000, cost, 0.5, tier))
        connection.execute("DROP SCHEMA at CASCADE")


def _usage(acme: Harness, slug: str | None = None) -> list[MonthlyUsage]:
    with acme.database.connection() as connection:
        return usage_by_month(connection, find(connection, slug).workspace_id if slug else None)


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["usage", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.fixture
def paid(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setenv("ARCANA_HOME", str(acme.database.settings.home))
    monkeypatch.setenv("DATABASE_URL", acme.database.url)
    _embedded(acme, LAST_SECOND, "text-embedding-3-small", Decimal("0.0000001"), zone="Asia/Seoul")
    _embedded(acme, LAST_SECOND, "text-embedding-3-small", CENT, "batch", zone="Asia/Seoul")
    _embedded(acme, FIRST_SECOND, "text-embedding-3-small", CENT, zone="America/New_York")
    for _ in range(2):
        _embedded(acme, FIRST_SECOND, "in-house", Decimal(0))
    return acme


def test_what_is_embedded_counts_for_the_month_in_utc_whatever_the_time_zone(paid: Harness) -> None:
    found = [(row.month, row.workspace, row.model, row.tier, row.tokens, row.cost) for row in _usage(paid)]
    assert found == [
        (DECEMBER, "acme", "in-house", "standard", 2000, Decimal(0)),
        (DECEMBER, "acme", "text-embedding-3-small", "standard", 1000, CENT),
        (DECEMBER, None, None, None, 3000, CENT),
        (NOVEMBER, "acme", "text-embedding-3-small", "batch", 1000, CENT),
        (NOVEMBER, "acme", "text-embedding-3-small", "standard", 1000, Decimal("0.0000001")),
        (NOVEMBER, None, None, None, 2000, Decimal("0.0100001")),
    ]


def test_one_workspace_is_told_without_the_others(paid: Harness, another: Any) -> None:
    _embedded(another("beta"), FIRST_SECOND, "text-embedding-3-small", Decimal("0.02"))
    sums = {row.month: row.cost for row in _usage(paid) if row.is_sum}
    assert sums == {DECEMBER: Decimal("0.03"), NOVEMBER: Decimal("0.0100001")}
    assert {row.month: row.cost for row in _usage(paid, "beta") if row.is_sum} == {DECEMBER: Decimal("0.02")}
    assert {row.workspace for row in _usage(paid, "acme")} == {"acme", None}


def test_sums_stay_exact_where_floats_do_not(acme: Harness) -> None:
    for _ in range(30):
        _embedded(acme, FIRST_SECOND, "text-embedding-3-small", Decimal("0.1"))
    _embedded(acme, FIRST_SECOND, "text-embedding-3-small", Decimal("123456789.000000001"))
    rows = _usage(acme)
    assert {row.cost for row in rows} == {Decimal("123456792.000000001")}
    assert frame(rows)["cost"].sum() == Decimal("123456792.000000001")


def test_nothing_embedded_is_an_empty_frame_and_a_sentence(
    acme: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCANA_HOME", str(acme.database.settings.home))
    monkeypatch.setenv("DATABASE_URL", acme.database.url)
    assert list(frame(_usage(acme)).columns)[:2] == ["month", "workspace"] and frame(_usage(acme)).empty
    assert "Nothing has been embedded" in _told(capsys)


class TestTheCommand:
    def test_tells_a_person_each_month_with_its_sum_and_the_time_zone(
        self, paid: Harness, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = _told(capsys)
        lines = [line for line in told.splitlines() if DECEMBER in line]
        assert "month (UTC)" in told and "sum" in lines[-1] and "0.0100" in lines[-1]
        assert "The price of in-house is not known" in told

    def test_cuts_no_name_where_the_line_is_too_narrow_for_it(
        self, paid: Harness, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = "intfloat/multilingual-e5-large-instruct-of-our-own-server"
        _embedded(paid, FIRST_SECOND, model, CENT, "batch")
        monkeypatch.setattr("arcana_pipelines.cli.commands.usage.console", lambda: Console(soft_wrap=True, width=80))
        told = _told(capsys)
        assert "…" not in told
        assert all(len(line) <= 80 for line in told.splitlines() if "│" in line)
        column = [line.split("│")[3].strip() for line in told.splitlines() if line.count("│") > 6]
        assert model in "".join(column)

    def test_tells_a_program_exact_costs(self, paid: Harness, capsys: pytest.CaptureFixture[str]) -> None:
        told: dict[str, Any] = json.loads(_told(capsys, "acme", "--json"))
        assert told["time_zone"] == "UTC" and told["unpriced_models"] == ["in-house"]
        assert [(month["month"], month["cost"]) for month in told["months"]] == [
            (DECEMBER, "0.01"), (NOVEMBER, "0.0100001")
        ]  # fmt: skip
        assert {row["cost"] for row in told["usage"]} == {"0.01", "0.0000001", "0"}

    def test_writes_the_rows_into_a_file_without_the_sums(
        self, paid: Harness, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        file = tmp_path / "usage.csv"
        _told(capsys, "--csv", str(file))
        with file.open(encoding="utf-8", newline="") as opened:
            rows = list(csv.DictReader(opened))
        assert list(rows[0]) == ["month", "workspace", "model", "tier", "texts", "tokens", "cost_usd", "seconds"]
        assert [row["cost_usd"] for row in rows] == ["0", "0.01", "0.01", "0.0000001"]
        assert {row["workspace"] for row in rows} == {"acme"}
