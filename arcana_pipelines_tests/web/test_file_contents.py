"""The bytes of files over HTTP: who gets them, in which parts, and what a browser is told of them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import httpx
import pytest

from arcana_pipelines.files.stores.links import is_link, link_key
from arcana_pipelines.files.stores.registry import key_of, open_file_store
from arcana_pipelines.web import files
from arcana_pipelines_tests.files.buckets import BucketServer
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SECRET_KEY, Api, served

NAME = "휴가 규정 2026.pdf"
BYTES = random.Random(1).randbytes(3 * 1024 * 1024 + 7)
SHA256 = hashlib.sha256(BYTES).hexdigest()


def add_file(api: Api, tmp_path: Path, slug: str = "acme", mime_type: str = "application/pdf") -> tuple[str, str]:
    """Make the document of a page of a workspace that of a file; its id, and the key of its bytes."""
    with api.acme.database.connection() as connection, connection.transaction():
        workspace_id, company_id, platform, page, document_id = connection.execute(
            "SELECT w.workspace_id, w.company_id, w.platform, p.external_id, p.document_id FROM workspace w "
            "JOIN source_page p USING (workspace_id) WHERE w.slug = %s ORDER BY p.external_id LIMIT 1",
            [slug],
        ).fetchone()
        key = key_of(company_id, platform, workspace_id, SHA256)
        connection.execute(
            "INSERT INTO stored_file (workspace_id, sha256, size, kind, mime_type, storage_key) "
            "VALUES (%s, %s, %s, 'pdf', %s, %s)",
            [workspace_id, bytes.fromhex(SHA256), len(BYTES), mime_type, key],
        )
        connection.execute(
            "INSERT INTO source_file (workspace_id, external_id, page_external_id, file_id, position, name, origin, "
            "state, document_id, sha256) VALUES (%s, %s, %s, 'f', 0, %s, 'pdf', 'parsed', %s, %s)",
            [workspace_id, f"{page}#f", page, NAME, document_id, bytes.fromhex(SHA256)],
        )
    (tmp_path / "bytes").write_bytes(BYTES)
    with open_file_store(api.settings) as store:
        store.put(key, tmp_path / "bytes", SHA256, len(BYTES))
    return str(document_id), key


@pytest.fixture
def file(api: Api, tmp_path: Path) -> tuple[str, str]:
    return add_file(api, tmp_path)


def content(client: httpx.Client, document_id: str, **headers: str) -> httpx.Response:
    return client.get(f"/v1/files/{document_id}/content", headers={n.replace("_", "-"): v for n, v in headers.items()})


class TestContent:
    def test_is_sent_whole_to_be_saved_under_its_name(self, api: Api, file: tuple[str, str]) -> None:
        with api.client("read") as client:
            answer = content(client, file[0])
        assert (answer.status_code, answer.content) == (200, BYTES)
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-length"] == str(len(BYTES))
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith("attachment; ") and unquote(disposition.partition("''")[2]) == NAME
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "x-ratelimit-remaining" in answer.headers or "ratelimit-remaining" in answer.headers

    def test_is_sent_in_parts(self, api: Api, file: tuple[str, str]) -> None:
        with api.client("read") as client:
            got = b""
            while len(got) < len(BYTES):
                answer = content(client, file[0], Range=f"bytes={len(got)}-{len(got) + 1_000_000}")
                assert answer.status_code == 206
                end = min(len(got) + 1_000_000, len(BYTES) - 1)
                assert answer.headers["content-range"] == f"bytes {len(got)}-{end}/{len(BYTES)}"
                got += answer.content
            assert got == BYTES
            tag = answer.headers["etag"]
            assert content(client, file[0], Range="bytes=5-9", If_Range=tag).content == BYTES[5:10]
            assert content(client, file[0], Range="bytes=5-9", If_Range='"other"').content == BYTES
            none = content(client, file[0], Range=f"bytes={len(BYTES)}-")
            assert (none.status_code, none.headers["content-range"]) == (416, f"bytes */{len(BYTES)}")
            assert none.json()["type"].endswith("invalid-request")
            seen = content(client, file[0], If_None_Match=tag)
            assert (seen.status_code, seen.content) == (304, b"")

    @pytest.mark.parametrize("mime_type", ["text/html", "image/svg+xml", "nonsense\r\nX: y"])
    def test_of_a_type_that_a_browser_would_run_is_sent_as_bytes(
        self, api: Api, tmp_path: Path, mime_type: str
    ) -> None:
        document_id, _ = add_file(api, tmp_path, mime_type=mime_type)
        with api.client("read") as client:
            assert content(client, document_id).headers["content-type"] == "application/octet-stream"

    def test_is_for_keys_that_may_read_the_document(self, api: Api, file: tuple[str, str], tmp_path: Path) -> None:
        others, _ = add_file(api, tmp_path, "globex")
        with api.client("read") as ours, api.client("read", slug="globex") as theirs:
            unknown = content(ours, str(uuid4()))
            for client, document_id in ((ours, others), (theirs, file[0])):
                for what in ("content", "link"):
                    answer = client.get(f"/v1/files/{document_id}/{what}")
                    told = {**answer.json(), "request_id": ""}
                    assert answer.status_code == 404 and told == {**unknown.json(), "request_id": ""}
            assert content(theirs, others).status_code == content(ours, file[0]).status_code == 200
        with api.client("search", "feedback") as client:
            assert content(client, file[0]).status_code == 403
        with api.client("read", index="another") as client:
            assert content(client, file[0]).status_code == 404
            assert client.get(f"/v1/files/{file[0]}/content?index=another").status_code == 404
        with api.with_key(None) as client:
            assert content(client, file[0]).status_code == 401
        with api.client("read") as client:
            assert client.get("/v1/files/..%2f..%2fetc/content").status_code in (404, 422)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE source_file SET state = 'removed'",
            "UPDATE document SET deleted_at = now()",
            "DELETE FROM published_document",
            "UPDATE source_file SET sha256 = NULL",
            # Of another workspace: no row leads there.
            "UPDATE stored_file f SET storage_key = replace(storage_key, f.workspace_id::text, w.company_id::text) "
            "FROM workspace w WHERE w.workspace_id = f.workspace_id",
            "UPDATE stored_file SET storage_key = '../../../../etc/passwd'",
        ],
    )
    def test_is_not_sent_where_the_document_is_not_served_or_its_bytes_are_not_kept(
        self, api: Api, file: tuple[str, str], change: str
    ) -> None:
        with api.client("read") as client:
            assert content(client, file[0]).status_code == 200
            with api.acme.database.connection() as connection:
                connection.execute(change)
            assert content(client, file[0]).status_code == 404

    def test_that_is_damaged_or_gone_is_never_whole(self, api: Api, file: tuple[str, str]) -> None:
        stored = api.settings.storage_root / "files" / file[1]
        with api.client("read") as client:
            stored.write_bytes(BYTES[:-1] + b"!")
            with pytest.raises(httpx.RemoteProtocolError):
                content(client, file[0])
            stored.write_bytes(b"!")
            answer = content(client, file[0])
            assert answer.status_code == 500 and file[1] not in answer.text
            stored.unlink()
            answer = content(client, file[0])
            assert answer.status_code == 404 and file[1] not in answer.text

    def test_is_counted_as_a_request_of_the_key_in_its_workspace(self, companies: Harness, tmp_path: Path) -> None:
        with served(companies) as api:
            document_id, _ = add_file(api, tmp_path)
            with api.client("read") as client:
                content(client, document_id)
        with companies.database.connection() as connection:
            (used,) = connection.execute(
                "SELECT action, route, status, workspace_id IS NOT NULL FROM api_usage_logs"
            ).fetchall()
        assert used == ("read", "/v1/files/{document_id}/content", 200, True)


class TestALink:
    def test_gives_the_file_without_a_key_until_it_is_over(
        self, api: Api, file: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with api.client("read") as client:
            told = client.get(f"/v1/files/{file[0]}/link?seconds=60").json()
        left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
        assert 0 < left.total_seconds() <= 61 and told["url"].startswith("/linked-files/")
        with api.with_key(None) as anybody:
            answer = anybody.get(told["url"])
            assert (answer.status_code, answer.content) == (200, BYTES)
            assert answer.headers["content-type"] == "application/octet-stream"
            assert unquote(answer.headers["content-disposition"].partition("''")[2]) == NAME
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert anybody.get(told["url"], headers={"Range": "bytes=1-3"}).content == BYTES[1:4]
            for tampered in (
                told["url"].replace("2026.pdf", "2026.exe"),
                told["url"].replace("expires=", "expires=9"),
                told["url"][:-1] + ("0" if told["url"][-1] != "0" else "1"),
                told["url"].replace("/linked-files/", "/linked-files/..%2f"),
            ):
                assert anybody.get(tampered).status_code == 403
            assert anybody.get("/linked-files/x").status_code == 422
            now = datetime.fromisoformat(told["expires_at"]).timestamp()
            monkeypatch.setattr(files.time, "time", lambda: now)  # type: ignore[attr-defined]
            assert anybody.get(told["url"]).status_code == 403

    def test_to_bytes_that_are_gone_gives_nothing(self, api: Api, file: tuple[str, str]) -> None:
        with api.client("read") as client:
            url = client.get(f"/v1/files/{file[0]}/link").json()["url"]
            (api.settings.storage_root / "files" / file[1]).unlink()
            assert client.get(url).status_code == 404

    @pytest.mark.parametrize("seconds", [0, 301, -1])
    def test_holds_for_some_minutes_at_most(self, api: Api, file: tuple[str, str], seconds: int) -> None:
        with api.client("read") as client:
            assert client.get(f"/v1/files/{file[0]}/link?seconds={seconds}").status_code == 422

    def test_leads_to_the_host_that_serves_copies_where_there_is_one(self, companies: Harness, tmp_path: Path) -> None:
        with served(companies, file_cdn_base_url="https://cdn.example/f") as api:
            document_id, key = add_file(api, tmp_path)
            with api.client("read") as client:
                url = client.get(f"/v1/files/{document_id}/link").json()["url"]
        assert url.startswith(f"https://cdn.example/f/{key}?")
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert is_link(link_key(SECRET_KEY.get_secret_value()), key, **asked, now=0)


class TestABucket:
    @pytest.fixture
    def of_bucket(self, companies: Harness, ministack: BucketServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
        variables = ministack.environment(ministack.new_bucket())
        with served(companies, **{name.lower(): _secret(name, value) for name, value in variables.items()}) as api:
            yield api

    def test_gives_the_bytes_and_addresses_of_its_own(self, of_bucket: Api, tmp_path: Path) -> None:
        document_id, _ = add_file(of_bucket, tmp_path)
        with of_bucket.client("read") as client:
            assert content(client, document_id).content == BYTES
            assert content(client, document_id, Range="bytes=-5").content == BYTES[-5:]
            url = client.get(f"/v1/files/{document_id}/link").json()["url"]
        assert "X-Amz-Signature" in url and httpx.get(url).content == BYTES

    def test_that_is_down_is_waited_for(self, of_bucket: Api, tmp_path: Path, ministack: BucketServer) -> None:
        document_id, _ = add_file(of_bucket, tmp_path)
        ministack.kill()
        try:
            with of_bucket.client("read") as client:
                answer = content(client, document_id)
        finally:
            ministack.start()
        assert answer.status_code == 503 and answer.headers["retry-after"] and "127.0.0.1" not in answer.text
        with of_bucket.client("read") as client:
            assert content(client, document_id).content == BYTES


def _secret(name: str, value: str) -> object:
    from pydantic import SecretStr

    return SecretStr(value) if name in ("S3_ACCESS_KEY", "S3_SECRET_KEY") else value
