"""Golden Markdown of both versions, block by block, and what is shown of what cannot be shown."""

from __future__ import annotations

import json

import pytest

from arcana_pipelines.testing.notion_server import NotionWorld, seed_world, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines_tests.testing.conftest import Api, plain_http

styled = [
    blocks.text("bold", bold=True),
    blocks.text(" it", italic=True),
    blocks.text(" and "),
    blocks.text("a_b", code=True),
    blocks.text(" "),
    blocks.text("red", color="red"),
    blocks.text(" "),
    blocks.text("here", link="https://example.com/a"),
    blocks.text(" "),
    blocks.inline_equation("x^2"),
]

GOLDEN: dict[str, tuple[list[BlockSpec], str, str]] = {
    "paragraphs": ([blocks.paragraph("One"), blocks.paragraph("Two")], "One\n\nTwo", "One\nTwo"),
    "empty paragraph": ([blocks.paragraph()], "<p />", "<empty-block/>"),
    "line break": ([blocks.paragraph("One\nTwo")], "One\\\nTwo", "One<br>Two"),
    "coloured paragraph": (
        [blocks.paragraph("Red", color="red_background")],
        '<p color="red_bg">\nRed\n</p>',
        'Red {color="red_bg"}',
    ),
    "paragraph with children": (
        [blocks.paragraph("Up", children=[blocks.paragraph("Down")])],
        "<p>\nUp\n\nDown\n</p>",
        "Up\n\tDown",
    ),
    "escapes": (
        [blocks.paragraph("1 < 2 * 3 [x] `y` $5 {z} a_b _c_")],
        "1 \\< 2 \\* 3 \\[x\\] \\`y\\` \\$5 {z} a_b \\_c\\_",
        "1 \\< 2 \\* 3 \\[x\\] \\`y\\` \\$5 \\{z\\} a_b _c_",
    ),
    "start of a line": (
        [blocks.paragraph("# no"), blocks.paragraph("- no"), blocks.paragraph("1. no")],
        "\\# no\n\n\\- no\n\n1\\. no",
        "# no\n- no\n1. no",
    ),
    "inline styles": (
        [blocks.paragraph(styled)],
        '<b>bold</b><i> it</i> and `a_b` <span color="red">red</span> [here](https://example.com/a) $x^2$',
        '**bold*** it* and `a_b` <span color="red">red</span> [here](https://example.com/a) $x^2$',
    ),
    "korean": (
        [blocks.paragraph([blocks.text("굵게", bold=True), blocks.text("입니다")])],
        "**굵게**입니다",
        "**굵게**입니다",
    ),
    "headings": (
        [blocks.heading("A", 1), blocks.heading("B", 4)],
        "# A\n\n#### B",
        "# A\n#### B",
    ),
    "toggle heading": (
        [blocks.heading("A", 2, color="blue", children=[blocks.paragraph("In")])],
        '<toggle heading="h2" color="blue">\nA\n\nIn\n</toggle>',
        '## A {toggle="true" color="blue"}\n\tIn',
    ),
    "coloured heading": (
        [blocks.heading("A", 3, color="gray")],
        '<h3 color="gray">\nA\n</h3>',
        '### A {color="gray"}',
    ),
    "lists": (
        [
            blocks.bulleted("a", children=[blocks.bulleted("b"), blocks.todo("c", checked=True)]),
            blocks.bulleted("d"),
            blocks.numbered("e"),
            blocks.numbered("f"),
            blocks.todo("g"),
        ],
        "- a\n\t- b\n\t- [x] c\n- d\n\n1. e\n2. f\n\n- [ ] g",
        "- a\n\t- b\n\t- [x] c\n- d\n1. e\n1. f\n- [ ] g",
    ),
    "list with other blocks": (
        [blocks.bulleted("a", children=[blocks.code("x", "python")]), blocks.bulleted("b")],
        "<ul>\n<li>\na\n\n```python\nx\n```\n</li>\n<li>\nb\n</li>\n</ul>",
        "- a\n\t```python\n\tx\n\t```\n- b",
    ),
    "lettered list": (
        [blocks.numbered("a", list_format="letters")],
        '<ol type="a">\n<li>\na\n</li>\n</ol>',
        "1. a",
    ),
    "coloured todo": (
        [blocks.todo("a", checked=True, color="green")],
        '<todo checked="true" color="green">a</todo>',
        '- [x] a {color="green"}',
    ),
    "quote": ([blocks.quote("a\nb")], "> a\\\n> b", "> a<br>b"),
    "quote with children": (
        [blocks.quote("a", color="purple_background", children=[blocks.bulleted("b")])],
        '<quote color="purple_bg">\na\n\n- b\n</quote>',
        '> a {color="purple_bg"}\n\t- b',
    ),
    "toggle": (
        [blocks.toggle("a", [blocks.paragraph("b"), blocks.paragraph("c")])],
        "<toggle>\na\n\nb\n\nc\n</toggle>",
        "<details>\n<summary>a</summary>\n\tb\n\tc\n</details>",
    ),
    "callout": (
        [blocks.callout("a", icon="🎯", color="blue_background", children=[blocks.paragraph("b")])],
        '<callout icon="🎯" color="blue_bg">\na\n\nb\n</callout>',
        '<callout icon="🎯" color="blue_bg">\n\ta\n\tb\n</callout>',
    ),
    "code": (
        [blocks.code("a ``` b * <c>", "python")],
        "````python\na ``` b * <c>\n````",
        "```python\na ``` b * <c>\n```",
    ),
    "equation": ([blocks.equation("a^2")], "$$\na^2\n$$", "$$\na^2\n$$"),
    "divider": ([blocks.divider()], "---", "---"),
    "plain table": (
        [blocks.table([["A", "B"], ["1|2", "x\ny"]])],
        "| A | B |\n| --- | --- |\n| 1\\|2 | x<br />y |",
        '<table header-row="true">\n\t<tr>\n\t\t<td>A</td>\n\t\t<td>B</td>\n\t</tr>\n'
        "\t<tr>\n\t\t<td>1\\|2</td>\n\t\t<td>x<br>y</td>\n\t</tr>\n</table>",
    ),
    "table with a header column": (
        [blocks.table([["A", "1"]], column_header=False, row_header=True)],
        '<table header-row="false" header-column="true">\n<tr>\n<th>A</th>\n<td>1</td>\n</tr>\n</table>',
        '<table header-column="true">\n\t<tr>\n\t\t<td>A</td>\n\t\t<td>1</td>\n\t</tr>\n</table>',
    ),
    "columns": (
        [blocks.columns([[blocks.paragraph("a")], [blocks.paragraph("b")]], ratios=[0.25, 0.75])],
        '<columns>\n<column ratio="25">\na\n</column>\n<column ratio="75">\nb\n</column>\n</columns>',
        '<columns>\n\t<column ratio="0.25">\n\t\ta\n\t</column>\n'
        '\t<column ratio="0.75">\n\t\tb\n\t</column>\n</columns>',
    ),
    "external media": (
        [
            blocks.image("https://example.com/a.png", "cap"),
            blocks.pdf("https://example.com/a.pdf"),
            blocks.file("https://example.com/a.csv"),
        ],
        "![cap](https://example.com/a.png)\n\n"
        '<pdf source="https://example.com/a.pdf"></pdf>\n\n'
        '<file source="https://example.com/a.csv">a.csv</file>',
        "![cap](https://example.com/a.png)\n"
        '<pdf src="https://example.com/a.pdf"></pdf>\n'
        '<file src="https://example.com/a.csv">a.csv</file>',
    ),
    "table of contents": (
        [blocks.table_of_contents(color="gray")],
        '<table-of-contents color="gray" />',
        '<table_of_contents color="gray"/>',
    ),
    "date": (
        [blocks.paragraph([blocks.mention_date("2026-01-02T10:30:00.000+09:00", time_zone="Asia/Seoul")])],
        '<date start="2026-01-02" start-time="10:30" time-zone="Asia/Seoul" />',
        '<mention-date start="2026-01-02" startTime="10:30" timeZone="Asia/Seoul"/>',
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_blocks_as_markdown(world: NotionWorld, name: str) -> None:
    content, v2, v1 = GOLDEN[name]
    page = world.add_page("Page", blocks=content)
    assert rendered(world, page, "v2") == v2
    assert rendered(world, page, "v1") == v1


def rendered(world: NotionWorld, page_id: str, version: str) -> str:
    """Markdown without a server between."""
    node = world.nodes[page_id]
    return json.loads(world.markdown.body(node, version, transcript=False) + b"}")["markdown"]


def test_links_to_pages_databases_and_people_show_the_titles_of_the_moment(world: NotionWorld, ask: Api) -> None:
    person = world.add_user("Grace Hopper")
    target = world.add_page("Old title")
    ids = world.add_database("DB", target, icon="📊", inline=True)
    mentions = [
        blocks.mention_page(target),
        blocks.mention_database(ids.database_id),
        blocks.mention_user(person),
    ]
    page = world.add_page("Page", target, [blocks.paragraph(mentions)])
    ask.markdown(page)
    world.set_title(target, "New title")
    url = f"https://app.notion.com/p/{target.replace('-', '')}"
    database = f"https://app.notion.com/p/{ids.database_id.replace('-', '')}"
    assert ask.markdown(page) == (
        f'<mention url="{url}">New title</mention><mention url="{database}" type="database">DB</mention>'
        f'<mention url="user://{person}">Grace Hopper</mention>'
    ).replace(url, ask.get(f"/blocks/{page}/children")["results"][0]["paragraph"]["rich_text"][0]["href"])
    assert ask.markdown(target) == (
        f'<database url="{database}" data-source-url="collection://{ids.data_source_id}" inline="true" '
        f'icon="📊">DB</database>\n\n<page url="https://app.notion.com/p/{page.replace("-", "")}">Page</page>'
    )
    assert f'<database url="{database}" inline="true" icon="📊">DB</database>' in ask.markdown(target, "v1")


def test_version_1_does_not_render_bookmarks_and_version_2_does(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks=[blocks.bookmark("https://example.com", "Cap"), blocks.embed("https://e.com")])
    first, second = (block["id"].replace("-", "") for block in ask.get(f"/blocks/{page}/children")["results"])
    assert ask.markdown(page) == (
        '<bookmark source="https://example.com">Cap</bookmark>\n\n<embed source="https://e.com"></embed>'
    )
    base = f"https://app.notion.com/p/{page.replace('-', '')}"
    answer = ask.get(f"/pages/{page}/markdown")
    assert answer["markdown"] == (
        f'<unknown url="{base}#{first}" alt="bookmark"/>\n<unknown url="{base}#{second}" alt="embed"/>'
    )
    assert (answer["truncated"], answer["unknown_block_ids"]) == (False, [])


def test_synced_copies_show_what_the_original_says(world: NotionWorld, ask: Api) -> None:
    source = world.add_page("Source")
    original = world.append_blocks(source, [blocks.synced([blocks.paragraph("Shared text")])])[0]
    page = world.add_page("Page", blocks=[blocks.synced_copy(original)])
    url = f"https://app.notion.com/p/{source.replace('-', '')}#{original.replace('-', '')}"
    assert ask.markdown(source) == f'<synced-block url="{url}">\nShared text\n</synced-block>'
    reference = f'<synced-block-reference url="{url}">\nShared text\n</synced-block-reference>'
    assert ask.markdown(page) == reference
    copy = ask.get(f"/blocks/{page}/children")["results"][0]
    children = ask.get(f"/blocks/{copy['id']}/children")["results"]
    world.set_block_text(children[0]["id"], "New text")
    assert "New text" in ask.markdown(page)
    world.unshare(source)
    assert "text" not in ask.markdown(page)
    assert ask.refusal(f"/blocks/{copy['id']}/children") == (404, "object_not_found")


def test_a_synced_block_that_shows_itself_ends(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    original = world.append_blocks(page, [blocks.synced([blocks.paragraph("Once")])])[0]
    world.append_blocks(original, [blocks.synced_copy(original)])
    for version in ("v1", "v2"):
        assert ask.markdown(page, version).count("Once") == 1
    assert world.visible_text(page) == ["Page", "Once", "Once"]


def test_transcripts_are_only_sent_on_demand(world: NotionWorld, ask: Api) -> None:
    notes = blocks.meeting_notes(
        "Weekly", notes=[blocks.paragraph("Noted")], transcript=[blocks.paragraph("Word for word")]
    )
    page = world.add_page("Page", blocks=[notes])
    for version in ("v1", "v2"):
        silent = ask.markdown(page, version)
        assert "Weekly" in silent
        assert "Noted" in silent
        assert "Transcript omitted" in silent
        assert "Word for word" not in silent
        assert "Word for word" in ask.markdown(page, version, include_transcript="true")
    assert world.visible_text(page) == ["Page", "Weekly", "Noted"]
    block = ask.get(f"/blocks/{page}/children")["results"][0]
    section = block["meeting_notes"]["children"]["transcript_block_id"]
    assert ask.get(f"/blocks/{section}/children")["results"][0]["type"] == "paragraph"
    older = ask.client.get(f"/blocks/{block['id']}", headers={"Notion-Version": "2025-09-03"}).json()
    assert older["type"] == "transcription"


def test_a_page_beyond_the_limit_is_truncated_and_its_rest_can_be_fetched(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks=[blocks.toggle(f"T{at}", [blocks.paragraph(f"P{at}")]) for at in range(6)])
    world.markdown_block_limit = 5
    answer = ask.get(f"/pages/{page}/markdown", markdown_version="v2")
    listed = [block["id"] for block in ask.get(f"/blocks/{page}/children")["results"]]
    assert answer["truncated"] is True
    assert answer["unknown_block_ids"][0] == listed[5]
    assert answer["markdown"].endswith('alt="toggle"/>')
    assert "P5" not in answer["markdown"]
    rest = ask.get(f"/pages/{listed[5]}/markdown", markdown_version="v2")
    assert (rest["id"], rest["markdown"]) == (listed[5], "<toggle>\nT5\n\nP5\n</toggle>")
    assert rest["truncated"] is False


def test_at_most_100_unknown_ids_are_named(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="\n\n".join(f"Line {at}" for at in range(150)))
    world.markdown_block_limit = 10
    answer = ask.get(f"/pages/{page}/markdown")
    assert len(answer["unknown_block_ids"]) == 100
    assert answer["markdown"].count("<unknown") == 140


def test_a_child_that_is_not_shared_is_unknown_or_vanishes(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="Text")
    child = world.add_page("Secret", page)
    world.unshare(child)
    answer = ask.get(f"/pages/{page}/markdown", markdown_version="v2")
    assert "Secret" not in answer["markdown"]
    assert "<unknown url=" in answer["markdown"]
    assert (answer["truncated"], answer["unknown_block_ids"]) == (True, [child])
    assert ask.refusal(f"/pages/{child}/markdown") == (404, "object_not_found")
    assert len(ask.get(f"/blocks/{page}/children")["results"]) == 1
    world.unshared_child_in_markdown = "vanishes"
    answer = ask.get(f"/pages/{page}/markdown", markdown_version="v2")
    assert (answer["markdown"], answer["truncated"], answer["unknown_block_ids"]) == ("Text", False, [])


def test_inline_comments_mark_the_text_in_version_2_only(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page")
    block = world.append_blocks(page, "Text")[0]
    comment = world.add_comment(block, "Really?", inline=True)
    thread = world.comments[comment].discussion_id
    assert ask.markdown(page) == f'<span discussion-urls="discussion://{thread}">Text</span>'
    assert ask.markdown(page, "v1") == "Text"
    world.resolve_comment(comment)
    assert ask.markdown(page) == "Text"


def test_version_1_is_the_default_and_others_are_refused(world: NotionWorld, ask: Api) -> None:
    page = world.add_page("Page", blocks="a\n\nb")
    assert ask.get(f"/pages/{page}/markdown")["markdown"] == "a\nb"
    assert ask.refusal(f"/pages/{page}/markdown", markdown_version="v3") == (400, "validation_error")
    assert ask.refusal(f"/pages/{page}/markdown", include_transcript="maybe") == (400, "validation_error")


def test_markdown_of_a_database_is_refused(world: NotionWorld, ask: Api) -> None:
    ids = world.add_database("DB", world.add_page("Page"))
    for node_id in (ids.database_id, ids.data_source_id):
        assert ask.refusal(f"/pages/{node_id}/markdown") == (400, "validation_error")


def test_markdown_given_is_markdown_returned(world: NotionWorld, ask: Api) -> None:
    source = (
        "# 제목\n\nSome **bold** text with `code` and a [link](https://example.com).\n\n- a\n\t- b\n- c\n\n"
        "1. one\n2. two\n\n- [x] done\n- [ ] open\n\n> quote\n\n```python\nx = 1\n\ny = 2\n```\n\n"
        "| A | B |\n| --- | --- |\n| 1 | 2 |\n\n$$\nx^2\n$$\n\n---\n\n![cap](https://example.com/a.png)\n\n끝"
    )
    assert ask.markdown(world.add_page("Page", blocks=source)) == source


@pytest.mark.parametrize("odd", ["#no", "|", "```", "-", "$$", "- ", ">", "1.", "---x", "![x]", "\t", "####### x"])
def test_odd_markdown_is_read_to_its_end(world: NotionWorld, odd: str) -> None:
    world.add_page("Page", blocks=f"before\n{odd}\nafter")


def test_what_a_person_sees_is_in_the_markdown() -> None:
    world = seed_world(15, 6)
    with serve(world) as server:
        headers = {"Authorization": f"Bearer {world.token}", "Notion-Version": "2026-03-11"}
        with plain_http(base_url=server.base_url, headers=headers) as client:
            for page in world.visible_pages():
                found = client.get(f"/v1/pages/{page}/markdown", params={"markdown_version": "v2"}).json()
                text = found["markdown"].replace("\\", "").replace("**", "").replace("</mention>", "")
                properties = client.get(f"/v1/pages/{page}").text
                for piece in world.visible_text(page):
                    last_words = piece.removeprefix("See also ").removeprefix("함께 보기: ")
                    assert last_words in text or last_words.split("-")[0] in properties, piece
