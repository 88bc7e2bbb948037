"""Every source keeps to the protocol: ours, and one of a plug-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.sources.protocol import Presence, Source
from arcana_pipelines.sources.registry import open_source
from arcana_pipelines.testing.conformance.sources import SourceConformance
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer
from arcana_pipelines.testing.notion_server import NotionWorld, blocks
from arcana_pipelines_tests.freshdesk.conftest import Desk
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.sources.test_notion_export_support import A, B, C, D, write

NOBODY = str(UUID("f" * 32))


class TestNotion(SourceConformance):
    @pytest.fixture
    def source(self, acme: Harness) -> Iterator[Source]:
        world = acme.world
        first = world.add_page("Handbook", blocks=[blocks.paragraph("Cows say moo.")])
        world.add_page("휴가", first, blocks=[blocks.paragraph("휴가는 열다섯 날이다.")])
        table = world.add_database("Invoices", schema={"Name": "title", "Due": "date"})
        world.add_row(table.data_source_id, "May", {"Due": "2026-05-01"}, [blocks.paragraph("Due.")])
        world.trash(world.add_page("Thrown away", blocks=[blocks.paragraph("Old.")]))
        world.add_file(first, "pdf", "연차 규정.pdf", b"%PDF")
        opened = acme.at(files=FileRules()).source()
        yield opened
        opened.close()

    @pytest.fixture
    def broken(self, acme: Harness) -> Iterator[Source]:
        acme.server.faults.add("/", "500", times=None)
        opened = acme.source()
        yield opened
        opened.close()

    @pytest.fixture
    def unknown_id(self) -> str:
        return NOBODY


class TestNotionExport(SourceConformance):
    @pytest.fixture
    def source(self, tmp_path: Path, database: object) -> Source:
        write(
            tmp_path / "export",
            {
                f"Handbook {A}.md": f"# Handbook\n\nCows say moo.\n\n![](Handbook%20{A}/cow.png)\n",
                f"Handbook {A}/cow.png": b"cow",
                f"Handbook {A}/휴가 {B}.md": "# 휴가\n\n휴가는 열다섯 날이다.\n",
                f"Invoices {C}.csv": "Name,Due\nMay,2026-05-01\n",
                f"Invoices {C}/May {D}.md": "# May\n\nDue: 2026-05-01\n\nDue.\n",
            },
        )
        return open_source("notion_export", {"path": str(tmp_path / "export")}, None, "acme", database)  # type: ignore[arg-type]

    @pytest.fixture
    def broken(self, tmp_path: Path, database: object) -> Source:
        return open_source("notion_export", {"path": str(tmp_path / "gone")}, None, "acme", database)  # type: ignore[arg-type]

    @pytest.fixture
    def unknown_id(self) -> str:
        return NOBODY


class TestFreshdesk(SourceConformance):
    @pytest.fixture
    def desk(self, database: Database) -> Iterator[Desk]:
        with FreshdeskServer() as server:
            yield Desk(server, database)

    @pytest.fixture
    def source(self, desk: Desk) -> Iterator[Source]:
        world = desk.world
        first = world.add_ticket("Cannot log in", "The code never arrives.", attach=[("화면.txt", b"screen")])
        world.reply(first, "Please try again.", attach=[("guide.txt", b"guide")])
        world.add_note(first, "A good customer.", attach=[("note.txt", b"note")])
        world.add_ticket("환불", "환불해 주세요.")
        world.delete(world.add_ticket("Thrown away", "Old."))
        folder = world.add_folder(world.add_category("Help"), "Help")
        world.add_article(folder, "인증번호", "문자를 확인하세요.")
        desk.settle()
        opened = desk.source(private_notes=True, articles=True, with_files=True)
        yield opened
        opened.close()

    @pytest.fixture
    def broken(self, desk: Desk) -> Iterator[Source]:
        desk.server.faults.add("500", times=None)
        opened = desk.source()
        yield opened
        opened.close()

    @pytest.fixture
    def unknown_id(self) -> str:
        return "999999"


class TestPlugin(SourceConformance):
    @pytest.fixture
    def source(self, plugin: None, tickets: Path, database: object) -> Source:
        return open_source("ticket_desk", {"path": str(tickets)}, None, "desk", database)  # type: ignore[arg-type]

    @pytest.fixture
    def broken(self, plugin: None, tmp_path: Path, database: object) -> Source:
        return open_source("ticket_desk", {"path": str(tmp_path / "gone")}, None, "desk", database)  # type: ignore[arg-type]

    @pytest.fixture
    def unknown_id(self) -> str:
        return "T-99"


def test_the_world_has_a_container(acme: Harness) -> None:
    """Without one the suite would not see whether containers are told apart."""
    world: NotionWorld = acme.world
    table = world.add_database("Invoices", schema={"Name": "title"})
    presence, found = acme.source().container(table.data_source_id)
    assert presence is Presence.ALIVE and found is not None and found.is_container
