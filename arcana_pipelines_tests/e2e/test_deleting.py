"""What deletes for good asks first, and deletes nothing where nobody can answer."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import pytest

from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

COMMANDS = (["workspace", "remove", "acme"], ["index", "drop", "acme", "fine"])


class Terminal(io.StringIO):
    """A terminal at which somebody has typed this; nothing: Ctrl-D."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def filled(arcana: Arcana, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    for arguments in (
        ["workspace", "add", "acme", "--source", "notion-export", "--path", str(tmp_path / "export")],
        ["index", "create", "acme", "fine"],
    ):
        done = arcana.here(*arguments)
        assert done.returncode == 0, done.stderr


def typed(arcana: Arcana, command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", Terminal(text))
        return arcana.here(*command)


def is_there(arcana: Arcana) -> bool:
    listed = arcana.here("index", "list", "acme", "--json")
    return listed.returncode == 0 and len(json.loads(listed.stdout)["indexes"]) == 2


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
class TestACommandThatDeletes:
    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_needs_yes_where_nobody_can_be_asked(self, arcana: Arcana, command: list[str], options: list[str]) -> None:
        done = arcana.here(*command, *options)
        assert done.returncode == 2 and "--yes" in done.stderr, done.stderr
        assert not options or "--yes" in json.loads(done.stdout)["error"]
        assert is_there(arcana)

    @pytest.mark.parametrize("answer", ["n\n", "No\n", "\n"])
    def test_deletes_nothing_when_the_answer_is_no(self, arcana: Arcana, command: list[str], answer: str) -> None:
        done = typed(arcana, command, answer)
        assert done.returncode == 1 and "Nothing was removed." in done.stderr, done.stderr
        assert is_there(arcana)

    @pytest.mark.parametrize("answer", ["", "maybe\n"])
    def test_names_yes_when_the_answer_does_not_come(self, arcana: Arcana, command: list[str], answer: str) -> None:
        done = typed(arcana, command, answer)
        assert done.returncode == 2 and "--yes" in done.stderr, done.stderr
        assert is_there(arcana)

    @pytest.mark.parametrize("agreed", ["y\n", "maybe\nYES\n", None])
    def test_deletes_when_somebody_agrees(self, arcana: Arcana, command: list[str], agreed: str | None) -> None:
        done = typed(arcana, command, agreed) if agreed else arcana.here(*command, "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert not is_there(arcana)


@pytest.mark.parametrize("command", [["workspace", "remove", "acne"], ["index", "drop", "acme", "fin"]])
def test_what_is_not_there_is_told_before_anybody_is_asked(arcana: Arcana, command: list[str]) -> None:
    done = typed(arcana, command, "y\n")
    assert done.returncode == 2 and "[y/N]" not in done.stderr, done.stderr


def test_a_promotion_with_no_build_that_waits_says_so(arcana: Arcana) -> None:
    assert "No build of 'fine' waits" in arcana.here("index", "promote", "acme", "fine").stdout
    assert json.loads(arcana.here("index", "promote", "acme", "fine", "--json").stdout)["promoted"] is False


def test_doctor_tells_indexes_in_plain_words_and_a_number_of_hits_is_right(arcana: Arcana) -> None:
    checks = {row["name"]: row for row in json.loads(arcana.here("doctor", "--json").stdout)["checks"]}
    assert checks["indexes"] == {"name": "indexes", "ok": True, "detail": "2 serving: valid and of a fit size"}
    assert arcana("sync", "acme").returncode == 0
    assert "1 hit in" in arcana.here("search", "acme", "badge").stdout
    near = arcana.here("search", "acme", "badge", "--below", "Bagdes")
    assert near.returncode == 2 and "Near it: 'Badges'" in near.stderr, near.stderr
    assert "Near it: 'Badges'" in arcana.here("retry", "acme", "--page", "badge").stderr


def test_a_build_numbered_0_is_no_build_and_not_the_whole_index(arcana: Arcana) -> None:
    done = arcana.here("index", "drop", "acme", "fine", "--build", "0", "--yes")
    assert done.returncode == 2, done.stderr
    assert is_there(arcana)
