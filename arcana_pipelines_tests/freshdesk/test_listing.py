"""What is listed: everything, in spite of what changes meanwhile, and what is not there is not taken for gone."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from arcana_pipelines.sources.freshdesk import api as freshdesk_api
from arcana_pipelines.sources.freshdesk import source as freshdesk_source
from arcana_pipelines.sources.freshdesk import walk as freshdesk_walk
from arcana_pipelines.sources.freshdesk.names import MOST_LOOKS
from arcana_pipelines.sources.protocol import Mode, Presence
from arcana_pipelines.testing.conformance.sources import changed, unchanged
from arcana_pipelines.testing.freshdesk_server import LoggedRequest
from arcana_pipelines.testing.freshdesk_server import api as server_api
from arcana_pipelines_tests.freshdesk.conftest import Desk, listed

DAY = timedelta(days=1).total_seconds()


def add(desk: Desk, count: int, seconds: float = 1.0) -> list[int]:
    """So many tickets, one every so many seconds."""
    made = []
    for number in range(count):
        made.append(desk.world.add_ticket(f"Ticket {number}", f"Question {number}"))
        desk.world.clock.advance(seconds)
    return made


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a page, three pages: what takes 30,000 tickets elsewhere takes seven."""
    monkeypatch.setattr(freshdesk_api, "PER_PAGE", 2)
    monkeypatch.setattr(freshdesk_walk, "PER_PAGE", 2)
    monkeypatch.setattr(freshdesk_walk, "LAST_PAGE", 3)
    monkeypatch.setattr(server_api, "LAST_PAGE", 3)


