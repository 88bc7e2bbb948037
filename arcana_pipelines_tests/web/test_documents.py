"""Documents over HTTP, without a search: listed in the order of their tree, each once, whatever happens meanwhile."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.web import cursors
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
    def test_that_cannot_be_meant_is_refused_in_a_sentence(self, api: Api, asked: dict[str, Any]) -> None:
        with api.client("read") as client:
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
