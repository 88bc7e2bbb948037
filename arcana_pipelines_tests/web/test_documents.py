"""Reading over HTTP without a search: lists in the order of the tree, the past, relations and chunks."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from jsonschema import Draft202012Validator

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.web import cursors
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api
from arcana_pipelines_tests.web.test_api import problem

DOCUMENTS = "/v1/workspaces/acme/documents"


@pytest.fixture
def tree(api: Api) -> Api:
    """Acme with a page that has two pages and a table of two rows below it; one page links to another."""
    world = api.acme.world
    top = world.add_page("Harbour", blocks=[blocks.paragraph("All about the harbour.")])
    crane = world.add_page("Crane", parent=top, blocks=[blocks.paragraph("The crane lifts crates.")])
    world.add_page(
        "Ferry", parent=top, blocks=[blocks.paragraph("The ferry carries crates."), blocks.link_to_page(crane)]
    )
    tasks = world.add_database("Tasks", parent=top, schema={"Status": {"type": "select", "options": ["Open"]}})
    for title in ("Paint crates", "Buy crates"):
        world.add_row(tasks.data_source_id, title, {"Status": "Open"}, [blocks.paragraph("About crates.")])
    api.acme.settle()
    api.acme.sync()
    return api


ALL = {"Vacation policy", "휴가 규정", "Harbour", "Crane", "Ferry", "Paint crates", "Buy crates"}


def titles(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["title"] for each in answer.json()["documents"]]


def pages(client: httpx.Client, **asked: Any) -> Iterator[list[str]]:
    """The titles of each answer, until there is no cursor any more."""
    cursor = None
    while True:
        answer = client.get(DOCUMENTS, params={**asked, **({"cursor": cursor} if cursor else {})})
        yield titles(answer)
        cursor = answer.json()["cursor"]
        if cursor is None:
            return


class TestAList:
    def test_has_each_document_once_in_the_order_of_the_tree_however_long_an_answer_is(self, tree: Api) -> None:
        with tree.client("read") as client:
            whole = client.get(DOCUMENTS)
            listed = titles(whole)
            for limit in (1, 2, 3, 7, 100):
                assert [title for page in pages(client, limit=limit) for title in page] == listed
        assert set(listed) == ALL and whole.json()["cursor"] is None
        of = {each["title"]: each for each in whole.json()["documents"]}
        assert of["Harbour"]["depth"] == 1 and of["Crane"]["depth"] == 2 and of["Buy crates"]["depth"] == 3
        below = [each["title"] for each in of.values() if each["path"].startswith(of["Harbour"]["path"] + ".")]
        begin = listed.index("Harbour")
        assert listed[begin + 1 : begin + 5] == below and len(below) == 4
        assert "text" not in of["Crane"] and of["Crane"]["version"] == 1 and of["Buy crates"]["kind"] == "row"

    def test_is_of_what_is_asked_for(self, tree: Api) -> None:
        with tree.client("read") as client:
            of = {each["title"]: each for each in client.get(DOCUMENTS).json()["documents"]}
            for below in ("Harbour", of["Harbour"]["external_id"]):
                assert set(titles(client.get(DOCUMENTS, params={"below": below}))) == ALL - {
                    "Vacation policy",
                    "휴가 규정",
                }
            assert set(titles(client.get(DOCUMENTS, params={"below": "Tasks"}))) == {"Paint crates", "Buy crates"}
            assert set(titles(client.get(DOCUMENTS, params={"kind": "row"}))) == {"Paint crates", "Buy crates"}
            tree.acme.world.edit_page(of["Crane"]["external_id"], [blocks.paragraph("The crane rests.")])
            since = tree.acme.world.clock.now() - timedelta(minutes=1)
            tree.acme.settle()
            tree.acme.sync()
            assert titles(client.get(DOCUMENTS, params={"edited_since": since.isoformat()})) == ["Crane"]

    @pytest.mark.parametrize(
        "asked",
        [
            {"limit": 0}, {"limit": 101}, {"limit": "many"}, {"kind": "note"}, {"below": ""}, {"below": "Nowhere"},
            {"below": "a\0"}, {"edited_since": "yesterday"}, {"edited_since": "2026-01-05T00:00:00"},
        ],
    )  # fmt: skip
    def test_that_cannot_be_meant_is_refused_in_a_sentence(self, shared_api: Api, asked: dict[str, Any]) -> None:
        with shared_api.client("read") as client:
            refused = problem(client.get(DOCUMENTS, params=asked))
        assert refused["status"] == 422 and len(refused["detail"]) > 20

    def test_loses_nothing_and_repeats_nothing_when_an_index_is_published_meanwhile(self, tree: Api) -> None:
        world = tree.acme.world
        with tree.client("read") as client:
            before = {each["title"]: each for each in client.get(DOCUMENTS).json()["documents"]}
            stays = set(before) - {"Paint crates"}
            answers = pages(client, limit=2)
            listed = next(answers)
            # The document that the cursor stands behind goes, another changes, some come.
            world.trash(before[listed[-1]]["external_id"])
            stays.discard(listed[-1])
            changed = next(title for title in before if title in stays and title not in listed)
            world.edit_page(before[changed]["external_id"], [blocks.paragraph("Another text.")])
            for number in range(5):
                world.add_page(f"New {number}", blocks=[blocks.paragraph("A new text.")])
            tree.acme.settle()
            tree.acme.sync()
            for page in answers:
                listed += page
        assert len(listed) == len(set(listed)) and stays <= set(listed)


def place(api: Api, title: str) -> dict[str, Any]:
    """A document as the list has it."""
    with api.client("read") as client:
        listed = client.get(DOCUMENTS).json()["documents"]
    return next(each for each in listed if each["title"] == title)


@dataclass(frozen=True)
class Past:
    """Acme with a page that was edited, and one that was removed, and a time before both."""

    api: Api
    page: dict[str, Any]
    gone: dict[str, Any]
    before: str


@pytest.fixture
def past(api: Api) -> Past:
    acme = api.acme
    page = acme.world.add_page("Lunch", blocks=[blocks.paragraph("The zebra eats in the canteen.")])
    gone = acme.world.add_page("Garage", blocks=[blocks.paragraph("The walrus parks underground.")])
    acme.settle()
    acme.sync()
    of = {title: place(api, title) for title in ("Lunch", "Garage")}
    ((before,),) = acme.rows("SELECT clock_timestamp()")
    acme.world.edit_page(page, [blocks.paragraph("The giraffe eats in the canteen.")])
    acme.world.set_title(page, "Dinner")
    acme.world.trash(gone)
    acme.settle()
    acme.sync()
    return Past(api, of["Lunch"], of["Garage"], before.isoformat())


class TestThePast:
    def test_a_document_is_had_as_it_was_by_a_time_or_a_version(self, past: Past) -> None:
        at = f"{DOCUMENTS}/{past.page['document_id']}"
        with past.api.client("read") as client:
            now, then, first, second = (
                client.get(at, params=asked).json()
                for asked in ({}, {"as_of": past.before}, {"version": 1}, {"version": 2})
            )
        assert (now["version"], now["title"]) == (2, "Dinner") and "giraffe" in now["text"]
        assert (then["version"], then["title"]) == (1, "Lunch") and "zebra" in then["text"]
        assert (first, second) == (then, now)

    def test_one_that_was_removed_is_had_as_it_was_and_not_as_it_is(self, past: Past) -> None:
        for name in (past.gone["document_id"], past.gone["external_id"]):
            at = f"{DOCUMENTS}/{name}"
            with past.api.client("read") as client:
                assert problem(client.get(at))["status"] == 404
                assert "walrus" in client.get(at, params={"as_of": past.before}).json()["text"]
                assert "walrus" in client.get(at, params={"version": 1}).json()["text"]
                (only,) = client.get(f"{at}/versions").json()["versions"]
            assert only["version"] == 1 and only["retired_at"] > past.before

    def test_its_versions_are_listed_with_the_times_that_they_were_served(self, past: Past) -> None:
        with past.api.client("read") as client:
            versions = client.get(f"{DOCUMENTS}/{past.page['document_id']}/versions").json()["versions"]
        assert [(each["version"], each["title"]) for each in versions] == [(2, "Dinner"), (1, "Lunch")]
        assert versions[0]["retired_at"] is None and versions[1]["retired_at"] == versions[0]["published_at"]
        assert versions[1]["published_at"] < past.before.replace("+00:00", "Z") < versions[0]["published_at"]

    def test_what_is_not_remembered_is_gone_and_what_never_was_is_not_there(self, past: Past) -> None:
        at = f"{DOCUMENTS}/{past.page['document_id']}"
        with past.api.client("read") as client:

            def refused(**asked: Any) -> tuple[int, str]:
                told = problem(client.get(at, params=asked))
                return told["status"], told["type"].rpartition(":")[2]

            assert refused(as_of="2001-01-01T00:00:00Z") == (410, "not-remembered")
            assert refused(version=3) == refused(version=2**31 - 1) == (404, "not-found")
            assert "numbered from 1 to 2" in problem(client.get(at, params={"version": 3}))["detail"]
            assert (
                refused(as_of="9000-01-01T00:00:00Z")
                == refused(as_of="2026-01-01T00:00:00")
                == (422, "invalid-request")
            )
            assert refused(as_of=past.before, version=1) == refused(version=0) == (422, "invalid-request")
            assert refused(version=2**31) == refused(as_of="yesterday") == (422, "invalid-request")
            with past.api.acme.database.connection() as connection:
                connection.execute("DELETE FROM retired_document")
            assert refused(version=1) == (410, "not-remembered")
            late = f"{DOCUMENTS}/{place(past.api, 'Vacation policy')['document_id']}"
            assert client.get(late, params={"version": 1}).status_code == 200

    def test_a_version_is_served_by_each_build_that_has_it_and_listed_once(self, past: Past) -> None:
        acme = past.api.acme
        with acme.database.connection() as connection:
            workspace_id = workspaces.find(connection, "acme").workspace_id
            smaller = ChunkerSettings(20, 40)
            lifecycle.rebuild_index(
                connection, workspace_id, "default", lambda made: replace(made, chunker=smaller), promote=True
            )
        acme.fill()
        with past.api.client("read") as client:
            statistics = client.get("/v1/workspaces/acme/indexes/default").json()
            versions = client.get(f"{DOCUMENTS}/{past.page['document_id']}/versions").json()["versions"]
            first = client.get(f"{DOCUMENTS}/{past.page['document_id']}", params={"version": 1}).json()
        assert statistics["chunker"]["target_tokens"] == 20, "the new build serves"
        assert [each["version"] for each in versions] == [2, 1] and versions[0]["retired_at"] is None
        assert "zebra" in first["text"]


class TestRelations:
    def related(self, api: Api, title: str, **asked: Any) -> dict[str, Any]:
        with api.client("read") as client:
            answer: dict[str, Any] = client.get(f"{DOCUMENTS}/{title}/relations", params=asked).json()
        return {name: [each["title"] if name != "more" else each for each in group] for name, group in answer.items()}

    def test_are_what_stands_above_and_below_and_links_in_both_ways(self, tree: Api) -> None:
        nothing: dict[str, list[str]] = {name: [] for name in ("children", "links_to", "linked_from", "others", "more")}
        assert self.related(tree, "Crane") == {**nothing, "parents": ["Harbour"], "linked_from": ["Harbour", "Ferry"]}
        assert self.related(tree, "Ferry") == {
            **nothing,
            "parents": ["Harbour"],
            "links_to": ["Crane"],
            "linked_from": ["Harbour"],
        }
        harbour = self.related(tree, "Harbour")
        assert set(harbour["children"]) == set(harbour["links_to"]) == {"Crane", "Ferry"} and harbour["parents"] == []

    def test_that_are_too_many_are_told_to_be_more(self, tree: Api) -> None:
        harbour = self.related(tree, "Harbour", limit=1)
        assert len(harbour["children"]) == 1 and "children" in harbour["more"]
        assert self.related(tree, "Ferry", limit=1)["more"] == []


@pytest.fixture
def long(api: Api) -> dict[str, Any]:
    """A document of several chunks, as the list has it."""
    parts = [blocks.paragraph(f"Part {number}: " + f"form{number} goes to the keeper. " * 60) for number in range(9)]
    api.acme.world.add_page("휴가 안내", blocks=[blocks.paragraph("Begin."), blocks.heading("신청"), *parts])
    api.acme.settle()
    api.acme.sync()
    return place(api, "휴가 안내")


class TestChunks:
    def test_are_all_of_a_document_in_its_order(self, api: Api, long: dict[str, Any]) -> None:
        with api.client("read") as client:
            answer = client.get(f"{DOCUMENTS}/{long['document_id']}/chunks").json()
        assert answer["document"] == long
        chunks = answer["chunks"]
        assert len(chunks) > 3 and [each["position"] for each in chunks] == list(range(len(chunks)))
        text = "\n".join(each["text"] for each in chunks)
        assert text.startswith("# 휴가 안내\n\nBegin.") and [
            text.index(f"Part {number}:") for number in range(9)
        ] == sorted(text.index(f"Part {number}:") for number in range(9))
        last = chunks[-1]
        assert last["heading_path"] == ["신청"] and last["link"].startswith(f"{long['url']}#:~:text=%")
        assert last["tokens"] > 10

    def test_one_is_had_by_its_id_with_those_around_it(self, api: Api, long: dict[str, Any]) -> None:
        with api.client("read") as client:
            chunks = client.get(f"{DOCUMENTS}/{long['document_id']}/chunks").json()["chunks"]
            for at, neighbours in ((0, 1), (2, 1), (2, 0), (len(chunks) - 1, 2), (1, 100)):
                asked = {"neighbours": neighbours}
                found = client.get(f"/v1/workspaces/acme/chunks/{chunks[at]['chunk_id']}", params=asked).json()
                assert found["chunk"] == chunks[at] and found["document"] == long
                assert found["before"] == chunks[max(0, at - neighbours) : at]
                assert found["after"] == chunks[at + 1 : at + 1 + neighbours]

    def test_one_stays_through_an_edit_as_long_as_its_text_does(self, api: Api, long: dict[str, Any]) -> None:
        with api.client("read") as client:
            chunks = client.get(f"{DOCUMENTS}/{long['document_id']}/chunks").json()["chunks"]
            api.acme.world.append_blocks(long["external_id"], [blocks.paragraph("An end. " * 300)])
            api.acme.settle()
            api.acme.sync()
            first = client.get(f"/v1/workspaces/acme/chunks/{chunks[0]['chunk_id']}").json()
        assert first["chunk"]["text"] == chunks[0]["text"] and first["document"]["version"] == 2


class TestWhatIsNotThere:
    ROUTES = ("", "/versions", "/relations", "/chunks")

    def test_is_told_word_for_word_as_what_is_another_company_s(self, api: Api, long: dict[str, Any]) -> None:
        api.acme.at(slug="globex").sync()
        with api.client("read", slug="globex") as theirs:
            listed = theirs.get("/v1/workspaces/globex/documents").json()["documents"]
            foreign = next(each for each in listed if each["title"] == "휴가 안내")
            (chunk, *_) = theirs.get(f"/v1/workspaces/globex/documents/{foreign['document_id']}/chunks").json()[
                "chunks"
            ]
        with api.client("read") as ours:

            def told(path: str) -> dict[str, Any]:
                refused = problem(ours.get(f"/v1/workspaces/acme{path}"))
                del refused["request_id"]
                return refused

            for route in self.ROUTES:
                unknown = told(f"/documents/{uuid4()}{route}")
                assert unknown["status"] == 404
                assert told(f"/documents/{foreign['document_id']}{route}") == unknown
            unknown = told("/chunks/999999999")
            assert unknown["status"] == 404 and told(f"/chunks/{chunk['chunk_id']}") == unknown
            for odd in ("0", "-1", "abc", str(2**63), "9" * 20, "1.5", "a%00b", "%EF%BC%91"):
                assert told(f"/chunks/{odd}") == unknown

    @pytest.mark.parametrize("route", ROUTES)
    def test_is_not_found_however_odd_its_name(self, api: Api, route: str) -> None:
        with api.client("read") as client:
            for asked in ("Nowhere", "a%00b", "%F0%9F", " ", "%ED%A0%80", "x" * 200, "%25s"):
                refused = problem(client.get(f"{DOCUMENTS}/{asked}{route}"))
                assert refused["status"] == 404 and re.search("[Ss]earch|Give its id|remove it", refused["detail"])


class TestAnIndex:
    def test_has_its_statistics(self, api: Api) -> None:
        with api.client("read") as client:
            (row,) = client.get("/v1/workspaces/acme/indexes").json()["indexes"]
            statistics = client.get("/v1/workspaces/acme/indexes/default").json()
            assert problem(client.get("/v1/workspaces/acme/indexes/nowhere"))["status"] == 404
        assert {name: statistics[name] for name in row} == row
        assert statistics["object_count"] == 2 and statistics["index_type"] == "pgvector" and statistics["build"] > 0
        assert "storage_uri" not in statistics


class TestTheStatus:
    def test_tells_how_fresh_a_workspace_is_and_nothing_of_its_source(self, api: Api) -> None:
        acme = api.acme
        bad = acme.world.add_page("Broken", blocks=[blocks.paragraph("Nobody reads this.")])
        acme.server.faults.add(f"GET /v1/(pages|blocks)/{bad}", "403", times=None)
        acme.settle()
        acme.sync()
        with api.client("read") as client:
            status = client.get("/v1/workspaces/acme/status").json()
        assert status["workspace"] == "acme" and status["status"] == "active"
        assert status["last_sync"]["state"] == "finished" and status["last_sync"]["generation"] == 2
        assert status["last_sync"]["listing_complete"] is True
        assert status["edits_seen_to"] >= status["last_sync"]["started_at"]
        assert status["not_indexed"] == {"pending": 0, "skipped": 0, "quarantined": 1, "suspect": 0}
        assert "TOKEN" not in str(status) and "Broken" not in str(status)

    def test_of_a_workspace_that_was_never_synced_says_so(self, api: Api) -> None:
        Harness.register(api.acme.database, api.acme.world, api.acme.server, "new", "Acme")
        with api.client("read", slug="new") as client:
            status = client.get("/v1/workspaces/new/status").json()
        assert status["last_sync"] is None and status["edits_seen_to"] is None and status["not_indexed"]["pending"] == 0


def test_what_was_seen_is_sent_again_only_when_it_has_changed(tree: Api) -> None:
    document = f"{DOCUMENTS}/{place(tree, 'Crane')['document_id']}"
    with tree.client("read") as client:
        chunk = client.get(f"{document}/chunks").json()["chunks"][0]["chunk_id"]
        index = "/v1/workspaces/acme/indexes/default"
        paths = [document, f"{document}/versions", f"{document}/relations", f"{document}/chunks", index]
        paths.append(f"/v1/workspaces/acme/chunks/{chunk}")
        tags = {path: client.get(path).headers["etag"] for path in paths}
        assert len(set(tags.values())) == len(tags)
        for path, tag in tags.items():
            for seen in (tag, f'"other", {tag}', "*"):
                again = client.get(path, headers={"If-None-Match": seen})
                assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == tag
            assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
        tree.acme.world.edit_page(place(tree, "Crane")["external_id"], [blocks.paragraph("The crane rests.")])
        tree.acme.settle()
        tree.acme.sync()
        for path, tag in tags.items():
            if "/chunks/" not in path and not path.endswith("relations"):
                assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_each_answer_is_as_the_openapi_document_says_and_so_are_its_examples(tree: Api) -> None:
    document = f"{DOCUMENTS}/{place(tree, 'Crane')['document_id']}"
    with tree.client("read") as client:
        schema = client.get("/openapi.json").json()
        chunk = client.get(f"{document}/chunks").json()["chunks"][0]["chunk_id"]
        asked = {
            DOCUMENTS: "documents", document: "documents/{document}",
            **{f"{document}/{each}": f"documents/{{document}}/{each}" for each in ("versions", "relations", "chunks")},
            f"/v1/workspaces/acme/chunks/{chunk}?neighbours=1": "chunks/{chunk}",
            "/v1/workspaces/acme/indexes/default": "indexes/{index}", "/v1/workspaces/acme/status": "status",
        }  # fmt: skip
        for path, route in asked.items():
            content = schema["paths"][f"/v1/workspaces/{{slug}}/{route}"]["get"]["responses"]["200"]["content"]
            told = content["application/json"]
            validator = Draft202012Validator({**told["schema"], "components": schema["components"]})
            validator.validate(client.get(path).json())
            validator.validate(told["example"])


class TestACursor:
    @pytest.fixture
    def cursor(self, tree: Api) -> str:
        with tree.client("read") as client:
            made: str = client.get(DOCUMENTS, params={"limit": 2, "kind": "page"}).json()["cursor"]
        return made

    def refused(self, api: Api, cursor: str, path: str = DOCUMENTS, **asked: Any) -> None:
        with api.client("read", slug=path.split("/")[3]) as client:
            answer = problem(client.get(path, params={"kind": "page", **asked, "cursor": cursor}))
        assert answer["status"] == 422 and answer["type"] == "urn:arcana:problem:cursor-refused"
        assert "from the beginning" in answer["detail"]

    def test_that_was_forged_is_refused(self, tree: Api, cursor: str) -> None:
        signed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for number in range(len(signed)):
            changed = bytes([*signed[:number], signed[number] ^ 1, *signed[number + 1 :]])
            if number % 7 == 0 or number < 17:
                self.refused(tree, base64.urlsafe_b64encode(changed).decode())
        for odd in ("", "a", "forged", cursor[:-4], cursor + "AAAA", "!" * 40, "휴가", "\0", cursor + cursor):
            self.refused(tree, odd)

    def test_of_another_list_is_refused(self, tree: Api, cursor: str) -> None:
        self.refused(tree, cursor, "/v1/workspaces/globex/documents")
        self.refused(tree, cursor, kind="row")
        self.refused(tree, cursor, below="Harbour")
        self.refused(tree, cursor, edited_since="2020-01-01T00:00:00Z")

    def test_holds_for_another_limit_and_another_key_of_the_company(self, tree: Api, cursor: str) -> None:
        with tree.client("read", "search") as client:
            assert titles(client.get(DOCUMENTS, params={"kind": "page", "limit": 50, "cursor": cursor}))

    def test_of_the_day_before_yesterday_is_refused(
        self, tree: Api, cursor: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cursors, "VALID_SECONDS", -1)
        self.refused(tree, cursor)

    def test_says_nothing_that_its_list_has_not_shown(self, tree: Api, cursor: str) -> None:
        with tree.client("read") as client:
            shown = client.get(DOCUMENTS, params={"limit": 2, "kind": "page"}).json()["documents"][-1]
        payload = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[16:].decode()
        assert shown["path"] in payload and len(payload) < len(shown["path"]) + 30
