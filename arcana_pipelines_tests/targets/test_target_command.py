"""`arcana target` as people and programs use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from arcana_pipelines.cli import one_workspace
from arcana_pipelines.cli.commands import target as target_command
from arcana_pipelines.errors import TargetUnreachable, WrongUse
from arcana_pipelines.indexes.targets.registry import open_store
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def acme(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    for number in range(4):
        acme.world.add_page(
            f"Page {number}", blocks=f"Everyone has {number} days of vacation. 휴가는 {number}일입니다."
        )
    acme.world.clock.advance(600)
    acme.sync()
    for module in (target_command, one_workspace):
        monkeypatch.setattr(module, "open_database", lambda: acme.database)
    return acme


def arcana(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(target_command.command, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.output


def told(*arguments: str, code: int = 0) -> Any:
    return json.loads(arcana(*arguments, "--json", code=code))


def collection(acme: Harness) -> str:
    ((name,),) = acme.rows("SELECT collection FROM target_collection")
    return str(name)


def test_a_target_is_added_listed_verified_paused_and_dropped(acme: Harness) -> None:
    assert "arcana target add acme" in arcana("list", "acme").replace("python -m arcana_pipelines.cli", "arcana")
    added = told("add", "acme", "sqlite")
    assert added["state"] == "live" and added["vector_count"] == added["delivered"]["put"] >= 4
    assert Path(added["location"]).parent.name == "targets" and "SQLite" in added["version"]
    assert "live" in arcana("list", "acme") and "0 waiting" in arcana("list", "acme")
    (verified,) = told("verify", "acme")["targets"]
    wanted = {"name", "kind", "location", "state", "count", "missing", "extra", "different", "lag_seconds"}
    assert wanted <= set(verified)
    assert (verified["count"], verified["missing"], verified["extra"], verified["different"]) == (
        added["vector_count"], 0, 0, 0,
    )  # fmt: skip
    assert told("pause", "acme", "sqlite")["state"] == "paused"
    acme.world.add_page("One more", blocks="There is a canteen.")
    acme.world.clock.advance(600)
    acme.sync()
    assert told("list", "acme")["targets"][0]["waiting"] == 1
    resumed = told("resume", "acme", "sqlite")
    assert resumed["state"] == "live" and resumed["delivered"]["documents"] == 1
    assert told("drop", "acme", "sqlite", "--yes") == {
        "workspace": "acme", "target": "sqlite", "dropped": True, "is_emptied": True
    }  # fmt: skip
    assert not Path(added["location"]).exists() and told("list", "acme")["targets"] == []


def test_verify_tells_what_differs_by_its_exit_code_and_mends_it(acme: Harness) -> None:
    added = told("add", "acme", "sqlite")
    with open_store(acme.database.settings, "sqlite", added["location"]) as store:
        (first, *_), *_ = store.scan(collection(acme))
        store._connection.execute("DELETE FROM document_chunks WHERE chunk_id = ?", (first.chunk_id,))  # type: ignore[attr-defined]
    (differs,) = told("verify", "acme", code=3)["targets"]
    assert differs["missing"] == 1 and differs["repaired"] >= 1, differs
    assert "1 missing" not in arcana("verify", "acme")
    assert told("verify", "acme", "sqlite")["targets"][0]["missing"] == 0


def test_one_that_cannot_be_compared_is_told_with_its_reason(acme: Harness) -> None:
    added = told("add", "acme", "sqlite")
    Path(added["location"]).write_bytes(b"no database, whatever its name says" * 100)
    for beside in ("-wal", "-shm"):
        Path(added["location"] + beside).unlink(missing_ok=True)
    (broken,) = told("verify", "acme", code=1)["targets"]
    assert broken["count"] is None and added["location"] in broken["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "acme", "sqlite", "--index", "other"), "no index 'other'"),
        (("add", "acme", "sqlite", "--name", "No Name"), "cannot be a target's name"),
        (("add", "acme", "qdrant", "--location", "https://user:secret@example.org"), "no name, password or key"),
        (("add", "acme", "qdrant", "--location", "ftp://example.org"), "not an address"),
        (("verify", "acme", "nothing"), "There is no target 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_added(acme: Harness, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(WrongUse, match=said) as refused:
        arcana(*arguments)
    assert "secret" not in str(refused.value)
    assert told("list", "acme")["targets"] == []


def test_a_name_is_given_once(acme: Harness) -> None:
    told("add", "acme", "sqlite")
    with pytest.raises(WrongUse, match="--name"):
        arcana("add", "acme", "sqlite")
    assert told("add", "acme", "sqlite", "--name", "second")["state"] == "live"


def test_a_server_that_is_away_is_not_added(acme: Harness) -> None:
    with pytest.raises(TargetUnreachable, match="does not answer"):
        arcana("add", "acme", "qdrant", "--location", "http://127.0.0.1:9")
    assert told("list", "acme")["targets"] == []


def test_texts_stay_here_where_they_are_not_wanted_there(acme: Harness) -> None:
    added = told("add", "acme", "sqlite", "--without-text")
    with open_store(acme.database.settings, "sqlite", added["location"]) as store:
        texts = store._connection.execute("SELECT count(text), count(*) FROM document_chunks").fetchall()  # type: ignore[attr-defined]
    assert texts[0][0] == 0 < texts[0][1]
