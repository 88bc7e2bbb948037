"""What a bucket does that a directory need not: parts, conditions, addresses that expire, and what services refuse."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import httpx
import pytest

from arcana_pipelines.errors import FileStoreRefused, FileStoreUnreachable, InvalidSetting
from arcana_pipelines.files.stores import s3
from arcana_pipelines.files.stores.protocol import FileStore
from arcana_pipelines.files.stores.registry import open_file_store
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.file_stores import MIB, SECRET, File
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines_tests.files.buckets import BucketServer
from arcana_pipelines_tests.files.killed import Killed, is_killed

EVER = datetime.now(UTC) + timedelta(days=2)
PART = 5 * MIB


class Refusing(AnsweringServer):
    """A service that has nothing, and refuses what is written as it is told to."""

    def __init__(self, status: int, code: str, *, only_conditions: bool = False) -> None:
        self._status, self._code = status, code
        self._only_conditions = only_conditions
        self.requests: list[Request] = []
        super().__init__()

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.method == "HEAD":
            return Answer(404, b"")
        if self._only_conditions and "if-none-match" not in request.headers:
            return Answer(200, b"", {"ETag": '"1"'})
        said = f"<Error><Code>{self._code}</Code><Message>{SECRET}</Message></Error>"
        return Answer(self._status, said.encode(), {"Content-Type": "application/xml"})


@pytest.fixture(params=["ministack", "nanio"])
def server(request: pytest.FixtureRequest) -> BucketServer:
    found: BucketServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., FileStore]]:
    """Opens stores that are closed at the end, with these variables."""
    stores = []

    def open_(server: BucketServer | None = None, **variables: str) -> FileStore:
        named = {} if server is None else server.environment(server.new_bucket())
        given = {name.lower(): value for name, value in {**named, **variables}.items()}
        store = open_file_store(Settings(arcana_home=tmp_path / "home", **given), hurried_seconds=3)
        stores.append(store)
        return store.__enter__()

    yield open_
    for store in stores:
        store.__exit__(None, None, None)


def address_of(store: FileStore, file: File, name: str = "a.pdf", mime_type: str = "application/pdf") -> str:
    address = store.address(file.key, name, mime_type, 300)
    assert address is not None
    return address


@pytest.mark.slow
def test_an_upload_of_parts_that_is_killed_before_any_request_is_no_object_and_is_swept(
    opened: Callable[..., FileStore], server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", PART)
    bucket = server.new_bucket()
    store = opened(**server.environment(bucket))
    file = File.of(tmp_path, 1, 2 * PART + 1)

    def put(killed: Killed) -> None:
        own = opened(**server.environment(bucket))
        own.client.meta.events.register("before-send.s3", lambda **_: killed.point())  # type: ignore[attr-defined]
        file.put_into(own)

    for at in itertools.count(1):
        assert store.size(file.key) is None and list(store.listing("")) == []
        if not is_killed(put, at):
            break
    # Asked for, begun, three parts and the end.
    assert at - 1 == 6
    assert b"".join(store.read(file.key)) == file.content
    assert store.sweep_leftovers(datetime.now(UTC) - timedelta(days=1)) == 0
    assert [store.sweep_leftovers(EVER) for _ in range(2)] == [4, 0]
    assert b"".join(store.read(file.key)) == file.content


@pytest.mark.parametrize("size", [100, PART + 1])
def test_bytes_that_turn_on_their_way_are_refused_by_a_service_that_compares(
    opened: Callable[..., FileStore],
    ministack: BucketServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
) -> None:
    monkeypatch.setattr(s3, "PART_BYTES", PART)
    store = opened(ministack)
    file = File.of(tmp_path, 1, size)
    right = s3._sum
    monkeypatch.setattr(s3, "_sum", lambda content: right(content + b"."))
    with pytest.raises(FileStoreRefused, match="BadDigest"):
        file.put_into(store)
    assert store.size(file.key) is None and store.sweep_leftovers(EVER) == 0


def test_an_object_is_written_once_where_conditions_are_kept(
    opened: Callable[..., FileStore], ministack: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that both looked before either wrote."""
    monkeypatch.setattr(s3, "PART_BYTES", PART)
    store = opened(ministack)
    for number, size in ((1, 100), (2, PART + 1)):
        file = File.of(tmp_path, number, size).put_into(store)
        before = list(store.listing(file.key))
        with monkeypatch.context() as patched:
            patched.setattr(s3.S3Store, "_size", _late(s3.S3Store._size))
            file.put_into(store)
        assert list(store.listing(file.key)) == before
    assert store.sweep_leftovers(EVER) == 0


