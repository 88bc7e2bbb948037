"""Worlds that are the same each time: tickets, messages, notes, people and articles of a help desk in use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from arcana_pipelines.testing.clock import DEFAULT_START, Clock
from arcana_pipelines.testing.freshdesk_server.model import CLOSED, DRAFT, OPEN, PENDING, RESOLVED, Html
from arcana_pipelines.testing.freshdesk_server.texts import ARTICLES, COMPANIES, CUSTOMERS, TOPICS
from arcana_pipelines.testing.freshdesk_server.world import FreshdeskWorld

_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc000000301"
    "0100c9fe92ef0000000049454e44ae426082"
)


def seed_world(
    tickets: int = 40,
    *,
    seed: int = 1,
    days: int = 90,
    real_time: bool = False,
    files: bool = True,
    archive: bool = False,
) -> FreshdeskWorld:
    """A help desk whose tickets came in over so many days, the last one a moment ago.

    Args:
        real_time: its clock runs with the machine's.
        files: every tenth ticket has a file and every twentieth a screenshot.
        archive: what was closed more than 120 days ago is archived.
    """
    random = Random(f"tickets {seed}")
    end = datetime.now(UTC).replace(microsecond=0) if real_time else DEFAULT_START
    clock = Clock(end - timedelta(days=days, hours=1))
    world = FreshdeskWorld(seed=seed, clock=clock)
    _add_fields(world)
    companies = [world.add_company(name) for name in COMPANIES]
    customers = [
        world.add_contact(name, address, company=companies[at % len(companies)])
        for at, (name, address) in enumerate(CUSTOMERS)
    ]
    agents = [world.agent, world.group_agent, world.restricted_agent]
    groups = list(world.groups)
    _add_articles(world)
    begin = clock.now()
    for at in range(tickets):
        came = begin + (end - begin) * (at / max(1, tickets))
        clock.set(came)
        _add_ticket(world, random, random.choice(customers), agents, groups, came, end, files)
    clock.set(end)
    if archive:
        world.archive_old()
    if real_time:
        clock.run()
    world.events.clear()
    return world


def _add_ticket(
    world: FreshdeskWorld,
    random: Random,
    customer: int,
    agents: list[int],
    groups: list[int],
    came: datetime,
    end: datetime,
    files: bool,
) -> None:
    number = world.highest_id + 1
    topic = TOPICS[number % len(TOPICS)]
    agent = random.choice(agents)
    ticket = world.add_ticket(
        topic.subject.format(n=number),
        topic.question.format(n=number),
        requester=customer,
        priority=topic.priority,
        source=random.choice((1, 1, 1, 2, 9)),
        type=topic.type,
        responder=agent,
        group=random.choice(groups),
        tags=(topic.tag,),
        custom_fields={"cf_product": topic.product, "cf_order_number": number * 7, "cf_vip": number % 9 == 0},
        attach=[(f"log-{number}.txt", f"line 1 of {number}\nerror 17\n".encode())]
        if files and number % 10 == 0
        else (),
    )
    said = len(topic.talk) if random.random() < 0.6 else random.randint(0, len(topic.talk))
    moment = came
    for turn in range(said):
        moment = min(end, moment + timedelta(seconds=random.randint(60, 40_000)))
        world.clock.set(moment)
        screenshot = [("화면.png", _DOT)] if files and number % 20 == 0 and turn == 1 else ()
        by = agent if turn % 2 == 0 else customer
        world.reply(ticket, topic.talk[turn].format(n=number), by=by, attach=screenshot)
        if turn == 0 and random.random() < 0.5:
            world.add_note(ticket, topic.note.format(n=number), by=agent)
    if said == len(topic.talk):
        world.set_status(ticket, random.choice((RESOLVED, CLOSED, CLOSED)))
    elif said:
        world.set_status(ticket, random.choice((OPEN, PENDING, 6)))


def _add_fields(world: FreshdeskWorld) -> None:
    world.add_field("cf_product", "제품", "custom_dropdown", sorted({topic.product for topic in TOPICS}))
    world.add_field("cf_order_number", "Order number", "custom_number")
    world.add_field("cf_vip", "VIP", "custom_checkbox")
    world.add_field("cf_delivered_on", "Delivered on", "custom_date")
    world.add_field("cf_remark", "비고", "custom_text")
    places = {"Korea": {"Seoul": ["Gangnam", "Mapo"], "Busan": []}, "Germany": {"Berlin": ["Mitte"]}}
    world.add_field(
        "cf_country", "Country", "nested_field", places, levels=(("cf_city", "City"), ("cf_district", "District"))
    )


def _add_articles(world: FreshdeskWorld) -> None:
    categories: dict[str, int] = {}
    folders: dict[str, int] = {}
    for category, folder, title, text in ARTICLES:
        if category not in categories:
            categories[category] = world.add_category(category)
        if folder not in folders:
            folders[folder] = world.add_folder(categories[category], folder)
        world.add_article(folders[folder], title, text)
    inner = world.add_folder(categories["결제"], "내부용", parent=folders["환불"], visibility=3)
    world.add_article(inner, "환불 예외 처리", "예외 환불은 팀장이 승인합니다.")
    script = world.add_article(
        folders["Accounts"],
        "Signing in from a script",
        Html(
            "<p>Send the key with <b>every</b> request:</p><pre><code>curl -u KEY:X https://acme.example/v1/me</code></pre>"
            "<table><tr><th>Answer</th><th>뜻</th></tr><tr><td>401</td><td>키가 없습니다</td></tr></table>"
            "<ol><li>Make a key</li><li>Keep it secret</li></ol>",
            ("Send the key with", "curl -u KEY:X https://acme.example/v1/me", "401", "키가 없습니다", "Keep it secret"),
        ),
        tags=("api",),
    )
    world.translate_article(script, "ko", "스크립트로 로그인하기", "요청마다 키를 보내세요.")
    world.add_article(folders["Accounts"], "Unfinished", "Nobody should read this yet.", status=DRAFT)
