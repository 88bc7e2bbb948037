"""Files that are added over HTTP: as by the command line, by administrators' keys alone, and no more than may be."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import httpx
import pytest

from arcana_pipelines.errors import FileStoreUnreachable
from arcana_pipelines.files.stores.directory import DirectoryStore
from arcana_pipelines.files.stores.incoming import incoming_folder
from arcana_pipelines.taxonomy.given import topics_of
from arcana_pipelines.web.gate import BYTES
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.test_administration import actions

FILES = "/v1/workspaces/acme/files"
LEASE = "The lease of the office ends in March. 사무실 임대차 계약은 3월에 끝난다."


def add(client: httpx.Client, data: bytes | str | Iterator[bytes], name: str = "lease.txt", **more: Any) -> Any:
    content = data.encode() if isinstance(data, str) else data
    return client.post(FILES, params={"name": name, **more}, content=content, headers={"Content-Type": BYTES})


def left(api: Api) -> list[Path]:
    """What lies where files are while they come."""
    return list(incoming_folder(api.settings).glob("*"))


class TestAFileThatIsAdded:
    def test_is_a_document_that_is_found_after_the_next_sync(self, api: Api) -> None:
        with api.administrator() as client, api.client("read", "search") as reader:
            made = add(client, LEASE, "계약/2026/lease.txt")
            assert made.status_code == 201
            added = made.json()
            assert (added["name"], added["folder"], added["outcome"]) == ("lease.txt", "계약/2026", "new")
            (listed,) = reader.get(FILES).json()["files"]
            assert (listed["document_id"], listed["state"], listed["is_added"]) == (
                added["document_id"], "stored", True,
            )  # fmt: skip
            api.acme.sync()
            (listed,) = reader.get(FILES).json()["files"]
            assert (listed["state"], listed["kind"], listed["size"]) == ("parsed", "text", len(LEASE.encode()))
            hit = reader.post("/v1/workspaces/acme/search", json={"query": "office lease March"}).json()["hits"][0]
            assert hit["document_id"] == added["document_id"]
            content = reader.get(f"/v1/files/{added['document_id']}/content")
            assert content.content == LEASE.encode()
        action, what, actor = actions(api)[0]
        assert (action, what) == ("file.added", added["document_id"]) and actor.startswith("key:")
        assert left(api) == []

    def test_is_the_same_document_under_the_same_name(self, api: Api) -> None:
        with api.administrator() as client:
            first, same, changed = add(client, LEASE), add(client, LEASE), add(client, "It ends in May.")
        assert [each.status_code for each in (first, same, changed)] == [201, 200, 200]
        assert [each.json()["outcome"] for each in (first, same, changed)] == ["new", "same", "changed"]
        assert len({each.json()["document_id"] for each in (first, same, changed)}) == 1

    def test_may_hang_on_a_page_and_is_removed_again(self, api: Api) -> None:
        with api.administrator() as client, api.client("read") as reader:
            added = add(client, LEASE, page="Vacation policy").json()
            api.acme.sync()
            (listed,) = reader.get(FILES).json()["files"]
            assert listed["page_id"] is not None and listed["folder"] == ""
            assert client.delete(f"{FILES}/{added['document_id']}").status_code == 204
            assert reader.get(FILES).json()["files"] == []
            api.acme.sync()
            assert reader.get(f"/v1/files/{added['document_id']}/content").status_code == 404
            assert client.delete(f"{FILES}/00000000-0000-0000-0000-000000000000").status_code == 404
        assert actions(api)[0][:2] == ("file.removed", added["document_id"])

    def test_is_listed_with_others_a_page_at_a_time(self, api: Api) -> None:
        with api.administrator() as client, api.client("read") as reader:
            for number in range(5):
                add(client, f"Text {number}", f"{number}.txt")
            names, cursor = [], None
            while cursor is not None or not names:
                answer = reader.get(FILES, params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
                names += [file["name"] for file in answer["files"]]
                cursor = answer["cursor"]
            assert sorted(names) == [f"{number}.txt" for number in range(5)]
            first = reader.get(FILES, params={"limit": 2}).json()["cursor"]
            assert reader.get(FILES, params={"cursor": first, "state": "stored"}).status_code == 422
            assert reader.get(FILES, params={"state": "skipped"}).json() == {"files": [], "cursor": None}


class TestItsTopics:
    @pytest.fixture
    def planted(self, api: Api) -> UUID:
        with api.acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "acme").workspace_id
            plant(connection, workspace_id, "1.0.0", tree_of(["Law/Leases", "법무/계약"]))
        return workspace_id

    def test_come_with_it(self, api: Api, planted: UUID) -> None:
        with api.administrator() as client:
            added = add(client, LEASE, topic=["Law/Leases", "법무/계약"])
        assert added.status_code == 201
        with api.acme.database.connection() as connection:
            found = topics_of(connection, planted, [UUID(added.json()["document_id"])])
        assert [topic.path for held in found.values() for topic in held] == [("Law", "Leases"), ("법무", "계약")]

    @pytest.mark.usefixtures("planted")
    @pytest.mark.parametrize("topic", [["Law", "Law/Leasse"], ["Law//Leases"], [""], ["x" * 4001], ["Law"] * 21])
    def test_are_there_or_nothing_is_added(self, api: Api, topic: list[str]) -> None:
        with api.administrator() as client:
            refused = add(client, LEASE, topic=topic)
        assert refused.status_code in (404, 422)
        assert api.acme.rows("SELECT count(*) FROM source_file") == [(0,)]
        assert ("did you mean 'Law/Leases'" in refused.json()["detail"]) == (topic[-1] == "Law/Leasse")
        assert left(api) == []


class TestWhoMayNot:
    def test_adds_and_removes_nothing(self, api: Api) -> None:
        with api.administrator() as client:
            added = add(client, LEASE).json()
        with api.client("search", "read", "sync", "feedback") as reader:
            assert add(reader, LEASE, "other.txt").status_code == 403
            assert reader.delete(f"{FILES}/{added['document_id']}").status_code == 403
            assert len(reader.get(FILES).json()["files"]) == 1
        with api.with_key(None) as stranger:
            assert add(stranger, LEASE).status_code == 401
        with api.client("search") as searcher:
            assert searcher.get(FILES).status_code == 403

    def test_is_another_company_and_neither_sees_nor_touches_a_file(self, api: Api) -> None:
        with api.administrator() as client:
            added = add(client, LEASE).json()
        theirs = FILES.replace("acme", "globex")
        with api.administrator("Globex") as globex:
            assert add(globex, LEASE).status_code == 404
            assert globex.delete(f"{FILES}/{added['document_id']}").status_code == 404
            assert globex.delete(f"{theirs}/{added['document_id']}").status_code == 404
        with api.client("read", slug="globex") as reader:
            assert reader.get(theirs).json()["files"] == []
        assert api.acme.rows("SELECT state FROM source_file") == [("stored",)]

    def test_a_company_s_role_writes_no_file_itself(self, api: Api) -> None:
        privileges = api.acme.rows(
            "SELECT t, p FROM unnest(ARRAY['source_file', 'stored_file', 'parsed_file']) t, "
            "unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) p WHERE has_table_privilege('arcana_tenant', t, p)"
        )
        assert privileges == []


class TestABody:
    @pytest.mark.parametrize("is_told", [True, False])
    def test_that_is_too_large_is_refused_while_it_comes_and_leaves_nothing(self, api: Api, is_told: bool) -> None:
        with served(api.acme, file_max_bytes=100_000) as small, small.administrator() as client:
            data: Any = b"x" * 150_000 if is_told else iter([b"x" * 50_000] * 3)
            refused = add(client, data)
            assert refused.status_code == 413 and "100,000 bytes" in refused.json()["detail"]
            assert add(client, b"x" * 100_000).status_code == 201
            assert left(small) == []

    @pytest.mark.parametrize(
        ("data", "name", "more", "said"),
        [
            (b"", "lease.txt", {}, "empty"),
            (b"x", "..", {}, "needs a name"),
            (b"x", "a/" * 30 + "x.txt", {}, "folders"),
            (b"x", "x.txt", {"page": "Nowhere"}, "no page 'Nowhere'"),
            (b"x", "x.txt", {"pages": "Vacation policy"}, "no parameter 'pages'"),
        ],
    )
    def test_that_cannot_be_meant_is_refused(
        self, api: Api, data: bytes, name: str, more: dict[str, str], said: str
    ) -> None:
        with api.administrator() as client:
            refused = add(client, data, name, **more)
        assert refused.status_code == 422 and said in refused.json()["detail"]
        assert api.acme.rows("SELECT count(*) FROM source_file") == [(0,)] and left(api) == []

    def test_of_a_kind_that_is_not_read_is_refused(self, api: Api) -> None:
        with served(api.acme, file_types="pdf") as some, some.administrator() as client:
            refused = add(client, LEASE)
        assert refused.status_code == 422 and "FILE_TYPES" in refused.json()["detail"]

    @pytest.mark.parametrize("kind", ["application/json", "multipart/form-data", "text/plain"])
    def test_that_a_form_could_have_sent_is_refused(self, api: Api, kind: str) -> None:
        with api.administrator() as client:
            refused = client.post(FILES, params={"name": "x"}, content=b"x", headers={"Content-Type": kind})
        assert refused.status_code == 415

    def test_whose_name_leads_elsewhere_leads_nowhere(self, api: Api) -> None:
        with api.administrator() as client:
            added = add(client, LEASE, "../../etc\\pass\0wd").json()
        assert (added["name"], added["folder"]) == ("passwd", "etc")

    def test_that_ends_too_soon_leaves_nothing(self, api: Api) -> None:
        place = urlsplit(api.url)
        assert place.hostname is not None and place.port is not None
        with api.administrator() as client, socket.create_connection((place.hostname, place.port)) as sent:
            head = f"POST {FILES}?name={quote('계약.txt')} HTTP/1.1\r\nHost: x\r\nContent-Type: {BYTES}\r\n"
            key = client.headers["authorization"]
            sent.sendall(f"{head}Authorization: {key}\r\nContent-Length: 1000\r\n\r\nhalf".encode())
            sent.shutdown(socket.SHUT_WR)
            while sent.recv(4096):
                pass
            assert client.get("/v1/workspaces").status_code == 200
        assert api.acme.rows("SELECT count(*) FROM source_file") == [(0,)] and left(api) == []

    def test_is_not_lost_in_silence_where_the_store_does_not_answer(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: object) -> None:
            raise FileStoreUnreachable("/srv/files cannot be used now")

        monkeypatch.setattr(DirectoryStore, "put", away)
        with api.administrator() as client:
            refused = add(client, LEASE)
        assert refused.status_code == 503 and refused.headers["retry-after"] and "/srv" not in refused.text
        assert api.acme.rows("SELECT count(*) FROM source_file") == [(0,)] and left(api) == []
