"""The example of docs/tickets.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines_tests.ticket_rows import add_desk

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tickets.md"


def test_the_example_prints_what_stands_below_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk = add_desk(database, "support", "Haneul Robotics")
    desk.add("1211", minute=1, status="Closed", priority="Low", is_processed=True)
    desk.add("1212", minute=2)
    desk.add("1213", minute=3, priority="High", title="매일 오후 3시쯤 서쪽 창가에서 로봇이 멈춥니다",
             custom_fields={"Robot": "HR-2"})  # fmt: skip
    desk.add("1214", minute=4, title="충전 스테이션이 인식되지 않습니다")
    desk.say("1213", "햇빛 필터를 2단계로 올립니다.", by="agent", minute=1)
    desk.say("1213", "해결되었습니다.", minute=2)
    monkeypatch.setenv("ARCANA_HOME", str(database.settings.home))
    monkeypatch.setenv("DATABASE_URL", database.url)
    found = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    exec(compile(found[1], str(PAGE), "exec"), {"__name__": "__example__"})
    assert capsys.readouterr().out == found[2]