def _late(size: Callable[..., int | None]) -> Callable[..., int | None]:
    """Finds nothing the first time."""
    times = itertools.count()
    return lambda *asked: size(*asked) if next(times) else None


def test_an_address_gives_the_file_under_its_name_until_it_expires(
    opened: Callable[..., FileStore], server: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(server)
    file = File.of(tmp_path, 1, MIB).put_into(store)
    address = address_of(store, file, "휴가 규정 (2026).pdf")
    assert httpx.get(address).content == file.content
    other = File.of(tmp_path, 2).put_into(store)
    for tampered in (
        address.replace(file.key, other.key),
        address.replace("2026", "2027"),
        address.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"),
        address[:-1] + ("0" if address[-1] != "0" else "1"),
    ):
        assert tampered != address and httpx.get(tampered).status_code == 403
    now = datetime.now(UTC).replace(tzinfo=None)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now - timedelta(seconds=400))
    assert httpx.get(address_of(store, file)).status_code == 403


def test_a_browser_is_told_to_save_a_file_by_its_name_whatever_that_is(
    opened: Callable[..., FileStore], ministack: BucketServer, tmp_path: Path
) -> None:
    store = opened(ministack)
    file = File.of(tmp_path, 1).put_into(store)
    answer = httpx.get(address_of(store, file, "휴가 규정.pdf"))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"__ __.pdf\"; filename*=UTF-8''%ED%9C%B4%EA%B0%80%20%EA%B7%9C%EC%A0%95.pdf"
    )
    hostile = 'x"; filename=evil.exe\r\nSet-Cookie: a=b\r\n\r\n<script>'
    answer = httpx.get(address_of(store, file, hostile, "text/html"))
    assert answer.status_code == 200 and "set-cookie" not in answer.headers
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].count('"') == 2


def test_an_address_holds_no_secret_and_is_signed_by_the_fourth_version(
    opened: Callable[..., FileStore], tmp_path: Path
) -> None:
    store = opened(
        S3_ENDPOINT_URL="https://files.example", S3_BUCKET_NAME="b", S3_ACCESS_KEY="key", S3_SECRET_KEY=SECRET
    )
    address = address_of(store, File.of(tmp_path, 1))
    asked = parse_qs(urlsplit(address).query)
    assert asked["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"] and asked["X-Amz-Expires"] == ["300"]
    assert address.startswith("https://files.example/b/") and SECRET not in address


