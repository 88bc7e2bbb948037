"""What happens to timestamps, listings and access when people change things."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld, seed_world, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.testing.conftest import Api, plain_http

START = "2026-01-05T09:00:00.000Z"


def edited(ask: Api, page_id: str) -> str:
    return ask.get(f"/pages/{page_id}")["last_edited_time"]


def test_times_are_rounded_down_to_the_minute_and_the_date_header_is_not(world: NotionWorld, ask: Api) -> None:
    world.clock.set(datetime(2026, 3, 1, 12, 34, 56, 789_000, tzinfo=UTC))
    page_id = world.add_page("Page", blocks="Text")
    page = ask.get(f"/pages/{page_id}")
    assert page["created_time"] == page["last_edited_time"] == "2026-03-01T12:34:00.000Z"
    block = ask.get(f"/blocks/{page_id}/children")["results"][0]
    assert block["last_edited_time"] == "2026-03-01T12:34:00.000Z"
    assert ask.client.get("/users/me").headers["Date"] == "Sun, 01 Mar 2026 12:34:56 GMT"


def test_the_clock_stands_still_unless_moved(world: NotionWorld) -> None:
    assert world.clock.now() == world.clock.now() == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    world.clock.advance(90.5)
    assert world.clock.now() == datetime(2026, 1, 5, 9, 1, 30, 500_000, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        world.clock.set(datetime(2026, 1, 1))


def test_a_clock_in_real_time_runs() -> None:
    world = NotionWorld(real_time=True)
    assert abs((world.clock.now() - datetime.now(UTC)).total_seconds()) < 5
    first = world.clock.now()
    assert world.clock.now() > first
    world.clock.advance(-3600)
    assert (first - world.clock.now()).total_seconds() > 3590


def test_a_second_edit_in_the_same_minute_does_not_show_in_the_timestamp(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="One")
    world.clock.advance(30)
    world.edit_page(page, "Two")
    assert edited(ask, page) == START
    assert ask.markdown(page) == "Two"


def test_edits_of_content_title_and_properties_bump_the_page(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks=[blocks.toggle("T", [blocks.paragraph("deep")])])
    source = world.add_database("DB", page, {"N": "number"}).data_source_id
    row = world.add_row(source, "Row")
    toggle = ask.get(f"/blocks/{page}/children")["results"][0]["id"]
    deep = ask.get(f"/blocks/{toggle}/children")["results"][0]["id"]
    for change in (
        lambda: world.append_blocks(page, "more"),
        lambda: world.insert_blocks_at_top(page, "first"),
        lambda: world.set_block_text(deep, "deeper"),
        lambda: world.append_blocks(toggle, "in the toggle"),
        lambda: world.delete_block(deep),
        lambda: world.set_title(page, "New"),
    ):
        before = edited(ask, page)
        world.clock.advance(60)
        change()
        assert edited(ask, page) > before
    before, page_before = edited(ask, row), edited(ask, page)
    world.clock.advance(60)
    world.set_property(row, "N", 3)
    assert edited(ask, row) > before
    assert edited(ask, page) == page_before


def test_a_new_child_bumps_the_parent(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    world.clock.advance(60)
    world.add_page("Child", page)
    assert edited(ask, page) == "2026-01-05T09:01:00.000Z"
    world.clock.advance(60)
    source = world.add_database("DB", page).data_source_id
    assert edited(ask, page) == "2026-01-05T09:02:00.000Z"
    world.clock.advance(60)
    world.add_row(source, "Row")
    assert edited(ask, page) == "2026-01-05T09:02:00.000Z"


def test_trash_restore_move_share_and_comment_change_no_timestamp(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="Text")
    child = world.add_page("Child", page)
    elsewhere = world.add_page("Elsewhere")
    world.clock.advance(600)
    world.trash(child)
    world.restore(child)
    world.move(child, elsewhere)
    world.unshare(child)
    world.share(child)
    world.add_comment(child, "Hm")
    assert [edited(ask, each) for each in (page, child, elsewhere)] == [START] * 3
    assert ask.get(f"/pages/{child}")["parent"] == {"type": "page_id", "page_id": elsewhere}


def test_a_page_in_the_trash_is_readable_and_only_listed_on_demand(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    child = world.add_page("Child", page)
    world.trash(child)
    assert ask.get(f"/pages/{child}")["in_trash"] is True
    assert ask.search_ids() == [page]
    assert ask.search_ids(filter={"in_trash": True}) == [child]
    assert ask.get(f"/blocks/{page}/children")["results"] == []
    assert ask.markdown(page) == ""
    world.restore(child)
    assert set(ask.search_ids()) == {page, child}


def test_pages_below_the_trash_vanish_but_do_not_say_so_themselves(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    child = world.add_page("Child", page)
    grandchild = world.add_page("Grandchild", child)
    world.trash(child)
    assert ask.search_ids() == [page]
    assert ask.get(f"/pages/{grandchild}")["in_trash"] is False
    assert ask.search_ids(filter={"in_trash": True}) == [child]
    assert world.visible_pages() == [page]


def test_descendants_can_be_made_to_share_the_trash_of_their_parent(world: NotionWorld, ask: Api) -> None:
    world.trash_marks_descendants = True
    page = world.add_page("Page")
    child = world.add_page("Child", page)
    world.trash(page)
    assert ask.get(f"/pages/{child}")["in_trash"] is True


def test_whether_the_markdown_of_trash_can_be_read_is_a_choice(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="Text")
    world.trash(page)
    assert ask.markdown(page) == "Text"
    world.trashed_page_has_markdown = False
    assert ask.refusal(f"/pages/{page}/markdown") == (404, "object_not_found")


def test_a_trashed_database_stays_in_search_and_loses_its_rows(world: NotionWorld, ask: Api) -> None:
    ids = world.add_database("DB", world.add_page("Page"))
    row = world.add_row(ids.data_source_id, "Row")
    world.trash(ids.database_id)
    found = {item["id"]: item for item in ask.post("/search")["results"]}
    assert found[ids.data_source_id]["in_trash"] is True
    assert row not in found
    assert ask.post(f"/data_sources/{ids.data_source_id}/query")["results"] == []
    assert ask.get(f"/databases/{ids.database_id}")["in_trash"] is True


def test_what_is_not_shared_looks_as_if_it_did_not_exist(world: NotionWorld, ask: Api) -> None:
    shared = world.add_page("Shared")
    private = world.add_page("Private", shared=False)
    below = world.add_page("Below", private, "Text")
    block = world.append_blocks(below, "More")[0]
    for path in (f"/pages/{private}", f"/pages/{below}", f"/pages/{below}/markdown", f"/blocks/{block}"):
        assert ask.refusal(path) == (404, "object_not_found")
    assert ask.search_ids() == [shared]
    world.share(private)
    assert set(ask.search_ids()) == {shared, private, below}
    world.unshare(below)
    assert ask.refusal(f"/blocks/{block}") == (404, "object_not_found")


def test_deleting_for_ever_takes_everything_below_along(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    child = world.add_page("Child", page, "Text")
    ids = world.add_database("DB", child)
    row = world.add_row(ids.data_source_id, "Row")
    world.add_comment(child, "Hm")
    world.delete_forever(child)
    for path in (f"/pages/{child}", f"/pages/{row}", f"/databases/{ids.database_id}"):
        assert ask.refusal(path) == (404, "object_not_found")
    assert ask.search_ids() == [page]
    assert not world.comments


def test_moving_out_of_the_shared_part_hides_a_page(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    child = world.add_page("Child", page)
    private = world.add_page("Private", shared=False)
    world.move(child, private)
    assert ask.refusal(f"/pages/{child}") == (404, "object_not_found")
    world.move(child, page)
    assert ask.get(f"/pages/{child}")["id"] == child
    with pytest.raises(ValueError, match="into itself"):
        world.move(page, child)


@pytest.mark.slow
def test_an_archived_row_is_hidden_from_queries_only(world: NotionWorld, ask: Api) -> None:
    source = world.add_database("DB", world.add_page("Page")).data_source_id
    row, other = world.add_row(source, "Row"), world.add_row(source, "Other")
    world.archive_row(row)
    query = f"/data_sources/{source}/query"
    assert [found["id"] for found in ask.post(query)["results"]] == [other]
    archived = ask.post(query, is_archived=True)["results"]
    assert [(found["id"], found["is_archived"]) for found in archived] == [(row, True)]
    assert row in ask.search_ids()


def test_a_page_in_a_block_names_the_block_as_its_parent(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    toggle = world.append_blocks(page, [blocks.toggle("T")])[0]
    child = world.add_page("Child", toggle)
    assert ask.get(f"/pages/{child}")["parent"] == {"type": "block_id", "block_id": toggle}
    assert ask.get(f"/blocks/{toggle}")["has_children"] is True
    world.edit_page(page, "All new")
    assert child not in ask.search_ids()
    assert ask.get(f"/blocks/{toggle}")["in_trash"] is True


def test_replacing_content_keeps_child_pages(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="Old")
    child = world.add_page("Child", page)
    world.edit_page(page, "New")
    assert ask.markdown(page).split("\n\n")[0] == "New"
    assert child in ask.search_ids()


def test_references_are_cut_at_25_and_the_property_endpoint_has_them_all(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    many = world.add_database("Many", page).data_source_id
    related = [world.add_row(many, f"Row {at}") for at in range(60)]
    people = [world.add_user(f"Person {at}") for at in range(30)]
    schema = {"Rel": {"type": "relation", "data_source_id": many}, "Who": "people"}
    source = world.add_database("One", page, schema).data_source_id
    row = world.add_row(source, "Row", {"Rel": related, "Who": people})
    sent = ask.get(f"/pages/{row}")["properties"]
    assert (len(sent["Rel"]["relation"]), sent["Rel"]["has_more"]) == (25, True)
    assert len(sent["Who"]["people"]) == 25
    path, cursor, found = f"/pages/{row}/properties/{sent['Rel']['id']}", None, []
    while True:
        answer = ask.get(path, page_size=25, **({"start_cursor": cursor} if cursor else {}))
        found += [item["relation"]["id"] for item in answer["results"]]
        assert (answer["property_item"]["next_url"] is not None) == answer["has_more"]
        cursor = answer["next_cursor"]
        if not answer["has_more"]:
            break
    assert found == related


def test_signed_addresses_differ_on_every_read_and_expire_in_an_hour(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks=[blocks.image(hosted="a.png")])
    first, second = (ask.get(f"/blocks/{page}/children")["results"][0]["image"] for _ in range(2))
    assert first["file"]["url"] != second["file"]["url"]
    assert first["file"]["url"].split("?")[0] == second["file"]["url"].split("?")[0]
    assert "X-Amz-Signature=" in first["file"]["url"]
    assert "X-Amz-Expires=3600" in first["file"]["url"]
    assert first["file"]["expiry_time"] == "2026-01-05T10:00:00.000Z"
    for version in ("v1", "v2"):
        assert ask.markdown(page, version) != ask.markdown(page, version)


def test_a_database_has_times_that_tell_nothing(world: NotionWorld, ask: Api) -> None:
    world.clock.set(datetime(2026, 6, 25, 10, 31, 12, 643_000, tzinfo=UTC))
    ids = world.add_database("DB", world.add_page("Page"))
    world.clock.advance(3600)
    world.set_title(ids.database_id, "Renamed")
    database = ask.get(f"/databases/{ids.database_id}")
    assert database["created_time"] == database["last_edited_time"] == "2026-06-25T10:31:12.643+00:00"


def test_a_schema_can_change(world: NotionWorld, ask: Api) -> None:
    source = world.add_database("DB", world.add_page("Page"), {"A": "number"}).data_source_id
    row = world.add_row(source, "Row", {"A": 1})
    before = ask.get(f"/data_sources/{source}")["properties"]["A"]["id"]
    world.rename_property(source, "A", "B")
    world.add_property(source, "C", "checkbox")
    sent = ask.get(f"/pages/{row}")["properties"]
    assert (sent["B"]["number"], sent["B"]["id"]) == (1, before)
    assert sent["C"]["checkbox"] is False
    world.remove_property(source, "B")
    assert set(ask.get(f"/pages/{row}")["properties"]) == {"Name", "C"}


def test_emails_need_a_capability_and_so_do_users_and_comments(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    world.capabilities.discard("read_emails")
    assert ask.get("/users")["results"][0]["person"] == {}
    world.capabilities.clear()
    for path in ("/users", f"/comments?block_id={page}", f"/pages/{page}"):
        assert ask.refusal(path) == (403, "restricted_resource")
    assert ask.get("/users/me")["id"] == world.bot.id


def test_the_connection_may_only_read(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    assert ask.refusal("/pages", method="POST", parent={"page_id": page}) == (403, "restricted_resource")


def test_open_comments_are_listed_where_they_are_and_nowhere_else(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="Text")
    block = ask.get(f"/blocks/{page}/children")["results"][0]["id"]
    first, second = world.add_comment(page, "One"), world.add_comment(page, "Two")
    on_block = world.add_comment(block, "Three")
    listed = ask.get("/comments", block_id=page, page_size=1)
    assert [item["id"] for item in listed["results"]] == [first]
    assert listed["has_more"]
    rest = ask.get("/comments", block_id=page, start_cursor=listed["next_cursor"])
    assert [item["id"] for item in rest["results"]] == [second]
    assert [item["id"] for item in ask.get("/comments", block_id=block)["results"]] == [on_block]
    world.resolve_comment(first)
    assert [item["id"] for item in ask.get("/comments", block_id=page)["results"]] == [second]


def test_a_seeded_world_is_the_same_every_time() -> None:
    first, second = seed_world(30, 10), seed_world(30, 10)
    assert first.visible_pages() == second.visible_pages()
    assert len(first.visible_pages()) == 40
    assert [first.visible_text(page) for page in first.visible_pages()] == [
        second.visible_text(page) for page in second.visible_pages()
    ]
    text = "\n".join(piece for page in first.visible_pages() for piece in first.visible_text(page))
    assert "팀은" in text
    assert "The " in text
    assert seed_world(30, 10, seed=2).visible_pages() != first.visible_pages()


def test_a_seeded_page_has_about_twenty_blocks_and_a_plausible_age() -> None:
    world = seed_world(20, 0)
    with serve(world) as server:
        headers = {"Authorization": f"Bearer {world.token}", "Notion-Version": "2026-03-11"}
        with plain_http(base_url=server.base_url, headers=headers) as client:
            found = client.post("/v1/search", json={}).json()["results"]
            times = {page["last_edited_time"] for page in found}
            counts = [len(client.get(f"/v1/blocks/{page['id']}/children").json()["results"]) for page in found]
    assert len(times) > 10
    assert max(times) <= START
    assert min(counts) >= 12
    assert max(counts) <= 40


def test_changes_from_another_thread_while_serving_are_safe(world: NotionWorld, server: NotionServer, ask: Api) -> None:
    page = world.add_page("Page", blocks="Text 0")
    for at in range(1, 50):
        world.edit_page(page, f"Text {at}")
        assert ask.markdown(page) == f"Text {at}"
    assert len(server.requests) == 49
