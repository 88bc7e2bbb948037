"""Servers with a bucket, on loopback, one of each kind for all tests of a process. They can be killed and come back.

Neither does all that Amazon's does: ministack keeps to conditions, sums and the times of addresses, and looks at no
signature of a request; nanio looks at all signatures, and ignores conditions and sums.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config


class BucketServer:
    """A server with what it holds in a folder."""

    def __init__(self, module: str, arguments: list[str], environment: Mapping[str, str], port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.access_key, self.secret_key = "test", "test"
        self._port = port
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment = {"PATH": os.environ["PATH"], **environment}
        self._client: Any = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self) -> Any:
        """Somebody who changes what it holds behind our back."""
        if self._client is None:
            session = boto3.session.Session(self.access_key, self.secret_key, region_name="us-east-1")
            config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
            self._client = session.client("s3", endpoint_url=self.endpoint, config=config)
        return self._client

    def new_bucket(self) -> str:
        """The name of a bucket of one test's own."""
        bucket = f"arcana-{uuid4().hex}"
        self.client().create_bucket(Bucket=bucket)
        return bucket

    def environment(self, bucket: str) -> dict[str, str]:
        """The variables that name it."""
        return {
            "S3_ENDPOINT_URL": self.endpoint,
            "S3_BUCKET_NAME": bucket,
            "S3_ACCESS_KEY": self.access_key,
            "S3_SECRET_KEY": self.secret_key,
        }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """A server that keeps to conditions, sums and expiry."""
    folder, port = tmp_path_factory.mktemp("ministack"), _free_port()
    environment = {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": f"unix://{folder}/nobody",
        "GATEWAY_PORT": str(port),
        "HOME": str(folder),
        # No more doors than this one.
        "IOT_MTLS_ENABLED": "0",
        "S3_DATA_DIR": str(folder),
        "S3_PERSIST": "1",
        "SERVICES": "s3",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder),
    }
    yield from _running(BucketServer("ministack", [], environment, port))


@pytest.fixture(scope="session")
def nanio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    """A server that looks at signatures."""
    folder, port = tmp_path_factory.mktemp("nanio"), _free_port()
    environment = {"NANIO_ACCESS_KEY": "test", "NANIO_SECRET_KEY": "test-secret", "HOME": str(folder)}
    server = BucketServer(
        "nanio", ["serve", "--host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder)], environment, port
    )
    server.secret_key = "test-secret"
    yield from _running(server)


def _running(server: BucketServer) -> Iterator[BucketServer]:
    server.start()
    try:
        yield server
    finally:
        server.kill()
        server.client().close()
