"""Search, queries and other lists: order, filters, pages, lag and limits."""

from __future__ import annotations

from itertools import chain

import pytest

from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines_tests.testing.conftest import Api


def pages_of(ask: Api, path: str, **body: object) -> list[list[str]]:
    """The ids of each page of a list, by POST."""
    found, cursor = [], None
    while True:
        answer = ask.post(path, **body, **({"start_cursor": cursor} if cursor else {}))
        found.append([item["id"] for item in answer["results"]])
        cursor = answer["next_cursor"]
        assert answer["has_more"] == (cursor is not None)
        if cursor is None:
            return found


def minutes(world: NotionWorld, count: int) -> list[str]:
    """Pages made a minute apart."""
    made = []
    for at in range(count):
        made.append(world.add_page(f"Page {at}"))
        world.clock.advance(60)
    return made


def test_search_without_a_sort_shows_the_last_edited_first(world: NotionWorld, ask: Api) -> None:
    made = minutes(world, 5)
    assert ask.search_ids() == made[::-1]
    assert ask.search_ids(sort={"timestamp": "last_edited_time", "direction": "ascending"}) == made
    world.edit_page(made[1], "Now")
    assert ask.search_ids()[0] == made[1]


def test_search_pages_cover_everything_once(world: NotionWorld, ask: Api) -> None:
    made = minutes(world, 25)
    found = pages_of(ask, "/search", page_size=10)
    assert [len(page) for page in found] == [10, 10, 5]
    assert sorted(chain.from_iterable(found)) == sorted(made)
    assert "request_status" not in ask.post("/search")


def test_a_page_edited_during_an_ascending_listing_is_seen_again_and_none_is_skipped(
    world: NotionWorld, ask: Api
) -> None:
    made = minutes(world, 20)
    sort = {"timestamp": "last_edited_time", "direction": "ascending"}
    first = ask.post("/search", sort=sort, page_size=10)
    world.edit_page(made[0], "Changed")
    second = ask.post("/search", sort=sort, page_size=50, start_cursor=first["next_cursor"])
    assert [item["id"] for item in second["results"]] == [*made[10:], made[0]]


