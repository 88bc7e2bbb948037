"""Who edited a page last in the source: known by id, named where the source names them, and no reason for anything."""

from __future__ import annotations

from uuid import UUID

import pytest

from arcana_pipelines.documents.contents import user_id_of
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import Page
from arcana_pipelines_tests.harness import Harness

Person = tuple[UUID | None, str | None]


def editors(acme: Harness) -> dict[str, list[Person]]:
    """By page: whose each version is, the first one first."""
    found: dict[str, list[Person]] = {}
    for page, user_id, name in acme.rows(
        "SELECT contents->>'external_id', user_id, contents->>'edited_by' FROM document_content ORDER BY version"
    ):
        found.setdefault(page, []).append((user_id, name))
    return found


@pytest.fixture
def bob(acme: Harness) -> str:
    return acme.world.add_user("Bob", "bob@example.com")


def edited_by(acme: Harness, page: str, editor: str) -> None:
    """Somebody edits the page, and its text is what it was."""
    acme.world.touch(acme.world.node(page, Page), editor)


def test_a_version_is_of_its_last_editor(acme: Harness, bob: str) -> None:
    ada = acme.world.acting_user
    page = acme.world.add_page("Handbook", blocks="Rules.")
    acme.settle()
    acme.sync()
    acme.world.acting_user = bob
    acme.world.append_blocks(page, [blocks.paragraph("More rules.")])
    acme.settle()
    acme.sync()
    assert editors(acme)[page] == [(user_id_of("notion", ada), None), (user_id_of("notion", bob), None)]


def test_another_editor_of_the_same_text_makes_no_version_embeds_nothing_and_costs_no_request(
    acme: Harness, bob: str
) -> None:
    page = acme.world.add_page("Handbook", blocks="Rules.")
    acme.settle()
    acme.sync()
    held = editors(acme)
    acme.settle()
    edited_by(acme, page, bob)
    acme.settle()
    report = acme.sync()
    assert (report["notion"]["requests"], report["embeddings"]["computed"]) == (3, 0)
    assert report["pages"]["updated"] == 0
    assert editors(acme) == held, "the text is still of whoever wrote it"
    assert not [request for request in acme.server.requests if "users" in request.path]


def test_a_version_whose_editor_is_not_known_gets_them_when_its_page_is_next_read(acme: Harness, bob: str) -> None:
    page = acme.world.add_page("Handbook", blocks="Rules.")
    other = acme.world.add_page("Leave", blocks="30 days.")
    acme.settle()
    acme.sync()
    # As versions of before editors were known.
    acme.rows("UPDATE document_content SET user_id = NULL, contents = contents - 'edited_by' RETURNING 1")
    acme.rows("UPDATE source_page SET editor_id = NULL RETURNING 1")
    edited_by(acme, page, bob)
    acme.settle()
    assert acme.sync()["embeddings"]["computed"] == 0
    assert editors(acme)[page] == [(user_id_of("notion", bob), None)]
    # Editors are no news: the next full sync reads nothing on their account.
    assert acme.sync(Mode.FULL)["pages"]["unchanged"] == len(acme.world.visible_pages())
    assert editors(acme)[other] == [(None, None)]


def test_a_name_is_taken_from_what_is_read_anyway(acme: Harness, bob: str) -> None:
    ada = acme.world.acting_user
    tasks = acme.world.add_database("Tasks", schema={"Name": "title", "By": "last_edited_by", "For": "people"})
    row = acme.world.add_row(tasks.data_source_id, "Mend the heater", {"For": [bob]})
    acme.settle()
    acme.sync()
    assert editors(acme)[row] == [(user_id_of("notion", ada), "Ada Lovelace")]


def test_people_of_two_kinds_of_sources_are_two() -> None:
    assert user_id_of("notion", "7") != user_id_of("zulip", "7")
    assert user_id_of("notion", "7") == UUID("6b2a09cc-c604-558c-8448-297e0d0b653e")
