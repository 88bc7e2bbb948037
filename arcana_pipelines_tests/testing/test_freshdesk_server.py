"""The stand-in for Freshdesk answers as Freshdesk does: keys, tickets, messages, people, articles."""

from __future__ import annotations

import functools
import operator
from datetime import timedelta

import httpx
import pytest

from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, LoggedRequest
from arcana_pipelines_tests.testing.conftest import Tickets, plain_http

EVER = "1970-01-01T00:00:00Z"
CLOSED = 5


def as_agent(desk: FreshdeskServer, agent: int) -> httpx.Client:
    return plain_http(base_url=f"{desk.url}/api/v2", auth=(desk.world.agents[agent].key, "X"))


# --- keys --------------------------------------------------------------------------------------------


def test_a_key_with_any_password_is_an_agent_and_tells_its_scope(desk: FreshdeskServer) -> None:
    scopes = {}
    for agent in desk.world.agents.values():
        with plain_http(base_url=f"{desk.url}/api/v2", auth=(agent.key, "anything")) as client:
            me = client.get("/agents/me").json()
            scopes[me["contact"]["name"]] = me["ticket_scope"]
    assert scopes == {"Grace Hopper": 1, "이수민": 2, "Linus Weber": 3}


@pytest.mark.parametrize("header", [None, "Basic d3Jvbmc6WA==", "Basic ###", "Bearer {key}", "Basic /w=="])
def test_whoever_has_no_key_is_told_to_log_in(desk: FreshdeskServer, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.format(key=desk.world.key)}
    answer = httpx.get(f"{desk.url}/api/v2/agents/me", headers=headers, verify=False)
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "invalid_credentials",
        "message": "You have to be logged in to perform this action.",
    }