def test_search_finds_titles_only_and_not_ids(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("회의록 Alpha", blocks="omega")
    world.add_page("Beta")
    assert ask.search_ids(query="alpha") == [page]
    assert ask.search_ids(query="회의록") == [page]
    assert ask.search_ids(query="omega") == []
    assert ask.search_ids(query=page) == []


def test_search_filters_by_kind(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    ids = world.add_database("DB", page)
    row = world.add_row(ids.data_source_id, "Row")
    wanted = {"property": "object", "value": "data_source"}
    assert ask.search_ids(filter=wanted) == [ids.data_source_id]
    assert set(ask.search_ids(filter={**wanted, "value": "page"})) == {page, row}
    world.trash(row)
    assert ask.search_ids(filter={**wanted, "value": "page", "in_trash": True}) == [row]


@pytest.mark.parametrize(
    "body",
    [
        {"sort": {"direction": "ascending"}},
        {"sort": {"timestamp": "created_time", "direction": "ascending"}},
        {"sort": {"timestamp": "last_edited_time", "direction": "up"}},
        {"filter": {"property": "object", "value": "database"}},
        {"filter": {"value": "page"}},
        {"page_size": 101},
        {"page_size": "ten"},
        {"start_cursor": "bogus"},
        {"start_cursor": "00000000-0000-4000-8000-000000000000"},
        {"colour": "red"},
    ],
)
def test_search_refuses_what_notion_refuses(ask: Api, body: dict[str, object]) -> None:
    assert ask.refusal("/search", method="POST", **body) == (400, "validation_error")


def test_a_cursor_belongs_to_its_search_but_not_to_its_page_size(world: NotionWorld, ask: Api) -> None:
    minutes(world, 5)
    cursor = ask.post("/search", page_size=2)["next_cursor"]
    assert len(ask.search_ids(page_size=1, start_cursor=cursor)) == 1
    assert ask.refusal("/search", method="POST", query="Page", start_cursor=cursor)[0] == 400


def test_search_lags_behind_by_as_much_as_it_is_told_to(world: NotionWorld, ask: Api) -> None:
    page, other = minutes(world, 2)
    world.search_lag_seconds = 120
    world.edit_page(page, "Changed")
    new = world.add_page("New")
    world.trash(other)
    assert ask.search_ids() == [other, page]
    assert ask.post("/search")["results"][1]["last_edited_time"] == "2026-01-05T09:00:00.000Z"
    assert ask.get(f"/pages/{page}")["last_edited_time"] == "2026-01-05T09:02:00.000Z"
    world.clock.advance(119)
    assert new not in ask.search_ids()
    world.clock.advance(1)
    assert set(ask.search_ids()) == {page, new}
    assert ask.search_ids(filter={"in_trash": True}) == [other]
    world.unshare(new)
    assert ask.search_ids() == [page]


def test_search_can_be_limited(world: NotionWorld, ask: Api) -> None:
    minutes(world, 7)
    world.search_result_limit = 5
    found = pages_of(ask, "/search", page_size=2)
    assert [len(page) for page in found] == [2, 2, 1]
    assert ask.post("/search", page_size=2)["request_status"] == {
        "type": "incomplete",
        "incomplete_reason": "query_result_limit_reached",
    }


def rows_by_minute(world: NotionWorld, count: int) -> tuple[str, list[str]]:
    source = world.add_database("DB", world.add_page("Page"), {"N": "number"}).data_source_id
    made = []
    for at in range(count):
        made.append(world.add_row(source, f"Row {at}", {"N": at}))
        world.clock.advance(60)
    return source, made


def test_a_query_beyond_the_limit_ends_early_and_says_so_on_every_page(world: NotionWorld, ask: Api) -> None:
    source, _ = rows_by_minute(world, 12)
    world.query_result_limit = 10
    path, cursor, found = f"/data_sources/{source}/query", None, 0
    while True:
        answer = ask.post(path, page_size=4, **({"start_cursor": cursor} if cursor else {}))
        assert answer["request_status"]["type"] == "incomplete"
        found += len(answer["results"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert found == 10


def test_queries_sort_and_filter_by_timestamps(world: NotionWorld, ask: Api) -> None:
    source, made = rows_by_minute(world, 6)
    path = f"/data_sources/{source}/query"
    oldest = [{"timestamp": "created_time", "direction": "ascending"}]
    after = {"timestamp": "created_time", "created_time": {"on_or_after": "2026-01-05T09:02:00Z"}}
    before = {"timestamp": "last_edited_time", "last_edited_time": {"before": "2026-01-05T09:04:00.000Z"}}
    either = {"or": [{"timestamp": "created_time", "created_time": {"equals": "2026-01-05T09:00:00Z"}}, after]}

    def ids(**body: object) -> list[str]:
        return list(chain.from_iterable(pages_of(ask, path, page_size=2, **body)))

    assert ids(sorts=oldest) == made
    assert ids(sorts=oldest, filter=after) == made[2:]
    assert ids(sorts=oldest, filter={"and": [after, before]}) == made[2:4]
    assert ids(sorts=oldest, filter=either) == [made[0], *made[2:]]
    assert ids(sorts=[{"property": "N", "direction": "descending"}]) == made[::-1]
    assert ids(filter={"property": "N", "number": {"equals": 3}}) == [made[3]]
    assert ids(filter={"timestamp": "created_time", "created_time": {"on_or_after": "2026-01-06"}}) == []


@pytest.mark.parametrize(
    "body",
    [
        {"filter": {"timestamp": "created_time", "created_time": {"resembles": "2026-01-01"}}},
        {"filter": {"timestamp": "created_time", "created_time": {"after": "soon"}}},
        {"filter": {"property": "None", "number": {"equals": 1}}},
        {"filter": {"property": "N", "rich_text": {"equals": "1"}}},
        {"filter": {"nonsense": 1}},
        {"sorts": [{"property": "None", "direction": "ascending"}]},
        {"sorts": [{"timestamp": "created_time", "direction": "up"}]},
    ],
)
def test_queries_refuse_what_they_do_not_understand(world: NotionWorld, ask: Api, body: dict[str, object]) -> None:
    source, _ = rows_by_minute(world, 1)
    path = f"/data_sources/{source}/query"
    assert ask.refusal(path, method="POST", **body) == (400, "validation_error")


def test_filter_properties_takes_names_and_ids(world: NotionWorld, ask: Api) -> None:
    source, _ = rows_by_minute(world, 1)
    column = ask.get(f"/data_sources/{source}")["properties"]["N"]["id"]
    for wanted in ("N", column):
        answer = ask.client.post(f"/data_sources/{source}/query", json={}, params={"filter_properties": wanted})
        assert list(answer.json()["results"][0]["properties"]) == ["N"]
    refused = ask.client.post(f"/data_sources/{source}/query", json={}, params={"filter_properties": "?"})
    assert refused.status_code == 400


def test_children_come_in_pages_whose_cursor_is_the_next_block(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="\n\n".join(f"Line {at}" for at in range(250)))
    first = ask.get(f"/blocks/{page}/children")
    assert (len(first["results"]), first["has_more"]) == (100, True)
    second = ask.get(f"/blocks/{page}/children", start_cursor=first["next_cursor"])
    assert second["results"][0]["id"] == first["next_cursor"]
    world.delete_block(second["next_cursor"])
    assert ask.refusal(f"/blocks/{page}/children", start_cursor=second["next_cursor"])[0] == 400
    assert ask.refusal(f"/blocks/{page}/children", start_cursor="bogus")[0] == 400


def test_users_come_in_pages(world: NotionWorld, ask: Api) -> None:
    for at in range(5):
        world.add_user(f"Person {at}", f"p{at}@example.com")
    first = ask.get("/users", page_size=4)
    rest = ask.get("/users", start_cursor=first["next_cursor"])
    assert len(first["results"]) + len(rest["results"]) == len(world.users)
    assert rest["results"][-1]["type"] == "bot"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/pages/{database}", 400), ("/databases/{page}", 400), ("/data_sources/{database}", 404)],
)
def test_ids_of_another_kind_are_refused(world: NotionWorld, ask: Api, path: str, status: int) -> None:
    page = world.add_page("Page")
    ids = world.add_database("DB", page)
    assert ask.refusal(path.format(page=page, database=ids.database_id))[0] == status


def test_ids_may_come_without_dashes(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    assert ask.get(f"/pages/{page.replace('-', '')}")["id"] == page


def test_an_older_version_also_says_archived(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    older = ask.client.get(f"/pages/{page}", headers={"Notion-Version": "2025-09-03"}).json()
    assert older["archived"] is older["in_trash"] is False
    assert "archived" not in ask.get(f"/pages/{page}")
