"""`arcana doctor` says where files are kept and whether they can be."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from arcana_pipelines.cli.main import main
from arcana_pipelines.testing.conformance.file_stores import SECRET
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines_tests.files.buckets import BucketServer


class Silent(AnsweringServer):
    """Takes a request, and never answers it."""

    def answer(self, request: Request) -> Answer:
        time.sleep(30)  # in a thread that nobody waits for
        return Answer(200, b"")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., object]:
    """What it says, with these variables."""

    def ask(**variables: str) -> object:
        # Nothing else is asked: there is no database.
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
        monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            main(["doctor", "--json"])
        printed = capsys.readouterr().out
        assert SECRET not in printed
        return [(each["ok"], each["detail"]) for each in json.loads(printed)["checks"] if each["name"] == "file_store"]

    return ask


def test_a_directory_is_named_and_not_made(told: Callable[..., list[tuple[bool, str]]], tmp_path: Path) -> None:
    ((ok, detail),) = told()
    assert ok and f"{tmp_path}/home/storage/files will be made, " in detail and detail.endswith("GB are free")
    assert not os.path.exists(tmp_path / "home" / "storage")


def test_a_bucket_is_named_with_where_it_is_and_nothing_is_written_there(
    told: Callable[..., list[tuple[bool, str]]], ministack: BucketServer
) -> None:
    bucket = ministack.new_bucket()
    host = ministack.endpoint.removeprefix("http://")
    assert told(**ministack.environment(bucket)) == [
        (True, f"the bucket '{bucket}' ({host}) answers; it encrypts what it keeps (AES256)")
    ]
    assert "Contents" not in ministack.client().list_objects_v2(Bucket=bucket)


def test_one_that_refuses_says_whom_to_ask(told: Callable[..., list[tuple[bool, str]]], nanio: BucketServer) -> None:
    ((ok, detail),) = told(**{**nanio.environment(nanio.new_bucket()), "S3_SECRET_KEY": SECRET})
    assert not ok and "S3_SECRET_KEY does not belong to S3_ACCESS_KEY" in detail


@pytest.mark.slow
def test_one_that_does_not_answer_is_not_waited_for(told: Callable[..., list[tuple[bool, str]]]) -> None:
    with Silent() as silent:
        ((ok, detail),) = told(
            S3_ENDPOINT_URL=silent.address, S3_BUCKET_NAME="b", S3_ACCESS_KEY="k", S3_SECRET_KEY=SECRET
        )
    assert not ok and "not answer" in detail


def test_where_files_are_off_nothing_is_said(told: Callable[..., list[tuple[bool, str]]]) -> None:
    assert told(FILES="off") == []