def test_the_key_of_an_agent_who_left_opens_nothing(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.world.deactivate_agent(desk.world.agent)
    assert tickets.status("/agents/me") == 401


@pytest.mark.parametrize(("refusal", "status"), [(403, 403), (404, 404)])
def test_a_key_lists_only_the_tickets_of_its_scope(desk: FreshdeskServer, refusal: int, status: int) -> None:
    world = desk.world
    world.scope_status = refusal
    first, second = world.groups
    nobodys = world.add_ticket("Nobody's", group=first)
    groups = world.add_ticket("The second group's", group=second)
    own = world.add_ticket("Linus's", responder=world.restricted_agent)
    seen = {}
    for agent in (world.agent, world.group_agent, world.restricted_agent):
        with as_agent(desk, agent) as client:
            seen[agent] = {row["id"] for row in client.get("/tickets").json()}
            for ticket in (nobodys, groups, own):
                expected = 200 if ticket in seen[agent] else status
                assert client.get(f"/tickets/{ticket}").status_code == expected
                assert client.get(f"/tickets/{ticket}/conversations").status_code == expected
    assert seen == {
        world.agent: {nobodys, groups, own},
        world.group_agent: {groups},
        world.restricted_agent: {own},
    }


# --- requests that are wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/tickets", {"per_page": 101}, "per_page"),
        ("/tickets", {"per_page": 0}, "per_page"),
        ("/tickets", {"page": 0}, "page"),
        ("/tickets", {"status": 2}, "status"),
        ("/tickets", {"order_by": "priority"}, "order_by"),
        ("/tickets", {"filter": "archived"}, "filter"),
        ("/tickets", {"include": "conversations"}, "include"),
        ("/tickets", {"updated_since": "yesterday"}, "updated_since"),
        ("/tickets/1", {"include": "description"}, "include"),
        ("/tickets/1/conversations", {"per_page": 101}, "per_page"),
        ("/tickets/1/conversations", {"updated_since": EVER}, "updated_since"),
        ("/contacts", {"updated_since": EVER}, "updated_since"),
        ("/search/tickets", {"query": "status:2"}, "query"),
        ("/search/tickets", {"query": '"status:2"', "page": 11}, "page"),
        ("/search/tickets", {"query": f'"{"a" * 512}"'}, "query"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(
    desk: FreshdeskServer, tickets: Tickets, path: str, params: dict[str, str], field: str
) -> None:
    desk.world.add_ticket("One")
    answer = tickets.client.get(path, params=params)
    assert answer.status_code == 400
    assert answer.json()["description"] == "Validation failed"
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_page_301_is_refused_in_the_recorded_words(tickets: Tickets) -> None:
    assert tickets.status("/tickets", page=300) == 200
    answer = tickets.client.get("/tickets", params={"page": 301})
    assert answer.status_code == 400
    message = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
    error = {"field": "page", "message": message, "code": "invalid_value"}
    assert answer.json() == {"description": "Validation failed", "errors": [error]}


def test_nothing_is_written_over_http(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("One")
    assert tickets.client.delete(f"/tickets/{ticket}").status_code == 405
    assert tickets.client.post("/tickets", json={}).status_code == 405
    assert tickets.client.get("/tickets", headers={"Accept": "text/csv"}).status_code == 406
    assert tickets.ids() == [ticket]


@pytest.mark.parametrize("path", ["/tickets/99", "/tickets/abc", "/tickets/99/conversations", "/nothing", "/agents/7"])
def test_what_is_not_there_is_a_404_without_a_body(tickets: Tickets, path: str) -> None:
    answer = tickets.client.get(path)
    assert (answer.status_code, answer.content) == (404, b"")


# --- the list ----------------------------------------------------------------------------------------


def test_without_a_time_the_list_shows_what_was_made_in_30_days_newest_first(
    desk: FreshdeskServer, tickets: Tickets
) -> None:
    old = desk.world.add_ticket("Old")
    desk.clock.advance(31 * 86400)
    desk.world.touch(old)
    new = [desk.world.add_ticket("New"), desk.world.add_ticket("Newer")]
    assert tickets.ids() == new[::-1]
    assert tickets.all_ids() == [old, *new]


def test_the_time_is_included_and_may_have_an_offset(desk: FreshdeskServer, tickets: Tickets) -> None:
    first = desk.world.add_ticket("First")
    desk.clock.advance(1.9)
    second = desk.world.add_ticket("Second")
    since = tickets.get(f"/tickets/{second}")["updated_at"]
    assert since == "2026-01-05T09:00:01Z"
    assert tickets.ids(updated_since=since) == [second]
    assert tickets.ids(updated_since="2026-01-05T18:00:01+09:00") == [second]
    assert tickets.ids(updated_since="2026-01-05T09:00:00Z") == [second, first]


@pytest.mark.parametrize(
    ("order", "ascending"), [("created_at", [1, 2, 3]), ("updated_at", [2, 3, 1]), ("status", [2, 3, 1])]
)
def test_orders_go_both_ways(desk: FreshdeskServer, tickets: Tickets, order: str, ascending: list[int]) -> None:
    for status in (2, 2, 3):
        desk.world.add_ticket("Ticket", status=status)
        desk.clock.advance(1)
    desk.world.set_status(1, 4)
    assert tickets.ids(order_by=order, order_type="asc") == ascending
    assert tickets.ids(order_by=order) == ascending[::-1]


def test_a_link_stands_only_where_there_is_a_next_page(desk: FreshdeskServer, tickets: Tickets) -> None:
    for at in range(31):
        desk.world.add_ticket(f"Ticket {at}")
    answer = tickets.client.get("/tickets", params={"updated_since": EVER, "include": "stats"})
    assert len(answer.json()) == 30
    following = answer.links["next"]["url"]
    assert following.startswith(f"{desk.url}/api/v2/tickets?")
    answer = tickets.client.get(following)
    assert (len(answer.json()), answer.links) == (1, {})
    assert "stats" in answer.json()[0]
    exactly = tickets.client.get("/tickets", params={"per_page": 31})
    assert (len(exactly.json()), exactly.links) == (31, {})
    assert tickets.ids(page=5) == []


def test_the_date_is_the_clock_of_the_world(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.clock.advance(60.7)
    assert tickets.client.get("/tickets").headers.get_list("Date") == ["Mon, 05 Jan 2026 09:01:00 GMT"]


def test_rows_have_a_description_only_when_asked_for_and_no_attachments(
    desk: FreshdeskServer, tickets: Tickets
) -> None:
    company = desk.world.add_company("한빛전자")
    contact = desk.world.add_contact("박지민", "jimin@hanbit.example", company=company)
    ticket = desk.world.add_ticket("인증번호", "오지 않아요", requester=contact, attach=[("a.txt", b"a")])
    desk.clock.advance(5)
    desk.world.reply(ticket, "Again, please")
    (row,) = tickets.get("/tickets")
    assert not {"description", "description_text", "attachments", "requester", "stats", "deleted"} & set(row)
    (row,) = tickets.get("/tickets", include="description,requester,stats,company")
    assert (row["description"], row["description_text"]) == ("<div>오지 않아요</div>", "오지 않아요")
    assert row["requester"]["email"] == "jimin@hanbit.example"
    assert row["company"] == {"id": company, "name": "한빛전자"}
    assert row["stats"]["first_responded_at"] == "2026-01-05T09:00:05Z"
    assert row["stats"]["resolved_at"] is None
    desk.world.rename_contact(contact, "박지민 (퇴사)")
    (renamed,) = tickets.get("/tickets", include="requester")
    assert (renamed["requester"]["name"], renamed["updated_at"]) == ("박지민 (퇴사)", row["updated_at"])
    desk.world.lists_attachments = True
    desk.world.touch(ticket)
    assert len(tickets.get("/tickets")[0]["attachments"]) == 1


def test_a_ticket_that_moves_during_a_walk_by_pages_hides_another_one(desk: FreshdeskServer, tickets: Tickets) -> None:
    made = []
    for at in range(6):
        made.append(desk.world.add_ticket(f"Ticket {at}"))
        desk.clock.advance(1)
    moved: list[LoggedRequest] = []

    def move(entry: LoggedRequest) -> None:
        if not moved:
            moved.append(entry)
            desk.world.touch(made[0])

    desk.after_request = move
    walked = [ticket for page in (1, 2) for ticket in tickets.all_ids(per_page=3, page=page)]
    assert set(made) - set(walked) == {made[3]}
    last = tickets.get(f"/tickets/{made[2]}")["updated_at"]
    assert set(made[3:]) <= set(tickets.ids(updated_since=last))


def test_a_bulk_update_puts_250_tickets_into_one_second(desk: FreshdeskServer, tickets: Tickets) -> None:
    made = [desk.world.add_ticket(f"Ticket {at}") for at in range(250)]
    desk.clock.advance(10)
    desk.world.bulk_update(made, priority=3)
    pages = [tickets.all_ids(per_page=100, page=page) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [100, 100, 50]
    assert functools.reduce(operator.iadd, pages, []) == made
    rows = tickets.get("/tickets", updated_since=EVER, per_page=100)
    assert {row["updated_at"] for row in rows} == {"2026-01-05T09:00:10Z"}


def test_other_filters_of_the_list(desk: FreshdeskServer, tickets: Tickets) -> None:
    company = desk.world.add_company("Contoso")
    one = desk.world.add_contact("One", "one@x.example", company=company)
    two = desk.world.add_contact("Two", "two@x.example")
    first = desk.world.add_ticket("First", requester=one)
    second = desk.world.add_ticket("Second", requester=two, responder=desk.world.restricted_agent)
    assert tickets.ids(requester_id=one) == tickets.ids(email="one@x.example") == tickets.ids(company_id=company)
    assert tickets.ids(requester_id=two) == [second]
    assert tickets.ids(filter="new_and_my_open") == [first]
    assert tickets.ids(filter="watching") == tickets.ids(unique_external_id="x") == []


def test_a_search_counts_and_knows_nothing_archived(desk: FreshdeskServer, tickets: Tickets) -> None:
    for at in range(35):
        desk.world.add_ticket(f"Ticket {at}", status=2 if at else CLOSED, tags=("vip",) if at < 3 else ())
    assert tickets.get("/search/tickets", query='"status:2 AND tag:vip"')["total"] == 2
    found = tickets.get("/search/tickets", query='"status:2"')
    assert (found["total"], len(found["results"])) == (34, 30)
    assert tickets.get("/search/tickets", query='"status:5"')["total"] == 1
    desk.world.archive(1)
    assert tickets.get("/search/tickets", query='"status:5"')["total"] == 0


# --- one ticket and its messages ---------------------------------------------------------------------


def test_a_ticket_shows_its_codes_and_what_the_account_made(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    world.add_field("cf_product", "제품", "custom_dropdown", ["앱", "웹"])
    world.add_field("cf_country", "Country", "nested_field", {"Korea": {"Seoul": []}}, levels=(("cf_city", "City"),))
    mine = world.add_status("검토 중")
    ticket = world.add_ticket(
        "T", "Text", status=mine, source=17, priority=4, tags=["a", "b"], custom_fields={"cf_product": "앱"}
    )
    seen = tickets.get(f"/tickets/{ticket}")
    assert (seen["id"], seen["status"], seen["source"], seen["priority"], seen["tags"]) == (1, 8, 17, 4, ["a", "b"])
    assert seen["custom_fields"] == {"cf_product": "앱", "cf_country": None, "cf_city": None}
    assert seen["cc_emails"] == []
    assert "archived" not in seen and "deleted" not in seen


def test_values_of_custom_fields_are_of_every_sort(desk: FreshdeskServer, tickets: Tickets) -> None:
    values = {"cf_yes": True, "cf_number": 7, "cf_price": 1.5, "cf_text": "글", "cf_on": "2026-01-05", "cf_none": None}
    for name in values:
        desk.world.add_field(name, name, "custom_text")
    ticket = desk.world.add_ticket("T", custom_fields=values)
    assert tickets.get(f"/tickets/{ticket}")["custom_fields"] == values
    desk.world.update(ticket, custom_fields={"cf_number": 8})
    assert tickets.get("/tickets")[0]["custom_fields"] == {**values, "cf_number": 8}


def test_an_address_field_may_be_text_and_a_due_date_null(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", cc_emails="a@x.example, b@x.example")
    assert tickets.get(f"/tickets/{ticket}")["cc_emails"] == "a@x.example, b@x.example"
    assert tickets.get("/tickets")[0]["due_by"] is not None
    desk.world.sla_seconds = 10
    assert tickets.get("/tickets")[0]["due_by"] is None
    assert tickets.get(f"/tickets/{ticket}")["fr_due_by"] is None
    desk.clock.advance(10)
    assert tickets.get("/tickets")[0]["due_by"] is not None


def test_a_view_shows_the_ten_oldest_messages(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T")
    said = []
    for at in range(12):
        desk.clock.advance(1)
        said.append(desk.world.reply(ticket, f"Answer {at}"))
    seen = tickets.get(f"/tickets/{ticket}", include="conversations,requester")
    assert [each["id"] for each in seen["conversations"]] == said[:10]
    assert "requester" in seen
    assert "conversations" not in tickets.get(f"/tickets/{ticket}")


def test_messages_come_in_pages_of_a_hundred_at_most(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T")
    said = [desk.world.reply(ticket, f"Answer {at}") for at in range(150)]
    path = f"/tickets/{ticket}/conversations"
    assert len(tickets.get(path)) == 30
    first = tickets.client.get(path, params={"per_page": 100})
    second = tickets.client.get(first.links["next"]["url"])
    assert [each["id"] for each in first.json() + second.json()] == said
    assert second.links == {}


def test_each_sort_of_message_shows_by_its_fields(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    customer = world.add_contact("박지민", "jimin@hanbit.example")
    ticket = world.add_ticket("T", requester=customer)
    world.reply(ticket, "From the customer", by=customer)
    world.reply(ticket, "From an agent")
    world.add_note(ticket, "For everybody", private=False)
    world.add_note(ticket, "For us")
    world.forward(ticket, "To somebody else")
    world.reply(ticket, "We are away", auto_response=True)
    world.add_note(ticket, "By a rule", automation_id=7)
    fields = ("body_text", "incoming", "private", "source", "auto_response", "automation_id")
    seen = [tuple(each[name] for name in fields) for each in tickets.get(f"/tickets/{ticket}/conversations")]
    assert seen == [
        ("From the customer", True, False, 0, False, None),
        ("From an agent", False, False, 0, False, None),
        ("For everybody", False, False, 2, False, None),
        ("For us", False, True, 2, False, None),
        ("To somebody else", False, True, 8, False, None),
        ("We are away", False, False, 0, True, None),
        ("By a rule", False, True, 2, False, 7),
    ]


def test_fields_of_messages_come_and_go(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T")
    for at in range(6):
        desk.world.reply(ticket, f"Answer {at}")
    path = f"/tickets/{ticket}/conversations"
    assert len({tuple(sorted(each)) for each in tickets.get(path)}) > 1
    desk.world.new_fields = False
    assert len({tuple(sorted(each)) for each in tickets.get(path)}) == 1


@pytest.mark.parametrize("moves", [False, True])
def test_an_edited_or_deleted_message_moves_its_ticket_or_not(
    desk: FreshdeskServer, tickets: Tickets, moves: bool
) -> None:
    desk.world.edits_move_tickets = moves
    ticket = desk.world.add_ticket("T")
    first, second = desk.world.reply(ticket, "First"), desk.world.reply(ticket, "Second")
    before = tickets.get(f"/tickets/{ticket}")["updated_at"]
    desk.clock.advance(60)
    desk.world.edit_conversation(first, "First, corrected")
    desk.world.delete_conversation(second)
    (left,) = tickets.get(f"/tickets/{ticket}/conversations")
    assert (left["body_text"], left["last_edited_at"]) == ("First, corrected", "2026-01-05T09:01:00Z")
    assert (tickets.get(f"/tickets/{ticket}")["updated_at"] != before) == moves


def test_a_reply_a_note_and_each_field_move_the_ticket(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T")
    seen = {tickets.get("/tickets")[0]["updated_at"]}
    changes = [
        lambda: desk.world.reply(ticket, "R"),
        lambda: desk.world.add_note(ticket, "N"),
        lambda: desk.world.set_status(ticket, 3),
        lambda: desk.world.tag(ticket, "new"),
        lambda: desk.world.assign(ticket, desk.world.agent),
        lambda: desk.world.update(ticket, subject="S"),
        lambda: desk.world.touch(ticket),
    ]
    for change in changes:
        desk.clock.advance(1)
        change()
        seen.add(tickets.get("/tickets")[0]["updated_at"])
    assert len(seen) == len(changes) + 1


# --- coming and going --------------------------------------------------------------------------------


def test_what_was_deleted_or_is_spam_is_in_a_list_of_its_own_and_can_be_looked_at(
    desk: FreshdeskServer, tickets: Tickets
) -> None:
    stays, deleted, spam = (desk.world.add_ticket(name) for name in ("Stays", "Deleted", "Spam"))
    desk.world.delete(deleted)
    desk.world.spam(spam)
    assert tickets.all_ids() == [stays]
    assert tickets.all_ids(filter="deleted") == [deleted]
    assert tickets.all_ids(filter="spam") == [spam]
    assert tickets.get(f"/tickets/{deleted}")["deleted"] is True
    assert tickets.get(f"/tickets/{spam}")["spam"] is True
    assert desk.requests["tickets/deleted"] == desk.requests["tickets/spam"] == 1
    desk.world.restore(deleted)
    desk.world.unspam(spam)
    assert tickets.all_ids() == [stays, deleted, spam]
    desk.world.delete_for_ever(spam)
    assert tickets.status(f"/tickets/{spam}") == tickets.status(f"/tickets/archived/{spam}") == 404


@pytest.mark.parametrize("moves", [False, True])
def test_deletion_moves_a_ticket_or_not(desk: FreshdeskServer, tickets: Tickets, moves: bool) -> None:
    desk.world.removal_moves_tickets = moves
    ticket = desk.world.add_ticket("T")
    desk.clock.advance(60)
    desk.world.delete(ticket)
    assert (tickets.get(f"/tickets/{ticket}")["updated_at"] == "2026-01-05T09:01:00Z") == moves


def test_the_list_of_the_trash_heeds_the_time_or_not(desk: FreshdeskServer, tickets: Tickets) -> None:
    for at in range(2):
        ticket = desk.world.add_ticket(f"Ticket {at}")
        desk.world.delete(ticket)
        desk.clock.advance(60)
    asked = {"filter": "deleted", "updated_since": "2026-01-05T09:01:00Z", "order_type": "asc"}
    assert tickets.ids(**asked) == [2]
    desk.world.trash_takes_updated_since = False
    assert tickets.ids(**asked) == [2, 1]


def test_an_archived_ticket_has_left_its_place_and_every_list_for_good(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    old = world.add_ticket("Old", "Old question", status=CLOSED)
    world.reply(old, "Old answer")
    answered = world.add_ticket("Answered", status=CLOSED)
    open_one = world.add_ticket("Open")
    desk.clock.advance(60 * 86400)
    world.reply(answered, "Thanks")
    desk.clock.advance(timedelta(days=60).total_seconds())
    assert world.archive_old() == [old]
    assert tickets.all_ids() == [open_one, answered]
    assert tickets.all_ids(filter="deleted") == tickets.all_ids(filter="spam") == []
    assert tickets.status(f"/tickets/{old}") == tickets.status(f"/tickets/{old}/conversations") == 404
    assert tickets.status(f"/tickets/archived/{answered}") == 404
    seen = tickets.get(f"/tickets/archived/{old}")
    assert (seen["archived"], seen["description_text"]) == (True, "Old question")
    assert [each["body_text"] for each in tickets.get(f"/tickets/archived/{old}/conversations")] == ["Old answer"]
    with pytest.raises(ValueError, match="archived"):
        world.reply(old, "Too late")
    with pytest.raises(ValueError, match="not closed"):
        world.archive(open_one)


def test_some_plans_do_not_show_what_is_archived(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", status=CLOSED)
    desk.world.archive(ticket)
    desk.set_plan("growth")
    answer = tickets.client.get(f"/tickets/archived/{ticket}")
    assert (answer.status_code, answer.json()["code"]) == (403, "require_feature")


def test_a_merge_closes_the_second_ticket_and_copies_its_text_into_a_private_note(
    desk: FreshdeskServer, tickets: Tickets
) -> None:
    first = desk.world.add_ticket("First", "인증번호가 오지 않아요")
    second = desk.world.add_ticket("Second", "문자가 오지 않습니다")
    desk.world.merge(first, [second])
    (copied,) = tickets.get(f"/tickets/{first}/conversations")
    assert (copied["private"], copied["source"]) == (True, 2)
    assert copied["body_text"] == f"Ticket with ID {second} is merged into this one: Second 문자가 오지 않습니다"
    (note,) = tickets.get(f"/tickets/{second}/conversations")
    assert note["body_text"] == f"This ticket is closed and merged into ticket {first}"
    seen = tickets.get(f"/tickets/{second}")
    assert seen["status"] == CLOSED
    assert not any("merge" in name for name in seen)


# --- files -------------------------------------------------------------------------------------------


def test_addresses_of_files_differ_at_each_read_and_expire(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", attach=[("보고서.txt", "매출".encode())])
    desk.world.reply(ticket, "See the picture", attach=[("p.png", b"PNG")])
    first, second = (tickets.get(f"/tickets/{ticket}")["attachments"][0] for _ in range(2))
    assert first["attachment_url"] != second["attachment_url"]
    assert (first["name"], first["content_type"], first["size"]) == ("보고서.txt", "text/plain", 6)
    assert "thumb_url" not in first
    got = httpx.get(first["attachment_url"], verify=False)
    assert (got.content.decode(), got.headers["content-type"]) == ("매출", "text/plain")
    picture = tickets.get(f"/tickets/{ticket}/conversations")[0]["attachments"][0]
    assert httpx.get(picture["thumb_url"], verify=False).content == b"PNG"
    assert httpx.get(picture["attachment_url"][:-1], verify=False).status_code == 403
    desk.clock.advance(301)
    assert httpx.get(first["attachment_url"], verify=False).status_code == 403
    again = tickets.get(f"/tickets/{ticket}")["attachments"][0]["attachment_url"]
    assert httpx.get(again, verify=False).status_code == 200
    desk.world.delete_attachment(first["id"])
    assert tickets.get(f"/tickets/{ticket}")["attachments"] == []
    assert httpx.get(again, verify=False).status_code == 403


def test_a_file_that_was_cut_short_can_be_gone_on_with(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", attach=[("a.txt", b"0123456789")])
    url = tickets.get(f"/tickets/{ticket}")["attachments"][0]["attachment_url"]
    whole = httpx.get(url, verify=False)
    rest = httpx.get(url, headers={"Range": "bytes=4-", "If-Range": whole.headers["ETag"]}, verify=False)
    assert (rest.status_code, rest.content, rest.headers["Content-Range"]) == (206, b"456789", "bytes 4-9/10")
    middle = httpx.get(url, headers={"Range": "bytes=4-5"}, verify=False)
    assert (middle.content, middle.headers["Content-Range"]) == (b"45", "bytes 4-5/10")
    other = httpx.get(url, headers={"Range": "bytes=4-", "If-Range": '"other"'}, verify=False)
    assert (other.status_code, other.content) == (200, b"0123456789")
    assert httpx.get(url, headers={"Range": "bytes=10-"}, verify=False).status_code == 416


# --- people and fields -------------------------------------------------------------------------------


def test_people_are_agents_or_contacts_of_one_space_of_ids(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    company = world.add_company("새벽물류")
    contact = world.add_contact("최서연", "seoyeon@saebyeok.example", company=company)
    assert tickets.ids("/agents") == [world.agent, world.group_agent, world.restricted_agent]
    assert tickets.get(f"/agents/{world.group_agent}")["contact"]["name"] == "이수민"
    assert tickets.get(f"/contacts/{contact}")["company_id"] == company
    assert tickets.get(f"/companies/{company}")["name"] == tickets.get("/companies")[0]["name"] == "새벽물류"
    assert tickets.status(f"/contacts/{world.agent}") == tickets.status(f"/agents/{contact}") == 404
    assert [group["name"] for group in tickets.get("/groups")] == ["Billing", "고객지원"]


def test_contacts_are_listed_by_their_time_and_state(desk: FreshdeskServer, tickets: Tickets) -> None:
    old = desk.world.add_contact("Old", "old@x.example")
    desk.clock.advance(60)
    new = desk.world.add_contact("New", "new@x.example")
    assert tickets.ids("/contacts", _updated_since="2026-01-05T09:01:00Z") == [new]
    assert tickets.ids("/contacts", email="old@x.example") == [old]
    desk.world.delete_contact(old)
    assert tickets.ids("/contacts") == [new]
    assert tickets.ids("/contacts", state="deleted") == [old]
    assert tickets.status(f"/contacts/{old}") == 404


def test_merged_contacts_vanish_and_their_tickets_do_not_move(desk: FreshdeskServer, tickets: Tickets) -> None:
    kept, merged = (desk.world.add_contact(name, f"{name}@x.example") for name in ("kept", "merged"))
    ticket = desk.world.add_ticket("T", requester=merged)
    before = tickets.get("/tickets", include="requester")[0]
    desk.clock.advance(60)
    desk.world.merge_contacts(kept, [merged])
    after = tickets.get("/tickets", include="requester")[0]
    assert (after["id"], after["requester"]["name"], after["updated_at"]) == (ticket, "kept", before["updated_at"])
    assert tickets.status(f"/contacts/{merged}") == 404


def test_names_change_and_no_ticket_moves(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    company = world.add_company("Contoso")
    contact = world.add_contact("Oliver", "oliver@contoso.example", company=company)
    ticket = world.add_ticket("T", requester=contact, status=6, responder=world.agent)
    world.add_field("cf_x", "X", "custom_text")
    before = tickets.get(f"/tickets/{ticket}")["updated_at"]
    desk.clock.advance(60)
    world.rename_status(6, "고객 답변 대기")
    world.rename_field("cf_x", "Y")
    world.rename_agent(world.agent, "Grace B. M. Hopper")
    world.rename_company(company, "Contoso AG")
    world.rename_contact(contact, "Oliver B.")
    assert tickets.get(f"/tickets/{ticket}")["updated_at"] == before
    fields = {field["name"]: field for field in tickets.get("/ticket_fields")}
    assert fields["status"]["choices"]["6"] == ["고객 답변 대기", "Awaiting your Reply"]
    assert fields["cf_x"]["label"] == "Y"


def test_ticket_fields_are_a_list_with_choices_in_each_of_their_shapes(desk: FreshdeskServer, tickets: Tickets) -> None:
    desk.world.add_field("cf_product", "제품", "custom_dropdown", ["앱", "웹"])
    places = {"Korea": {"Seoul": ["Mapo"]}}
    levels = (("cf_city", "City"), ("cf_district", "District"))
    desk.world.add_field("cf_country", "Country", "nested_field", places, levels=levels)
    fields = {field["name"]: field for field in tickets.get("/ticket_fields")}
    assert fields["status"]["choices"]["2"] == ["Open", "Being Processed"]
    assert fields["priority"]["choices"] == {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4}
    assert fields["source"]["choices"]["Email"] == 1
    assert fields["ticket_type"]["choices"][0] == "Question"
    assert (fields["cf_product"]["type"], fields["cf_product"]["choices"]) == ("custom_dropdown", ["앱", "웹"])
    assert fields["cf_country"]["choices"] == places
    assert [each["name"] for each in fields["cf_country"]["nested_ticket_fields"]] == ["cf_city", "cf_district"]
    assert "choices" not in fields["subject"]


# --- knowledge base ----------------------------------------------------------------------------------


def test_articles_lie_in_folders_of_folders_of_categories(desk: FreshdeskServer, tickets: Tickets) -> None:
    world = desk.world
    category = world.add_category("결제")
    folder = world.add_folder(category, "환불")
    inner = world.add_folder(category, "내부", parent=folder, visibility=3)
    article = world.add_article(folder, "환불은 언제?", "영업일 3일", attach=[("a.txt", b"a")])
    draft = world.add_article(inner, "Draft", "Not yet", status=1)
    assert tickets.ids("/solutions/categories") == [category]
    assert tickets.ids(f"/solutions/categories/{category}/folders") == [folder]
    assert tickets.ids(f"/solutions/folders/{folder}/subfolders") == [inner]
    assert tickets.ids(f"/solutions/folders/{folder}/articles") == [article]
    (unfinished,) = tickets.get(f"/solutions/folders/{inner}/articles")
    assert (unfinished["id"], unfinished["status"]) == (draft, 1)
    seen = [tickets.get(f"/solutions/articles/{article}") for _ in range(2)]
    assert (seen[0]["title"], seen[0]["description_text"]) == ("환불은 언제?", "영업일 3일")
    assert (seen[0]["category_id"], seen[0]["folder_id"]) == (category, folder)
    assert seen[0]["hits"] != seen[1]["hits"]
    assert seen[0]["updated_at"] == seen[1]["updated_at"]
    assert seen[0]["attachments"][0]["created_at"] == "2026-01-05T18:00:00+09:00"
    visibilities = [tickets.get(f"/solutions/folders/{each}")["visibility"] for each in (folder, inner)]
    assert visibilities == [1, 3]
    assert tickets.get(f"/solutions/categories/{category}")["name"] == "결제"
    world.delete_folder(folder)
    assert tickets.status(f"/solutions/articles/{article}") == tickets.status(f"/solutions/folders/{inner}") == 404
    assert world.gone_articles == {article, draft}


def test_an_article_is_there_in_the_languages_it_was_translated_to(desk: FreshdeskServer, tickets: Tickets) -> None:
    folder = desk.world.add_folder(desk.world.add_category("Accounts"), "Sign-in")
    article = desk.world.add_article(folder, "Reset", "Press the button")
    desk.world.add_article(folder, "Another", "Not translated")
    desk.world.translate_article(article, "ko", "초기화", "단추를 누르세요")
    assert tickets.get(f"/solutions/articles/{article}/ko")["title"] == "초기화"
    assert tickets.ids(f"/solutions/folders/{folder}/articles/ko") == [article]
    assert tickets.status(f"/solutions/articles/{article}/de") == 404
    desk.set_plan("growth")
    answer = tickets.client.get(f"/solutions/articles/{article}/ko")
    assert (answer.status_code, answer.json()["code"]) == (403, "require_feature")


def test_of_a_published_article_with_a_draft_either_text_may_come(desk: FreshdeskServer, tickets: Tickets) -> None:
    folder = desk.world.add_folder(desk.world.add_category("Accounts"), "Sign-in")
    article = desk.world.add_article(folder, "Reset", "Old text")
    desk.world.draft_article(article, "New text")
    path = f"/solutions/articles/{article}"
    assert tickets.get(path)["description_text"] == "Old text"
    desk.world.shows_drafts = True
    assert (tickets.get(path)["description_text"], tickets.get(path)["status"]) == ("New text", 2)
    desk.world.edit_article(article, "Newest text", title="Reset it")
    assert tickets.get(path)["description_text"] == "Newest text"