class TestEverything:
    def test_tickets_behind_the_last_page_that_may_be_asked_for_are_listed(self, desk: Desk, small_pages: None) -> None:
        made = add(desk, 20)
        refs, listing = listed(desk.source())
        assert listing.complete and set(refs) == {str(ticket) for ticket in made}
        assert all(
            request.query.get("page", "1") == "1" for request in desk.server.log if request.endpoint == "tickets"
        )

    def test_tickets_from_before_the_last_thirty_days_are_listed(self, desk: Desk) -> None:
        old = desk.world.add_ticket("Old")
        desk.world.clock.advance(90 * DAY)
        refs, _ = listed(desk.source())
        assert set(refs) == {str(old)}

    def test_a_two_month_old_ticket_that_was_answered_today_is_listed_again(self, desk: Desk) -> None:
        old = desk.world.add_ticket("Old")
        desk.world.clock.advance(60 * DAY)
        source = desk.source()
        _, first = listed(source)
        desk.world.clock.advance(DAY)
        desk.world.reply(old, "At last.")
        refs, _ = listed(source, Mode.INCREMENTAL, first.cursor)
        assert set(refs) == {str(old)}

    def test_what_is_updated_in_the_middle_of_a_walk_hides_no_other_ticket(self, desk: Desk, small_pages: None) -> None:
        made = add(desk, 12)

        def update(request: LoggedRequest) -> None:
            """After each page, its first ticket moves to the end: behind it, all move up by one."""
            if request.endpoint == "tickets" and len(desk.server.log) < 9:
                desk.world.clock.advance(1)
                desk.world.tag(made[len(desk.server.log) % 3], f"seen {len(desk.server.log)}")

        desk.server.after_request = update
        refs, listing = listed(desk.source())
        assert listing.complete and set(refs) == {str(ticket) for ticket in made}

    @pytest.mark.parametrize("count", [2, 3, 4, 5])
    def test_tickets_of_one_second_are_listed_though_they_fill_pages(
        self, desk: Desk, small_pages: None, count: int
    ) -> None:
        made = add(desk, 3) + add(desk, count, seconds=0)
        desk.world.clock.advance(1)
        made += add(desk, 3)
        refs, listing = listed(desk.source())
        assert listing.complete and set(refs) == {str(ticket) for ticket in made}

    def test_a_bulk_update_of_250_tickets_is_listed_whole_though_one_is_updated_meanwhile(self, desk: Desk) -> None:
        made = add(desk, 250, seconds=0)
        desk.world.clock.advance(60)
        desk.world.bulk_update(made, priority=3)
        desk.world.clock.advance(60)
        late = desk.world.add_ticket("Late")

        def update(request: LoggedRequest) -> None:
            if request.query.get("page") == "1" and desk.world.tickets[made[0]].priority == 3:
                desk.world.clock.advance(5)
                desk.world.update(made[0], priority=4)

        desk.server.after_request = update
        refs, listing = listed(desk.source())
        assert listing.complete and set(refs) == {str(ticket) for ticket in (*made, late)}

    def test_more_tickets_in_one_second_than_can_be_listed_make_the_listing_incomplete(
        self, desk: Desk, small_pages: None
    ) -> None:
        add(desk, 9, seconds=0)
        refs, listing = listed(desk.source())
        assert not listing.complete and listing.cursor is None and len(refs) == 6
        assert "more than 6 tickets were updated at" in listing.problems[0]

    def test_a_server_that_ignores_the_order_makes_the_listing_incomplete(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(desk, 3)
        monkeypatch.setattr(server_api, "_one_of", lambda query, name, allowed, default: default)
        _, listing = listed(desk.source())
        assert not listing.complete and "not in the order that was asked for" in listing.problems[0]

    def test_descriptions_come_with_a_full_listing_and_with_no_other(self, desk: Desk) -> None:
        add(desk, 2)
        source = desk.source()
        full, listing = listed(source)
        assert all(ref.record is not None and ref.record["description"] for ref in full.values())
        audit, _ = listed(source, Mode.AUDIT)
        desk.world.tag(1, "new")
        recent, _ = listed(source, Mode.INCREMENTAL, listing.cursor)
        assert recent and not any(ref.record for ref in (*audit.values(), *recent.values()))
        assert {request.query.get("include") for request in desk.server.log if request.endpoint == "tickets"} == {
            "description,requester",
            None,
        }

    def test_every_listing_says_the_same_of_a_ticket(self, desk: Desk) -> None:
        world = desk.world
        company = world.add_company("한빛 무역")
        asks = world.add_contact("김하늘", "haneul@customer.example", company=company)
        ticket = world.add_ticket(
            "Refund", "Please.", requester=asks, responder=world.agent, group=next(iter(world.groups))
        )
        source = desk.source()
        full, listing = listed(source)
        world.touch(ticket)
        for mode, cursor in ((Mode.AUDIT, None), (Mode.INCREMENTAL, listing.cursor)):
            again, _ = listed(desk.source(), mode, cursor)
            assert again[str(ticket)].properties == full[str(ticket)].properties
        shown = {name: value["text"] for name, value in full[str(ticket)].properties.items()}
        assert (shown["Company"], shown["Assignee"], shown["Group"]) == ("한빛 무역", "Grace Hopper", "Billing")
        assert not any("haneul" in text or "김하늘" in text for text in shown.values())

    def test_a_hundred_descriptions_too_large_for_one_answer_are_read_one_by_one(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(freshdesk_api, "MOST_BYTES", 20_000)
        made = [desk.world.add_ticket(f"Large {number}", "long " * 2000) for number in range(5)]
        desk.settle()
        source = desk.source()
        refs, listing = listed(source)
        assert listing.complete and set(refs) == {str(ticket) for ticket in made}
        assert source.fetch(refs[str(made[0])]).markdown.startswith("long long")


class TestTheSecondTime:
    def test_nothing_new_costs_one_request_without_anything_included(self, desk: Desk) -> None:
        add(desk, 5)
        source = desk.source(is_poll=True)
        _, first = listed(source)
        listed(source, Mode.INCREMENTAL, first.cursor)
        desk.server.reset_log()
        refs, listing = listed(source, Mode.INCREMENTAL, first.cursor)
        assert not refs and listing.complete
        assert [(request.endpoint, request.credits) for request in desk.server.log] == [("tickets", 1)]

    def test_polls_take_two_requests_at_most_on_average_and_look_at_the_trash_now_and_then(self, desk: Desk) -> None:
        add(desk, 5)
        _, first = listed(desk.source())
        desk.settle()
        desk.server.reset_log()
        trash = []
        for _ in range(40):
            source = desk.source(is_poll=True)
            _, listing = listed(source, Mode.INCREMENTAL, first.cursor, unchanged)
            trash.append(listing.trash is not None)
            desk.world.clock.advance(30)
        assert len(desk.server.log) <= 80
        assert sum(trash) == 10

    def test_a_sync_always_looks_at_the_trash(self, desk: Desk) -> None:
        _, first = listed(desk.source())
        for _ in range(3):
            _, listing = listed(desk.source(), Mode.INCREMENTAL, first.cursor, unchanged)
            assert listing.trash == set()

    def test_the_cursor_is_the_clock_of_the_server_when_the_listing_began(self, desk: Desk) -> None:
        add(desk, 3)
        began = desk.world.now()
        desk.server.after_request = lambda request: desk.world.clock.advance(60)
        _, listing = listed(desk.source())
        assert listing.cursor is not None
        assert json.loads(listing.cursor)["since"] == began.isoformat()
        assert listing.source_time == began

    def test_a_second_update_in_the_second_of_the_listing_is_listed(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Changing")
        source = desk.source()
        _, first = listed(source)
        desk.world.tag(ticket, "in the same second")
        refs, _ = listed(source, Mode.INCREMENTAL, first.cursor)
        assert refs[str(ticket)].properties["Tags"]["text"] == "in the same second"

    def test_what_the_list_shows_late_is_listed(self, desk: Desk) -> None:
        source = desk.source()
        _, first = listed(source)
        desk.world.clock.advance(60)
        ticket = desk.world.add_ticket("Late")
        desk.world.at(ticket, updated=desk.world.now() - timedelta(seconds=90))
        refs, _ = listed(source, Mode.INCREMENTAL, first.cursor)
        assert set(refs) == {str(ticket)}

    def test_without_a_cursor_that_can_be_read_everything_is_listed_and_said(self, desk: Desk) -> None:
        add(desk, 2)
        refs, listing = listed(desk.source(), Mode.INCREMENTAL, "{not a cursor")
        assert len(refs) == 2 and not listing.complete
        assert "cursor" in listing.problems[0]


class TestTrash:
    @pytest.mark.parametrize("takes_updated_since", [True, False])
    @pytest.mark.parametrize("moves", [True, False])
    def test_deleted_and_spam_are_listed_as_trash(self, desk: Desk, takes_updated_since: bool, moves: bool) -> None:
        desk.world.trash_takes_updated_since, desk.world.removal_moves_tickets = takes_updated_since, moves
        deleted, spam, stays = add(desk, 3)
        source = desk.source()
        _, first = listed(source)
        desk.settle()
        desk.world.delete(deleted)
        desk.world.spam(spam)
        refs, listing = listed(source, Mode.INCREMENTAL, first.cursor)
        assert listing.complete and listing.trash == {str(deleted), str(spam)} and listing.trash_since is None
        assert all(ref.in_trash for ref in refs.values()) and str(stays) not in refs
        full, listing = listed(source)
        assert set(full) == {str(stays)} and listing.trash == {str(deleted), str(spam)}

    def test_of_a_large_trash_a_poll_reads_what_is_new(self, desk: Desk, small_pages: None) -> None:
        desk.world.removal_moves_tickets = True
        for ticket in add(desk, 8):
            desk.world.delete(ticket)
            desk.world.clock.advance(60)
        source = desk.source()
        _, first = listed(source)
        desk.server.reset_log()
        _, listing = listed(source, Mode.INCREMENTAL, first.cursor, unchanged)
        assert desk.server.requests["tickets/deleted"] == 1
        assert listing.trash is not None and len(listing.trash) == 2 and listing.trash_since is not None

    def test_a_trash_that_the_key_may_not_list_is_not_known(self, desk: Desk) -> None:
        desk.server.faults.add("403", "tickets/spam", times=None)
        _, listing = listed(desk.source())
        assert listing.complete and listing.trash is None

    def test_a_trash_that_did_not_answer_makes_the_listing_incomplete(self, desk: Desk) -> None:
        desk.server.faults.add("500", "tickets/deleted", times=None)
        _, listing = listed(desk.source(patience=1))
        assert not listing.complete and listing.cursor is None and listing.trash is None


class TestScope:
    @pytest.mark.parametrize(
        ("who", "said"),
        [("group_agent", "only tickets of its groups"), ("restricted_agent", "only tickets of its own")],
    )
    def test_a_key_that_sees_some_tickets_lists_them_and_proves_no_absence(
        self, desk: Desk, who: str, said: str
    ) -> None:
        world = desk.world
        agent = getattr(world, who)
        own = world.add_ticket("Mine", responder=agent)
        world.add_ticket("Another's")
        source = desk.source(key=world.agents[agent].key)
        refs, listing = listed(source)
        assert set(refs) == {str(own)}
        assert not listing.complete and said in listing.problems[0]
        # The reason stays: the next listing goes on from here all the same.
        assert listing.is_limited and listing.cursor is not None
        _, listing = listed(source, Mode.INCREMENTAL, listing.cursor)
        assert listing.complete

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_ticket_outside_of_the_scope_is_never_removed_at_once(self, desk: Desk, status: int) -> None:
        desk.world.scope_status = status
        ticket = desk.world.add_ticket("Another's")
        source = desk.source(key=desk.world.agents[desk.world.restricted_agent].key)
        assert source.confirm(str(ticket)) == (Presence.UNKNOWN if status == 403 else Presence.GONE, None)
        assert source.capabilities.absences_needed == 2


class TestNames:
    def test_a_renamed_status_changes_what_an_audit_says_of_tickets_that_did_not_move(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Waiting", status=6)
        before, _ = listed(desk.source())
        desk.world.statuses[6] = ("고객 응답 대기", "Waiting")
        after, _ = listed(desk.source(), Mode.AUDIT)
        was, now = (refs[str(ticket)] for refs in (before, after))
        assert was.revision == now.revision
        assert (was.properties["Status"]["text"], now.properties["Status"]["text"]) == (
            "Waiting on Customer",
            "고객 응답 대기",
        )

    def test_codes_that_nobody_names_are_shown_as_they_are(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Odd", source=17, priority=9)
        desk.world.tickets[ticket].status = 99
        refs, _ = listed(desk.source())
        shown = {name: value["text"] for name, value in refs[str(ticket)].properties.items()}
        assert (shown["Source"], shown["Priority"], shown["Status"]) == ("source 17", "priority 9", "status 99")

    def test_custom_fields_are_called_by_their_labels_and_have_their_types(self, desk: Desk) -> None:
        world = desk.world
        world.add_field("cf_amount", "Amount", "custom_number")
        world.add_field("cf_since", "구매일", "custom_date")
        world.add_field("cf_vip", "VIP", "custom_checkbox")
        world.add_field("cf_product", "Product", "custom_dropdown", choices=["Phone"])
        world.add_field("cf_status", "Status", "custom_text")
        values = {"cf_amount": 12, "cf_since": "2026-03-05", "cf_vip": True, "cf_product": "Phone", "cf_status": "new"}
        ticket = world.add_ticket("Fields", custom_fields=values)
        refs, _ = listed(desk.source())
        shown = {name: (value["type"], value["text"]) for name, value in refs[str(ticket)].properties.items()}
        assert shown["Amount"] == ("number", "12")
        assert shown["구매일"] == ("date", "2026-03-05")
        assert shown["VIP"] == ("checkbox", "Yes")
        assert shown["Product"] == ("select", "Phone")
        assert shown["Status"] == ("status", "Open") and shown["Status (cf_status)"] == ("rich_text", "new")

    def test_all_properties_are_hidden_so_that_a_changed_one_embeds_nothing(self, desk: Desk) -> None:
        ticket = desk.world.add_ticket("Any", tags=["vip"], type="Refund")
        refs, _ = listed(desk.source())
        assert all(value["hidden"] is True for value in refs[str(ticket)].properties.values())

    @pytest.mark.parametrize("endpoint", ["agents", "groups", "companies", "companies/view", "ticket_fields"])
    def test_names_that_the_key_may_not_read_are_left_out(self, desk: Desk, endpoint: str) -> None:
        world = desk.world
        asks = world.add_contact("A", company=world.add_company("B"))
        world.add_ticket("C", requester=asks, responder=world.agent, group=next(iter(world.groups)))
        desk.server.faults.add("403", endpoint, times=None)
        refs, listing = listed(desk.source())
        assert listing.complete and refs["1"].properties["Status"]["text"] == "Open"

    def test_names_that_cannot_be_read_now_make_the_listing_incomplete(self, desk: Desk) -> None:
        desk.world.add_ticket("A", responder=desk.world.agent)
        desk.server.faults.add("500", "agents", times=None)
        _, listing = listed(desk.source(patience=1))
        assert not listing.complete and listing.cursor is None

    def test_many_companies_are_listed_and_not_asked_for_one_by_one(self, desk: Desk) -> None:
        for number in range(30):
            company = desk.world.add_company(f"Company {number}")
            desk.world.add_ticket("A", requester=desk.world.add_contact(f"{number}", company=company))
        refs, _ = listed(desk.source())
        assert refs["30"].properties["Company"]["text"] == "Company 29"
        asked = desk.server.requests
        assert asked["companies"] == 1 and asked["companies/view"] == MOST_LOOKS


class TestArticles:
    def test_published_articles_are_listed_below_their_folders(self, desk: Desk) -> None:
        world = desk.world
        category = world.add_category("Help")
        folder = world.add_folder(category, "Accounts")
        inner = world.add_folder(category, "Passwords", parent=folder)
        shown = world.add_article(inner, "인증번호", "문자를 확인하세요.")
        world.add_article(inner, "A draft", "Not yet.", status=1)
        refs, listing = listed(desk.source(articles=True))
        assert listing.complete
        assert {key: (ref.parent_kind, ref.parent_id) for key, ref in refs.items()} == {
            f"category-{category}": ("workspace", None),
            f"folder-{folder}": ("category", f"category-{category}"),
            f"folder-{inner}": ("folder", f"folder-{folder}"),
            f"article-{shown}": ("folder", f"folder-{inner}"),
        }

    def test_where_an_article_is_shown_is_a_property_and_one_for_agents_is_internal(self, desk: Desk) -> None:
        category = desk.world.add_category("Help")
        made = {
            visibility: desk.world.add_article(desk.world.add_folder(category, "F", visibility=visibility), "A", "B")
            for visibility in (1, 2, 3, 4)
        }
        refs, _ = listed(desk.source(articles=True))
        said = [refs[f"article-{article}"] for article in made.values()]
        assert [ref.properties["Visibility"]["text"] for ref in said] == [
            "public", "logged-in users", "agents", "selected companies",
        ]  # fmt: skip
        assert [ref.is_internal for ref in said] == [False, False, True, False]

    def test_an_article_that_is_a_draft_again_is_gone(self, desk: Desk) -> None:
        article = desk.world.add_article(desk.world.add_folder(desk.world.add_category("A"), "B"), "C", "D")
        source = desk.source(articles=True)
        assert source.confirm(f"article-{article}")[0] is Presence.ALIVE
        desk.world.articles[article].status = 1
        assert source.confirm(f"article-{article}") == (Presence.GONE, None)

    def test_articles_are_not_listed_where_they_are_not_wanted_and_not_at_every_sync(self, desk: Desk) -> None:
        desk.world.add_article(desk.world.add_folder(desk.world.add_category("A"), "B"), "C", "D")
        listed(desk.source())
        assert not desk.server.requests["solutions/categories"]
        source = desk.source(articles=True)
        _, first = listed(source)
        desk.server.reset_log()
        _, second = listed(source, Mode.INCREMENTAL, first.cursor)
        assert not desk.server.requests["solutions/categories"]
        desk.world.clock.advance(timedelta(hours=2).total_seconds())
        refs, third = listed(source, Mode.INCREMENTAL, second.cursor)
        assert desk.server.requests["solutions/categories"] == 1 and len(refs) == 3
        listed(source, Mode.INCREMENTAL, third.cursor)
        assert desk.server.requests["solutions/categories"] == 1

    def test_counters_that_change_at_each_read_do_not_make_an_article_changed(self, desk: Desk) -> None:
        article = desk.world.add_article(desk.world.add_folder(desk.world.add_category("A"), "B"), "C", "D")
        source = desk.source(articles=True)
        first, second = (listed(source)[0][f"article-{article}"] for _ in range(2))
        assert first == second


def test_a_row_without_an_id_makes_the_listing_incomplete_and_delays_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(desk, 2)
    monkeypatch.setattr(freshdesk_source, "row_id", lambda row: None if row["id"] == 1 else row["id"])
    refs, listing = listed(desk.source(), is_unchanged=changed)
    assert set(refs) == {"2"} and not listing.complete
