"""`arcana seed`: the same numbers make the same workspaces, and nobody's own are mixed with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.demo.made_up_export import write_export
from arcana_pipelines_tests.e2e.conftest import Arcana


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_same_numbers_make_the_same_pages_and_more_pages_keep_those_there_were(tmp_path: Path) -> None:
    for name, pages, seed in (("one", 40, "1"), ("same", 40, "1"), ("more", 60, "1"), ("other", 40, "2")):
        write_export(tmp_path / name, pages, seed)
    one, same, more, other = (_files(tmp_path / name) for name in ("one", "same", "more", "other"))
    assert one == same and not set(one) & set(other)
    assert {name: text for name, text in more.items() if name in one and name.endswith(".md")} == {
        name: text for name, text in one.items() if name.endswith(".md")
    }
    assert len([name for name in one if name.endswith(".md")]) == 40
    assert len([name for name in one if any("가" <= letter <= "힣" for letter in name)]) > 5
    write_export(tmp_path / "more", 40, "1")
    assert _files(tmp_path / "more") == one


@pytest.mark.e2e
def test_made_up_workspaces_are_indexed_and_stay_apart_from_those_that_are_not(arcana: Arcana, tmp_path: Path) -> None:
    told = arcana.json("seed", "--workspaces", "2", "--pages", "8")
    assert [each["workspace"] for each in told["workspaces"]] == ["seed-0001", "seed-0002"]
    assert all(not each["is_incomplete"] and each["chunks"] >= 8 for each in told["workspaces"])
    assert arcana.json("search", "seed-0002", "backup")["hits"]
    assert arcana.json("sync", "seed-0001")["pages"]["added"] == 0
    again = arcana.json("seed", "--workspaces", "2", "--pages", "8")
    assert [each["chunks"] for each in again["workspaces"]] == [0, 0]
    unsynced = arcana.here("seed", "--workspaces", "1", "--pages", "8", "--no-sync").stdout
    assert " sync seed-0001, then " in unsynced and " search seed-0001 backup" in unsynced

    own = tmp_path / "own"
    own.mkdir()
    (own / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    arcana.json("workspace", "add", "acme", "--source", "notion-export", "--path", str(own))
    assert "not made up (acme)" in arcana.json("seed", code=2)["error"]


@pytest.mark.e2e
@pytest.mark.slow  # three workspaces are made, two of them rebuilt
def test_named_workspaces_get_a_new_build_and_go_back_together_and_the_others_do_not(arcana: Arcana) -> None:
    arcana.json("seed", "--workspaces", "3", "--pages", "3")
    for slug in ("seed-0001", "seed-0002"):
        arcana.json("index", "rebuild", slug, "--chunk-tokens", "64")
    served = {slug: _serving(arcana, slug) for slug in ("seed-0001", "seed-0002", "seed-0003")}

    assert "no workspace 'none'" in arcana.json("index", "promote", "seed-0001", "--also", "none", code=2)["error"]
    told = arcana.json("index", "promote", "seed-0001", "--also", "seed-0002", "--also", "seed-0001")["workspaces"]
    assert [(each["workspace"], each["promoted"]) for each in told] == [("seed-0001", True), ("seed-0002", True)]
    assert {slug for slug in served if _serving(arcana, slug) != served[slug]} == {"seed-0001", "seed-0002"}

    told = arcana.json(
        "index", "rollback", "seed-0001", "--also", "seed-0003", "--also", "seed-0002", code=1
    )["workspaces"]  # fmt: skip
    assert [("error" in each) for each in told] == [False, True, False]
    assert {slug: _serving(arcana, slug) for slug in served} == served


def _serving(arcana: Arcana, slug: str) -> int:
    (index,) = arcana.json("index", "list", slug)["indexes"]
    (build,) = [each["build"] for each in index["builds"] if each["state"] == "active"]
    return int(build)
