"""A world that has one of everything, for tests of shapes."""

from __future__ import annotations

from dataclasses import dataclass

from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines.testing.notion_server.model.objects import DatabaseIds

EMOJI_URL = "https://s3-us-west-2.amazonaws.com/public.notion-static.com/emoji.png"


@dataclass
class Everything:
    """Ids of what `fill` made."""

    root: str
    page: str
    row: str
    tasks: DatabaseIds
    companies: DatabaseIds
    comment: str


def all_blocks(world: NotionWorld, linked_page: str, linked_database: str, person: str) -> list[BlockSpec]:
    """Every block type that can be described without the id of another block."""
    styled = [
        blocks.text("bold", bold=True),
        blocks.text(" and "),
        blocks.text("red", color="red", italic=True, strikethrough=True, underline=True),
        blocks.text("code", code=True),
        blocks.text("a link", link="https://example.com/a"),
        blocks.inline_equation("e=mc^2"),
        blocks.mention_user(person),
        blocks.mention_page(linked_page),
        blocks.mention_database(linked_database),
        blocks.mention_date("2026-01-02"),
        blocks.mention_link("https://example.com/x", "An article"),
        blocks.custom_emoji("3839ce7b-60a4-804c-bdcd-007ad3034fba", "party", EMOJI_URL),
    ]
    return [
        blocks.paragraph(styled),
        blocks.paragraph(),
        blocks.heading("One", 1),
        blocks.heading("Two", 2, color="blue"),
        blocks.heading("Three", 3, children=[blocks.paragraph("Folded")]),
        blocks.heading("Four", 4),
        blocks.bulleted("Bullet", children=[blocks.bulleted("Nested bullet")]),
        blocks.numbered("First"),
        blocks.numbered("Second", children=[blocks.paragraph("Not a list")]),
        blocks.todo("Open"),
        blocks.todo("Closed", checked=True),
        blocks.toggle("Toggle", [blocks.paragraph("Inside")]),
        blocks.quote("Quoted"),
        blocks.callout("Called out", children=[blocks.paragraph("More")]),
        blocks.code("print('hello')", "python"),
        blocks.equation("a^2 + b^2 = c^2"),
        blocks.divider(),
        blocks.breadcrumb(),
        blocks.table_of_contents(),
        blocks.table([["Name", "Size"], ["A|B", "1"]]),
        blocks.table([["x", "y"]], column_header=False, row_header=True),
        blocks.columns([[blocks.paragraph("Left")], [blocks.paragraph("Right")]], ratios=[0.25, 0.75]),
        blocks.tabs({"Tab one": [blocks.paragraph("In tab one")]}),
        blocks.link_to_page(linked_page),
        blocks.link_to_database(linked_database),
        blocks.bookmark("https://example.com/bookmark", "A bookmark"),
        blocks.embed("https://example.com/embed"),
        blocks.link_preview("https://github.com/example/example/pull/1"),
        blocks.image("https://example.com/picture.png", "A picture"),
        blocks.image(hosted="photo one.png"),
        blocks.video("https://example.com/film.mp4"),
        blocks.audio(hosted="talk.mp3"),
        blocks.pdf("https://example.com/paper.pdf", "A paper"),
        blocks.file(hosted="data.csv"),
        blocks.meeting_notes(
            "Weekly",
            notes=[blocks.paragraph("We noted")],
            summary=[blocks.paragraph("In short")],
            transcript=[blocks.paragraph("Word for word")],
        ),
        blocks.template("Add a task", [blocks.todo("Task")]),
        blocks.unsupported("ai_block"),
    ]


def fill(world: NotionWorld) -> Everything:
    """Make it."""
    person = world.add_user("Grace Hopper", "grace@example.com")
    world.add_user("Another bot", bot=True)
    root = world.add_page("Root", icon="🏠", cover="https://example.com/cover.png")
    other = world.add_page("Other", root)
    companies = world.add_database("Companies", root, {"Company": "title", "Cost": "number"}, icon="🏢")
    names = [world.add_row(companies.data_source_id, f"Company {at}", {"Cost": at}) for at in range(30)]
    tasks = world.add_database("Tasks", root, _schema(companies.data_source_id), inline=True)
    row = world.add_row(
        tasks.data_source_id,
        "Write it",
        {
            "Text": "Some text",
            "Count": 3.5,
            "Done": True,
            "Choice": "B",
            "State": "Done",
            "Tags": ["x", "y"],
            "When": ("2026-02-01", "2026-02-03"),
            "Who": [person],
            "Files": ["https://example.com/a.txt", "kept.txt"],
            "Link": "https://example.com",
            "Mail": "a@example.com",
            "Phone": "123",
            "Companies": names,
            "Where": {"lat": 52.5, "lon": 13.4, "address": "Berlin"},
            "Computed": "text",
        },
        "A task's *text*",
    )
    world.add_row(tasks.data_source_id, "Empty")
    page = world.add_page("Everything", root, all_blocks(world, other, tasks.database_id, person))
    first = world.append_blocks(page, [blocks.synced([blocks.paragraph("Synced text")])])[0]
    world.append_blocks(other, [blocks.synced_copy(first)])
    world.add_page("Child", page, "Child text")
    comment = world.add_comment(page, "A comment", by=person)
    return Everything(root, page, row, tasks, companies, comment)


def _schema(companies: str) -> dict[str, object]:
    return {
        "Task": "title",
        "Text": "rich_text",
        "Count": {"type": "number", "format": "dollar"},
        "Done": "checkbox",
        "Choice": {"type": "select", "options": ["A", "B"]},
        "State": "status",
        "Tags": {"type": "multi_select", "options": ["x"]},
        "When": "date",
        "Who": "people",
        "Files": "files",
        "Link": "url",
        "Mail": "email",
        "Phone": "phone_number",
        "Companies": {"type": "relation", "data_source_id": companies},
        "Total": {"type": "rollup", "relation": "Companies", "property": "Cost", "function": "sum"},
        "Names": {
            "type": "rollup",
            "relation": "Companies",
            "property": "Company",
            "function": "show_original",
        },
        "Where": "place",
        "Computed": "formula",
        "Length": {"type": "formula", "expression": "length()", "compute": lambda page: len(page.title)},
        "ID": {"type": "unique_id", "prefix": "TASK"},
        "Push": "button",
        "Verified": "verification",
        "Made": "created_time",
        "Made by": "created_by",
        "Changed": "last_edited_time",
        "Changed by": "last_edited_by",
    }
