"""Every store of files keeps to the protocol: a directory, two servers with a bucket, and the bucket of somebody's own.

The last one is tested where S3_TEST_ENDPOINT, S3_TEST_BUCKET, S3_TEST_ACCESS_KEY and S3_TEST_SECRET_KEY name one when
the tests begin: one with nothing in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.files.stores import s3
from arcana_pipelines.testing.conformance.file_stores import COMPANY, SECRET, FileStoreConformance
from arcana_pipelines_tests.files.buckets import BucketServer

_LIVE = ("S3_TEST_ENDPOINT", "S3_TEST_BUCKET", "S3_TEST_ACCESS_KEY", "S3_TEST_SECRET_KEY")
LIVE = {name: os.environ.get(name, "") for name in _LIVE}
NOBODY = {
    "S3_ENDPOINT_URL": "http://127.0.0.1:9",
    "S3_BUCKET_NAME": "nobody",
    "S3_ACCESS_KEY": "nobody",
    "S3_SECRET_KEY": SECRET,
}


class TestDirectory(FileStoreConformance):
    @pytest.fixture
    def variables(self) -> Mapping[str, str]:
        return {}

    @pytest.fixture
    def overwrite(self, tmp_path: Path) -> Callable[[str, bytes], None]:
        return lambda key, content: _overwrite(tmp_path / "home" / "storage" / "files" / key, content)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Mapping[str, str]:
        (tmp_path / "a-file").write_bytes(b"")
        return {"ARCANA_HOME": str(tmp_path / "a-file")}


class _Bucket(FileStoreConformance):
    PART = 5 * 1024 * 1024  # the least that Amazon takes

    @pytest.fixture(autouse=True)
    def _short_pages_and_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(s3, "_PAGE", 7)
        monkeypatch.setattr(s3, "PART_BYTES", self.PART)

    @pytest.fixture
    def server(self) -> BucketServer:
        raise NotImplementedError

    @pytest.fixture
    def variables(self, server: BucketServer) -> Mapping[str, str]:
        return server.environment(server.new_bucket())

    @pytest.fixture
    def overwrite(self, server: BucketServer, variables: Mapping[str, str]) -> Callable[[str, bytes], None]:
        client = server.client()
        return lambda key, content: client.put_object(Bucket=variables["S3_BUCKET_NAME"], Key=key, Body=content)

    @pytest.fixture
    def broken(self) -> Mapping[str, str]:
        return NOBODY


class TestMinistack(_Bucket):
    @pytest.fixture
    def server(self, ministack: BucketServer) -> BucketServer:
        return ministack


class TestNanio(_Bucket):
    @pytest.fixture
    def server(self, nanio: BucketServer) -> BucketServer:
        return nanio


@pytest.mark.skipif(not all(LIVE.values()), reason=f"{', '.join(_LIVE)} name no bucket")
class TestLive(FileStoreConformance):
    @pytest.fixture
    def variables(self) -> Iterator[Mapping[str, str]]:
        client = _live_client()
        assert not client.list_objects_v2(Bucket=LIVE["S3_TEST_BUCKET"], MaxKeys=1).get("Contents"), "not empty"
        yield {
            "S3_ENDPOINT_URL": LIVE["S3_TEST_ENDPOINT"],
            "S3_BUCKET_NAME": LIVE["S3_TEST_BUCKET"],
            "S3_ACCESS_KEY": LIVE["S3_TEST_ACCESS_KEY"],
            "S3_SECRET_KEY": LIVE["S3_TEST_SECRET_KEY"],
        }
        for page in client.get_paginator("list_objects_v2").paginate(
            Bucket=LIVE["S3_TEST_BUCKET"], Prefix=str(COMPANY)
        ):
            for each in page.get("Contents", ()):
                client.delete_object(Bucket=LIVE["S3_TEST_BUCKET"], Key=each["Key"])
        client.close()

    @pytest.fixture
    def overwrite(self) -> Iterator[Callable[[str, bytes], None]]:
        client = _live_client()
        yield lambda key, content: client.put_object(Bucket=LIVE["S3_TEST_BUCKET"], Key=key, Body=content)
        client.close()


def _live_client() -> Any:
    server = BucketServer("nothing", [], {}, 0)
    server.endpoint = LIVE["S3_TEST_ENDPOINT"]
    server.access_key, server.secret_key = LIVE["S3_TEST_ACCESS_KEY"], LIVE["S3_TEST_SECRET_KEY"]
    return server.client()


def _overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)
