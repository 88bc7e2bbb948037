"""A file given away encrypted is read by who has a key, and by nobody on the way; nothing of it stays in clear."""

from __future__ import annotations

import json
from pathlib import Path

import pyrage
import pytest

from arcana_pipelines.cli.main import main
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.operations.export_encrypted import encrypted
from arcana_pipelines.retrieval import Searcher
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness

TEXT = "연차 휴가는 15일입니다."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "exports").mkdir()
    return tmp_path / "exports"


@pytest.mark.parametrize("ending", ["sqlite", "jsonl"])
def test_who_has_one_of_the_keys_reads_what_was_exported(
    acme: Harness, folder: Path, ending: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.world.add_page("휴가", blocks=[blocks.paragraph(TEXT)])
    acme.sync()
    settings = acme.database.settings
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("ARCANA_HOME", str(settings.home))
    ours, theirs, stranger = (pyrage.x25519.Identity.generate() for _ in range(3))
    file = folder / f"acme.{ending}.age"
    kind = "--sqlite" if ending == "sqlite" else "--documents"
    keys = [f"--encrypt-to={each.to_public()}" for each in (ours, theirs)]
    with pytest.raises(SystemExit) as ended:
        main(["export", "acme", kind, str(file), *keys, "--json"])
    assert ended.value.code == 0 and json.loads(capsys.readouterr().out)["file"] == str(file)
    assert list(folder.iterdir()) == [file] and TEXT.encode() not in file.read_bytes()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file.read_bytes(), [stranger])
    plain = folder / file.stem
    plain.write_bytes(pyrage.decrypt(file.read_bytes(), [theirs]))
    if ending == "jsonl":
        assert TEXT in json.loads(plain.read_text(encoding="utf-8").splitlines()[0])["text"]
    else:
        with Searcher.from_file(plain) as searcher:
            assert [hit.title for hit in searcher.search("연차", min_score=0).hits] == ["휴가"]


def test_an_export_that_fails_leaves_nothing(folder: Path) -> None:
    key = str(pyrage.x25519.Identity.generate().to_public())

    def fail() -> None:
        with encrypted(folder / "a.csv.age", [key], False) as place:
            place.write_text(TEXT)
            assert place.parent.stat().st_mode & 0o77 == 0
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert list(folder.iterdir()) == []


def test_a_file_that_is_there_stays_unless_it_may_be_overwritten(folder: Path) -> None:
    key = str(pyrage.x25519.Identity.generate().to_public())
    file = folder / "a.csv.age"
    file.write_text("before")
    with pytest.raises(WrongUse, match="is there already"), encrypted(file, [key], False):
        pass
    assert file.read_text() == "before"
    with encrypted(file, [key], True) as place:
        place.write_text("after")
    assert file.read_bytes().startswith(b"age-encryption.org/v1")


@pytest.mark.parametrize("key", ["AGE-SECRET-KEY-1QQQ", "age1zzz", "ssh-ed25519 nothing", "ssh-dss AAAA", ""])
def test_what_is_no_public_key_is_refused_and_not_repeated(folder: Path, key: str) -> None:
    with pytest.raises(WrongUse, match="takes a public key") as refused, encrypted(folder / "a.csv.age", [key], False):
        pass
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("name", ["a.csv", "a.age", "a"])
def test_the_name_says_what_it_is_and_what_is_in_it(folder: Path, name: str) -> None:
    with pytest.raises(WrongUse, match=r"index.sqlite.age"), encrypted(folder / name, ["age1"], False):
        pass
