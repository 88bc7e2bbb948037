"""The world behind the stand-in for Freshdesk: seeds, hostile tickets, the oracle, webhooks, and the command."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from arcana_pipelines.testing.freshdesk_server import (
    Expected,
    FreshdeskServer,
    FreshdeskWorld,
    Html,
    WebhookSender,
    add_hostile,
    expectations,
    problems_of,
    seed_world,
)
from arcana_pipelines.testing.freshdesk_server.mail import PROGRAMS
from arcana_pipelines.testing.freshdesk_server.wire import Wire, encode
from arcana_pipelines_tests.testing.conftest import Tickets, plain_http

REPOSITORY = Path(__file__).resolve().parents[2]
SIGNS_OF_QUOTES = (
    *(
        "freshdesk_quote",
        "gmail_quote",
        "divRplyFwdMsg",
        'type="cite"',
        "wrote:",
        "&gt; ",
        "-----Original Message-----",
    ),
    *("님이 작성:", "보낸 사람:", "원본 메일"),
)


def everything(world: FreshdeskWorld) -> bytes:
    """All tickets as the API would send them, from the beginning."""
    wire = Wire(world, "http://desk")
    rows = [wire.view(ticket, ("requester", "stats", "company")) for ticket in world.tickets.values()]
    said = [wire.conversation(each) for ticket in world.tickets.values() for each in ticket.conversations]
    return encode([rows, said, wire.ticket_fields()])


# --- seeds -------------------------------------------------------------------------------------------


def test_a_seed_makes_the_same_world_each_time_and_another_seed_another_one() -> None:
    first, again, other = (everything(seed_world(60, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_seeded_world_has_both_languages_and_every_sort_of_message() -> None:
    world = seed_world(200, days=300, archive=True)
    expected = expectations(world, private_notes=True, articles=True)
    korean = [each for each in world.tickets.values() if any("가" <= letter <= "힣" for letter in each.subject or "")]
    assert 0.4 <= len(korean) / len(world.tickets) <= 0.6
    messages = [message for each in expected.values() for message in each.messages]
    assert {each.message_type for each in messages} == {"public", "private"}
    assert {each.author_type for each in messages} == {"agent", "customer"}
    assert {each.state for each in expected.values()} == {"alive", "archived", "gone"}
    assert {each.kind for each in expected.values()} == {"ticket", "notes", "article", "folder", "category"}
    assert {each.status for each in world.tickets.values()} == {2, 3, 4, 5, 6}
    assert any(each.attachments for each in expected.values())
    assert world.events == []


def test_5000_tickets_with_their_messages_are_made_and_listed_whole() -> None:
    world = seed_world(5000, days=300)
    assert sum(len(each.conversations) for each in world.tickets.values()) > 15_000
    with FreshdeskServer(world) as server, plain_http(base_url=f"{server.url}/api/v2", auth=(world.key, "X")) as client:
        tickets = Tickets(client)
        seen = [ticket for page in range(1, 51) for ticket in tickets.all_ids(per_page=100, page=page)]
    assert sorted(seen) == list(world.tickets)


# --- the oracle --------------------------------------------------------------------------------------


def test_the_oracle_says_of_each_ticket_where_it_is() -> None:
    world = FreshdeskWorld()
    alive, trashed, spam, archived, gone = (world.add_ticket(f"Ticket {at}", status=5) for at in range(5))
    world.delete(trashed)
    world.spam(spam)
    world.archive(archived)
    world.delete_for_ever(gone)
    states = {int(key): each.state for key, each in expectations(world).items()}
    assert states == {alive: "alive", trashed: "trashed", spam: "trashed", archived: "archived", gone: "gone"}


def test_the_oracle_tells_messages_apart_and_keeps_private_ones_in_a_document_of_their_own() -> None:
    world = FreshdeskWorld()
    customer = world.add_contact("박지민", "jimin@hanbit.example")
    ticket = world.add_ticket("로그인", "인증번호가 오지 않아요", requester=customer, attach=[("a.png", b"a")])
    world.reply(ticket, "Please try again")
    world.reply(ticket, "아직도 안 됩니다", by=customer)
    world.add_note(ticket, "Solved for everybody", private=False)
    world.add_note(ticket, "He is angry", attach=[("b.txt", b"b")])
    world.forward(ticket, "Dear provider, please look")
    world.reply(ticket, "We are away", auto_response=True)
    found = expectations(world, private_notes=True)
    public, notes = found["1"], found["1-notes"]
    assert [(each.message_type, each.author_type, each.author_name) for each in public.messages] == [
        ("public", "agent", "Grace Hopper"),
        ("public", "customer", "박지민"),
        ("note", "agent", "Grace Hopper"),
        ("public", "system", "Grace Hopper"),
    ]
    assert public.phrases == (
        "인증번호가 오지 않아요",
        "Please try again",
        "아직도 안 됩니다",
        "Solved for everybody",
        "We are away",
    )
    assert public.hidden == ("He is angry", "Dear provider, please look")
    assert (notes.kind, notes.is_internal, notes.parent_id) == ("notes", True, "1")
    assert (notes.phrases, notes.attachments) == (public.hidden, ("b.txt",))
    assert public.attachments == ("a.png",)
    assert (public.properties["Visibility"], notes.properties["Visibility"]) == ("public", "private")
    assert "1-notes" not in expectations(world)


def test_the_oracle_names_what_codes_stand_for() -> None:
    world = FreshdeskWorld()
    company = world.add_company("Contoso")
    contact = world.add_contact("Oliver", "oliver@contoso.example", company=company)
    world.add_field("cf_vip", "VIP", "custom_checkbox")
    mine = world.add_status("검토 중")
    ticket = world.add_ticket(
        "T", requester=contact, status=mine, priority=4, source=17, tags=["a", "b"], custom_fields={"cf_vip": True}
    )
    world.assign(ticket, world.group_agent, next(iter(world.groups)))
    world.rename_status(mine, "검토 완료")
    (found,) = expectations(world).values()
    assert found.properties == {
        "Status": "검토 완료",
        "Priority": "Urgent",
        "Tags": "a, b",
        "Group": "Billing",
        "Company": "Contoso",
        "Assignee": "이수민",
        "Visibility": "public",
    }
    assert found.record["custom_fields"] == {"VIP": True}
    assert found.record["requester_email"] == "oliver@contoso.example"


def test_the_oracle_of_a_merge_links_the_second_ticket_to_the_first() -> None:
    world = FreshdeskWorld()
    first, second = world.add_ticket("First", "One"), world.add_ticket("Second", "Two")
    world.merge(first, [second])
    found = expectations(world, private_notes=True)
    assert found[str(second)].links == (str(first),)
    assert found[f"{first}-notes"].phrases == (f"Ticket with ID {second} is merged into this one: Second", "Two")


def test_the_oracle_leaves_out_what_an_agent_may_not_see() -> None:
    world = FreshdeskWorld()
    world.add_ticket("Nobody's")
    own = world.add_ticket("Own", responder=world.restricted_agent)
    assert list(expectations(world, agent=world.restricted_agent)) == [str(own)]
    assert len(expectations(world, agent=world.agent)) == 2


def test_the_oracle_of_articles_knows_drafts_folders_and_what_was_deleted() -> None:
    world = FreshdeskWorld()
    category = world.add_category("결제")
    folder = world.add_folder(category, "환불")
    inner = world.add_folder(category, "내부", parent=folder, visibility=3)
    article = world.add_article(inner, "환불은 언제?", "영업일 3일")
    world.draft_article(article, "영업일 5일")
    draft = world.add_article(folder, "Draft", "Not yet", status=1)
    deleted = world.add_article(folder, "Deleted", "No more")
    world.delete_article(deleted)
    found = expectations(world, articles=True)
    seen = found[f"article-{article}"]
    assert (seen.phrases, seen.hidden, seen.parent_id) == (("영업일 3일",), ("영업일 5일",), f"folder-{inner}")
    assert (seen.properties, seen.is_internal) == ({"Visibility": "agents"}, True)
    assert {found[f"article-{each}"].state for each in (draft, deleted)} == {"gone"}
    assert (found[f"folder-{inner}"].parent_id, found[f"folder-{inner}"].is_container) == (f"folder-{folder}", True)
    assert found[f"folder-{folder}"].parent_id == f"category-{category}"


def test_problems_are_what_is_missing_out_of_order_said_twice_or_hidden() -> None:
    phrases = ("The first thing that was said", "The second thing, with a * in it", "셋째")
    expected = Expected("1", "ticket", "alive", "Title", phrases=phrases, hidden=("the quoted history",))
    good = "The first **thing** that\nwas said\n\nThe second thing, with a \\* in it\n\n셋째"
    assert problems_of(expected, "Title", good) == []
    assert problems_of(expected, "Titel", good) == ["title is 'Titel', not 'Title'"]
    assert problems_of(expected, "Title", good.replace("셋째", "")) == ["missing: '셋째'"]
    assert problems_of(expected, "Title", "셋째 " + good[:-2]) == ["out of order: '셋째'"]
    assert problems_of(expected, "Title", good + " The first thing that was said") == [
        "2 times instead of 1: 'The first thing that was said'"
    ]
    assert problems_of(expected, "Title", good + " the quoted history") == ["not to be shown: 'the quoted history'"]


def test_what_was_edited_away_is_to_be_shown_no_more() -> None:
    world = FreshdeskWorld()
    ticket = world.add_ticket("T", "Old question")
    first, second = world.reply(ticket, "Old answer"), world.reply(ticket, "Deleted answer")
    world.edit_conversation(first, "New answer")
    world.delete_conversation(second)
    world.update(ticket, text="New question")
    (found,) = expectations(world).values()
    assert found.phrases == ("New question", "New answer")
    assert set(found.hidden) == {"Old question", "Old answer", "Deleted answer"}


def test_what_the_api_shows_agrees_with_the_oracle_through_a_random_history(
    desk: FreshdeskServer, tickets: Tickets
) -> None:
    world, random = desk.world, Random(7)
    for step in range(150):
        desk.clock.advance(random.randint(0, 2))
        shown = [each.id for each in world.tickets.values() if not each.archived]
        kind = random.randint(0, 9) if shown else 0
        ticket = random.choice(shown) if shown else 0
        if kind <= 2:
            world.add_ticket(f"Ticket {step}", f"Question {step}", status=random.choice((2, 5)))
        elif kind == 3:
            world.reply(ticket, f"Answer {step}")
        elif kind == 4:
            world.add_note(ticket, f"Note {step}", private=random.random() < 0.5)
        elif kind == 5:
            random.choice((world.delete, world.restore, world.spam, world.unspam))(ticket)
        elif kind == 6:
            world.set_status(ticket, random.choice((2, 3, 5)))
        elif kind == 7 and world.tickets[ticket].status == 5 and world.tickets[ticket].is_listed:
            world.archive(ticket)
        elif kind == 8 and world.tickets[ticket].conversations:
            world.edit_conversation(random.choice(world.tickets[ticket].conversations).id, f"Edited {step}")
        elif kind == 9 and random.random() < 0.2:
            world.delete_for_ever(ticket)
    found = expectations(world)
    listed = set(tickets.all_ids(per_page=100))
    assert listed == {int(key) for key, each in found.items() if each.state == "alive"}
    trash = {*tickets.all_ids(per_page=100, filter="deleted"), *tickets.all_ids(per_page=100, filter="spam")}
    assert trash == {int(key) for key, each in found.items() if each.state == "trashed"}
    for key, each in found.items():
        place = f"/tickets/archived/{key}" if each.state == "archived" else f"/tickets/{key}"
        if each.state == "gone":
            assert tickets.status(place) == 404
            continue
        said = tickets.get(f"{place}/conversations", per_page=100)
        texts = [tickets.get(place)["description_text"], *(one["body_text"] for one in said if not one["private"])]
        assert problems_of(each, each.title, "\n\n".join(texts)) == []
    assert {each.state for each in found.values()} == {"alive", "trashed", "archived", "gone"}


# --- hostile tickets ---------------------------------------------------------------------------------


@pytest.fixture
def hostile(desk: FreshdeskServer) -> dict[str, int]:
    return add_hostile(desk.world, large=100_000)


def test_every_hostile_ticket_can_be_listed_and_looked_at(
    desk: FreshdeskServer, tickets: Tickets, hostile: dict[str, int]
) -> None:
    assert set(tickets.all_ids(per_page=100, include="description,requester,stats")) == set(hostile.values())
    for ticket in hostile.values():
        assert tickets.get(f"/tickets/{ticket}", include="conversations")["id"] == ticket


def test_hostile_tickets_have_what_their_names_say(
    desk: FreshdeskServer, tickets: Tickets, hostile: dict[str, int]
) -> None:
    def shown(name: str) -> Any:
        return tickets.get(f"/tickets/{hostile[name]}")

    assert "<script>" in shown("scripts")["description"]
    assert "Ignore all previous instructions" in shown("prompt injection")["description_text"]
    assert (shown("empty")["description"], shown("empty")["description_text"]) == ("<div><br></div>", "")
    assert (shown("only plain text")["description"], shown("only plain text")["description_text"]) == (
        "",
        "Only the plain text says this",
    )
    assert shown("unknown source")["source"] == 17
    assert shown("deleted status")["status"] == 99
    assert isinstance(shown("address is text")["cc_emails"], str)
    assert next(each["name"] for each in shown("files")["attachments"]) == "../../etc/passwd"
    first = tickets.get(f"/tickets/{hostile['web chat']}/conversations")[0]
    assert first["body"] == shown("web chat")["description"]
    assert len(encode(shown("large"))) > 100_000
    for address in [each["attachment_url"] for each in shown("files")["attachments"]]:
        assert httpx.get(address, verify=False).status_code == 200


def test_a_large_text_is_of_five_megabytes() -> None:
    world = FreshdeskWorld()
    made = add_hostile(world)
    assert 4_500_000 < len(world.tickets[made["large"]].text.source.encode()) < 6_500_000


def test_inline_images_have_signed_addresses_that_differ_and_serve_bytes(
    desk: FreshdeskServer, tickets: Tickets, hostile: dict[str, int]
) -> None:
    path = f"/tickets/{hostile['inline images']}"
    texts = [tickets.get(path)["description"] for _ in range(2)]
    rows = list(tickets.get("/tickets", include="description", per_page=100))
    texts += [each["description"] for each in rows if each["id"] == hostile["inline images"]]
    assert len(set(texts)) == 3
    assert f'src="cid:{desk.url}/inline/attachment/' in texts[0]
    address = texts[0].split('<img src="', 1)[1].split('"', 1)[0]
    assert address.startswith(f"{desk.url}/inline/attachment/screen.png?token=")
    assert httpx.get(address, verify=False).headers["content-type"] == "image/png"


def test_replies_by_mail_repeat_what_they_answer_and_the_oracle_wants_it_once(
    desk: FreshdeskServer, tickets: Tickets, hostile: dict[str, int]
) -> None:
    said = tickets.get(f"/tickets/{hostile['quotes']}/conversations")
    assert len(said) == 1 + len(PROGRAMS)
    bodies = [each["body"] for each in said]
    for sign in (
        "freshdesk_quote",
        "gmail_quote",
        "divRplyFwdMsg",
        "wrote:",
        "님이 작성:",
        "-----Original Message-----",
    ):
        assert any(sign in body for body in bodies)
    expected = expectations(desk.world)[str(hostile["quotes"])]
    repeated = "\n\n".join(each["body_text"] for each in said)
    found = problems_of(expected, expected.title, f"질문이 있습니다: 요금제를 바꾸면 데이터가 남나요?\n{repeated}")
    times = len(said)
    assert f"{times} times instead of 1: 'Nothing is deleted when you change your plan.'" in found
    assert "not to be shown: 'Emma Fischer, Northwind Traders, extension 3'" in found


def test_a_text_may_be_html_of_ones_own(desk: FreshdeskServer, tickets: Tickets) -> None:
    ticket = desk.world.add_ticket("T", Html("<ul><li>하나</li><li>둘</li></ul>", ("하나", "둘")))
    assert tickets.get(f"/tickets/{ticket}")["description_text"] == "하나 둘"


# --- webhooks ----------------------------------------------------------------------------------------


class Receiver(http.server.BaseHTTPRequestHandler):
    got: list[tuple[str | None, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.got.append((self.headers.get("X-Token"), body["freshdesk_webhook"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[str | None, Any]]]]:
    handler = type("Handler", (Receiver,), {"got": []})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", handler.got  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_a_webhook_is_json_without_a_signature_and_tells_only_of_what_rules_see() -> None:
    world = FreshdeskWorld()
    world.add_ticket("Before")
    with receiver() as (url, got), WebhookSender(world, url, headers={"X-Token": "long"}) as sender:
        ticket = world.add_ticket("T")
        note = world.add_note(ticket, "N")
        world.set_status(ticket, 5)
        world.edit_conversation(note, "M")
        world.touch(ticket)
        world.delete(ticket)
        assert sender.deliver() == [204, 204, 204]
        assert sender.deliver() == []
    assert {token for token, _ in got} == {"long"}
    assert [(body["ticket_id"], body["triggered_event"]) for _, body in got] == [
        (ticket, "{ticket_action:created}"),
        (ticket, "{note_type:private}"),
        (ticket, "{Status:{from:Open,to:Closed}}"),
    ]
    assert got[0][1]["ticket_url"] == f"https://acme.freshdesk.com/a/tickets/{ticket}"


def test_webhooks_come_twice_out_of_order_and_not_at_all() -> None:
    def numbers(**how: Any) -> list[int]:
        world = FreshdeskWorld()
        with receiver() as (url, got), WebhookSender(world, url, **how) as sender:
            for at in range(20):
                world.add_ticket(f"Ticket {at}")
            sender.deliver()
            return [body["ticket_id"] for _, body in got]

    whole = list(range(1, 21))
    assert numbers() == whole
    assert sorted(numbers(shuffled=True)) == whole != numbers(shuffled=True)
    assert numbers(shuffled=True) == numbers(shuffled=True)
    twice = numbers(duplicated=0.5)
    assert set(twice) == set(whole) and 20 < len(twice) < 40
    assert 0 < len(numbers(lost=0.5)) < 20


# --- the command -------------------------------------------------------------------------------------


def test_the_command_serves_a_seeded_help_desk_in_real_time() -> None:
    given = [sys.executable, "-m", "arcana_pipelines.testing.freshdesk_server", "--tickets", "8", "--plan", "pro"]
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None and process.stderr is not None
    try:
        assert re.search(
            r"^\d tickets are listed, \d are in the trash or spam, and \d archived\.", process.stderr.readline()
        )
        told = [process.stderr.readline().strip().removeprefix("export ").split("=") for _ in range(3)]
        (_, address), (_, domain), (_, key) = told
        assert [name for name, _ in told] == ["FRESHDESK_BASE_URL", "FRESHDESK_DOMAIN", "FRESHDESK_API_KEY"]
        url = process.stdout.readline().strip()
        assert (address, domain) == (url, "acme")
        with plain_http(base_url=f"{url}/api/v2", auth=(key, "X")) as client:
            answer = client.get("/tickets", params={"updated_since": "1970-01-01T00:00:00Z"})
        assert answer.headers["X-RateLimit-Total"] == "400.0"
        assert 0 < len(answer.json()) <= 8
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.close()
        process.stderr.close()