@pytest.mark.parametrize(
    ("server", "change", "said"),
    [
        (
            "ministack",
            {"S3_BUCKET_NAME": "nobody-made-it"},
            "there is no such bucket: make it, or correct S3_BUCKET_NAME",
        ),
        ("nanio", {"S3_BUCKET_NAME": "No Bucket!"}, "S3_BUCKET_NAME"),
        ("nanio", {"S3_SECRET_KEY": SECRET}, "S3_SECRET_KEY does not belong to S3_ACCESS_KEY"),
        ("nanio", {"S3_ACCESS_KEY": "somebody-else"}, "it does not know the key of S3_ACCESS_KEY"),
    ],
    indirect=["server"],
)
def test_what_is_set_wrongly_is_told_with_what_to_do_and_no_secret(
    opened: Callable[..., FileStore], server: BucketServer, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    store = opened(**{**server.environment(server.new_bucket()), **change})
    file = File.of(tmp_path, 1)
    asks: list[Callable[[], Any]] = [
        store.answer,
        lambda: file.put_into(store),
        lambda: list(store.listing("")),
        lambda: store.read(file.key),
        lambda: store.size(file.key),
    ]
    for ask in asks:
        with pytest.raises(FileStoreRefused, match=said) as raised:
            ask()
        assert SECRET not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (403, "AccessDenied", FileStoreRefused, "ask who runs it for the rights s3:GetObject"),
        (403, "RequestTimeTooSkewed", FileStoreRefused, "the clock of this machine is wrong"),
        (400, "ExpiredToken", FileStoreRefused, "the credentials have expired"),
        (301, "PermanentRedirect", FileStoreRefused, "correct S3_REGION"),
        (507, "XMinioStorageFull", FileStoreRefused, "ask who runs it for more room"),
        (507, "Whatever", FileStoreRefused, "is full"),
        (400, "Odd<b>Code", FileStoreRefused, "refuses"),
        (503, "SlowDown", FileStoreUnreachable, "does not answer now"),
        (500, "InternalError", FileStoreUnreachable, "does not answer now"),
        (429, "TooManyRequests", FileStoreUnreachable, "does not answer now"),
        (412, "PreconditionFailed", FileStoreUnreachable, "changed by somebody else"),
        (409, "ConditionalRequestConflict", FileStoreUnreachable, "changed by somebody else"),
    ],
)
def test_each_refusal_says_whether_to_wait_or_what_to_do_in_our_own_words(
    opened: Callable[..., FileStore], tmp_path: Path, status: int, code: str, kind: type[Exception], said: str
) -> None:
    with Refusing(status, code) as refusing:
        store = opened(S3_ENDPOINT_URL=refusing.address, S3_BUCKET_NAME="b", S3_ACCESS_KEY="k", S3_SECRET_KEY="s")
        with pytest.raises(kind, match=said) as raised:
            File.of(tmp_path, 1).put_into(store)
    assert SECRET not in str(raised.value) and "<" not in str(raised.value)


def test_a_service_that_knows_no_conditions_is_asked_without(opened: Callable[..., FileStore], tmp_path: Path) -> None:
    with Refusing(501, "NotImplemented", only_conditions=True) as refusing:
        store = opened(S3_ENDPOINT_URL=refusing.address, S3_BUCKET_NAME="b", S3_ACCESS_KEY="k", S3_SECRET_KEY="s")
        File.of(tmp_path, 1).put_into(store)
        puts = [request for request in refusing.requests if request.method == "PUT"]
    assert [request.headers.get("if-none-match") for request in puts] == ["*", None]
    assert all("x-amz-checksum-sha256" in request.headers for request in puts)
    assert not any("x-amz-server-side-encryption" in request.headers for request in puts)


def test_a_service_that_lists_no_uploads_has_none_to_sweep(opened: Callable[..., FileStore]) -> None:
    with Refusing(501, "NotImplemented") as refusing:
        store = opened(S3_ENDPOINT_URL=refusing.address, S3_BUCKET_NAME="b", S3_ACCESS_KEY="k", S3_SECRET_KEY="s")
        assert store.sweep_leftovers(EVER) == 0


def test_without_keys_those_of_the_machine_are_looked_for_and_none_is_told(
    opened: Callable[..., FileStore], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3._session.cache_clear()
    store = opened(S3_ENDPOINT_URL="http://127.0.0.1:9", S3_BUCKET_NAME="b")
    with pytest.raises(FileStoreRefused, match="set S3_ACCESS_KEY and S3_SECRET_KEY, or give this machine a role"):
        store.answer()
    s3._session.cache_clear()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"S3_ACCESS_KEY": "k"}, "belong together"),
        ({"S3_SECRET_KEY": SECRET}, "belong together"),
        ({"S3_ENDPOINT_URL": f"https://me:{SECRET}@files.example"}, "holds no name or password"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_without_showing_them(
    opened: Callable[..., FileStore], variables: dict[str, str], said: str
) -> None:
    with pytest.raises(InvalidSetting, match=said) as raised:
        opened(S3_BUCKET_NAME="b", **variables)
    assert SECRET not in str(raised.value)


def test_an_endpoint_that_is_no_address_or_a_region_that_is_none_is_told(opened: Callable[..., FileStore]) -> None:
    with pytest.raises(FileStoreRefused, match="correct S3_ENDPOINT_URL or S3_REGION"):
        opened(S3_BUCKET_NAME="b", S3_REGION="no region!", S3_ACCESS_KEY="k", S3_SECRET_KEY="s").answer()
