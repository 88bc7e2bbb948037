"""Summaries of tickets that a sync has brought from a help desk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer
from arcana_pipelines.testing.openai_server import EmbeddingServer
from arcana_pipelines_tests.freshdesk.conftest import Desk
from arcana_pipelines_tests.tickets.helpdesk import Helpdesk


@pytest.fixture
def desk(helpdesk: Helpdesk) -> Iterator[Desk]:
    with FreshdeskServer() as server:
        yield Desk(server, helpdesk.database)


def synced(helpdesk: Helpdesk, desk: Desk) -> None:
    desk.settle()
    with workspace_session(
        helpdesk.database, helpdesk.slug, open_source=lambda *_: desk.source(private_notes=True)
    ) as session:
        sync(session, SyncRequest(Mode.FULL))


def test_what_agents_alone_see_is_in_no_request_and_what_nobody_reads_in_a_summary_makes_none_anew(
    helpdesk: Helpdesk, desk: Desk, chat: EmbeddingServer
) -> None:
    world = desk.world
    number = world.add_ticket(
        "로그인 오류", "앱에 로그인할 수 없습니다. 010-1234-5678로 전화 주세요. haneul@customer.example"
    )
    world.reply(number, "토큰을 새로 발급했습니다.")
    world.add_note(number, "이 고객은 1월부터 돈을 내지 않았습니다.")
    world.add_note(number, "공지: 다음 배포에서 고칩니다.", private=False)
    synced(helpdesk, desk)
    assert helpdesk.rows("SELECT message_type FROM conversations ORDER BY 1") == [("note",), ("private",), ("public",)]
    assert helpdesk.make().made == 1
    (body,) = chat.chats
    ticket = json.loads(body["messages"][1]["content"])
    assert ticket["title"] == "로그인 오류"
    assert [each["by"] for each in ticket["messages"]] == ["customer", "agent", "agent"]
    assert "[phone]" in ticket["messages"][0]["text"] and "[e-mail]" in ticket["messages"][0]["text"]
    for secret in ("돈을 내지", "010-1234", "haneul@", "김하늘", *(agent.email for agent in world.agents.values())):
        assert secret not in str(body["messages"])
    summary = helpdesk.summary(number)
    assert summary is not None and summary["language"] == "ko"

    world.update(number, status=4, priority=4, tags=["vip"])
    world.add_note(number, "그래도 도와줍니다.")
    synced(helpdesk, desk)
    assert helpdesk.make().made == 0
    world.reply(number, "해결되었나요?")
    synced(helpdesk, desk)
    assert helpdesk.counts().waiting == 1
    assert helpdesk.make().made == 1
    assert len(chat.chats) == 2
