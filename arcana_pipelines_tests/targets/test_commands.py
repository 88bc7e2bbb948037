"""`arcana target`, `status` and `doctor` at the command line, with a target."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def arcana(acme: Harness, tmp_path: Path) -> Arcana:
    acme.world.add_page("Canteen", blocks="The canteen has Kimchi. 식당에 김치가 있습니다.")
    acme.settle()
    acme.sync()
    return Arcana(acme.environment, tmp_path)


def said(arcana: Arcana, *arguments: str, code: int = 0) -> str:
    done = arcana.here(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_target_is_added_told_dumped_loaded_and_dropped(arcana: Arcana, tmp_path: Path) -> None:
    assert "1 rows put, 0 taken out, of 1 documents" in said(arcana, "target", "add", "acme", "sqlite")
    assert "live, 1 chunk of 1 document, 0 waiting, 0 s behind" in said(arcana, "target", "list", "acme")
    assert "target sqlite (sqlite): live, 1 document, 1 chunk" in said(arcana, "status", "acme")
    assert "0 missing, 0 extra, 0 different" in said(arcana, "target", "verify", "acme")
    file = str(tmp_path / "acme.jsonl.gz")
    assert "1 rows are in" in said(arcana, "target", "dump", "acme", "sqlite", file)
    assert "is there already" in said(arcana, "target", "dump", "acme", "sqlite", file, code=2)
    loaded = said(arcana, "target", "load", "acme", "sqlite", file)
    assert "1 rows came from the file, 0 of it were left out; 0 rows were delivered besides." in loaded
    assert "It is equal to PostgreSQL." in loaded
    told = arcana.json("target", "load", "acme", "sqlite", file)
    assert told["is_equal"] and told["rows"] == 1 and told["parity"]["missing"] == 0
    checks = {check["name"]: check for check in arcana.json("doctor")["checks"]}
    of_target = checks["target sqlite of acme"]
    assert of_target["ok"] and of_target["detail"].startswith("SQLite ") and of_target["detail"].endswith(", live")
    said(arcana, "target", "drop", "acme", "sqlite", "--yes")
    assert "No targets" in said(arcana, "target", "list", "acme")


def test_a_store_that_does_not_answer_is_told_by_doctor_with_the_next_step(
    acme: Harness, arcana: Arcana, tmp_path: Path
) -> None:
    said(arcana, "target", "add", "acme", "sqlite", "--location", str(tmp_path / "copy.sqlite"))
    for file in tmp_path.glob("copy.sqlite*"):
        file.unlink()
    (tmp_path / "copy.sqlite").write_text("This is no SQLite file. " * 100)
    checks = {check["name"]: check for check in arcana.json("doctor", code=1)["checks"]}
    of_target = checks["target sqlite of acme"]
    assert not of_target["ok"] and "copy.sqlite" in of_target["detail"]
    assert "PostgreSQL answers searches" in of_target["detail"]
