"""The default `.arcana` of a current directory is used when it was made there, not when files of others brought it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from arcana_pipelines import home as homes
from arcana_pipelines.environment import read_env_files
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.home import make_home
from arcana_pipelines.settings import load_settings


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory and a user's state of its own; nothing names ARCANA_HOME."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("ARCANA_HOME", "ARCANA_ENV_FILE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return here


@pytest.fixture(params=["attributes", "no attributes"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    if request.param == "no attributes":
        monkeypatch.setattr(os, "setxattr", refuse)
        monkeypatch.setattr(os, "getxattr", refuse)
    return str(request.param)


def test_one_that_was_made_here_is_used_again(elsewhere: Path, file_system: str) -> None:
    assert not load_settings().home.exists()
    make_home(elsewhere / ".arcana")
    (elsewhere / ".arcana" / ".env").write_text("ALERT_WEBHOOK_URL=https://alerts.example/x\n")
    assert [file.refused for file in read_env_files()] == [None]
    assert load_settings().home == elsewhere / ".arcana"
    make_home(elsewhere / ".arcana")
    assert load_settings().home.stat().st_mode & 0o777 == 0o700


def test_an_empty_one_that_was_there_is_closed_and_one_that_holds_something_is_left(elsewhere: Path) -> None:
    for name, mode in (("empty", 0o700), ("full", 0o755)):
        home = elsewhere / name
        home.mkdir()
        home.chmod(0o755)
        if name == "full":
            (home / "file").touch()
        make_home(home)
        assert home.stat().st_mode & 0o777 == mode


def test_one_that_was_unpacked_or_copied_is_refused_with_what_to_do_and_its_env_file_is_not_read(
    elsewhere: Path, file_system: str
) -> None:
    make_home(elsewhere / "there" / ".arcana")
    for brought in ("mkdir", "copy"):
        if brought == "mkdir":
            (elsewhere / ".arcana").mkdir()
        else:
            shutil.copytree(elsewhere / "there" / ".arcana", elsewhere / ".arcana")  # extended attributes too
        (elsewhere / ".arcana" / ".env").write_text("DATABASE_URL=postgresql://thief.example/x\n")
        assert read_env_files() == []
        with pytest.raises(InvalidSetting, match=f"export ARCANA_HOME={elsewhere}/.arcana"):
            load_settings()
        shutil.rmtree(elsewhere / ".arcana")


@pytest.mark.parametrize("planted", ["open to others", "of another user", "a link"])
def test_one_that_others_may_have_written_is_refused_although_it_is_marked(
    elsewhere: Path, file_system: str, monkeypatch: pytest.MonkeyPatch, planted: str
) -> None:
    home = elsewhere / ".arcana"
    make_home(elsewhere / "real" / ".arcana" if planted == "a link" else home)
    if planted == "a link":
        home.symlink_to(elsewhere / "real" / ".arcana")
    elif planted == "open to others":
        home.chmod(0o777)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(InvalidSetting, match="export ARCANA_HOME"):
        load_settings()


def test_one_that_is_named_is_used_whoever_made_it(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / ".arcana").mkdir()
    monkeypatch.setenv("ARCANA_HOME", ".arcana")
    assert load_settings().home == elsewhere / ".arcana"


def test_one_that_was_moved_with_its_folder_is_known(elsewhere: Path) -> None:
    make_home(elsewhere / "old" / ".arcana")
    if not homes.is_known(elsewhere / "old" / ".arcana"):
        pytest.skip("this file system has no extended attributes")
    (elsewhere / "old").rename(elsewhere / "new")
    os.chdir(elsewhere / "new")
    assert load_settings().home == elsewhere / "new" / ".arcana"
