"""R5: whatever stands in the database, nothing leaves that commands a terminal, runs in a browser or a spreadsheet.

What is written is cleaned when it is read from a source; here it is put into the tables as it is, behind that.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from arcana_pipelines.files.csv_cells import cell
from arcana_pipelines.operations.export import COLUMNS, export
from arcana_pipelines.retrieval.shown import safe_address
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.e2e.conftest import Arcana
from arcana_pipelines_tests.mcp.conftest import Assistant
from arcana_pipelines_tests.mcp.conftest import assistant as assistant
from arcana_pipelines_tests.mcp.conftest import searches as searches
from arcana_pipelines_tests.requirements.routes import routes_with_key
from arcana_pipelines_tests.ticket_rows import Desk
from arcana_pipelines_tests.web.conftest import Api

TAGS = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
# C0 and C1 controls, bidirectional ones, separators of lines, tag characters.
UNSEEN = [
    "\x01", "\x1b]0;owned\x07", "\x1b[2J", "\x7f", "\x85", "\x9b31m", "\u061c", "\u200e", "\u202e", "\u2066",
    "\u2028", TAGS,
]  # fmt: skip
HIDDEN = "".join(UNSEEN)
_HIDES = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1"]
ADDRESSES = {
    "https://example.com/a": True, "http://example.com": True, "mailto:a@example.com": True, "notion://page": True,
    "javascript:alert(1)": False, "JaVaScRiPt:alert(1)": False, " javascript:alert(1)": False,
    "java\nscript:alert(1)": False, "data:text/html,<script>": False, "vbscript:x": False, "file:///etc/passwd": False,
    "ftp://example.com": False, "//example.com": False, "https://a b": False, "https://a\u202eb": False,
    "view-source:https://a": False, "blob:https://a": False, "": False,
}  # fmt: skip


def require_seen(said: Any, where: str = "") -> None:
    """Refuse what hides something, in whatever form it is."""
    found = _HIDES.search(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))
    assert found is None, f"{where}: {found!r}"


@pytest.fixture
def hostile(api: Api) -> Api:
    """Acme, whose rows hold what no source could have brought."""
    words = f"{HIDDEN}quagga {HIDDEN}"
    with api.acme.superuser() as connection:
        for number, (content_id, contents) in enumerate(
            connection.execute("SELECT document_content_id, contents FROM document_content ORDER BY 1").fetchall()
        ):
            title = f"{FORMULAS[number % len(FORMULAS)]} {words}"
            changed = contents | {
                "title": title, "text": f"={words} of the savanna", "url": "javascript:alert(1)",
                "external_id": contents["external_id"], "last_edited_at": contents["last_edited_at"],
                "properties": {f"Name{HIDDEN}": {"type": "rich_text", "text": words, "value": words}},
            }  # fmt: skip
            connection.execute(
                "UPDATE document_content SET contents = %s WHERE document_content_id = %s", [Jsonb(changed), content_id]
            )
        connection.execute("UPDATE source_page SET title = %s, url = 'javascript:alert(1)'", [words])
        connection.execute(
            "UPDATE chunk SET chunk_content = %s, heading_path = ARRAY[%s]", [f"-{words} vacation", words]
        )
        connection.execute("UPDATE workspace SET name = %s", [words])
        connection.execute("UPDATE sync_generation SET problems = %s", [Jsonb([words])])
    with api.acme.database.connection() as connection:
        # Of tickets, too, the same workspace tells.
        connection.execute("UPDATE workspace SET platform = 'freshdesk' WHERE slug = 'acme'")
        acme = workspaces.find(connection, "acme")
    desk = Desk(api.acme.database, "acme", acme.company_id, acme.workspace_id, acme.platform)
    texts = dict.fromkeys(
        ("title", "description", "status", "priority", "requester_name", "requester_email", "assignee_email"), words
    )
    desk.add("20", **texts, tags=[words], custom_fields={words: words}, summary={words: words})
    desk.say("20", words)
    return api


@pytest.mark.parametrize(("address", "may_leave"), ADDRESSES.items())
def test_r5_addresses_are_of_schemes_that_run_nothing(address: str, may_leave: bool) -> None:
    assert safe_address(address) == (address if may_leave else None)


def test_r5_over_http(hostile: Api) -> None:
    texts = 0
    with hostile.client("search", "read", "sync", "feedback") as client:
        hit = client.post("/v1/workspaces/acme/search", json={"query": "vacation", "neighbours": 1}).json()["hits"][0]
        for route in routes_with_key(hostile):
            for document in (hit["document_id"], hit["external_id"]):
                there = {"slug": "acme", "store": "acme", "document": document, "generation": "1"} | {"ticket": "20"}
                answer = route.ask(client, there)
                require_seen(answer.text, str(route))
                require_seen(answer.json(), str(route))
                assert "javascript:" not in answer.text
                texts += "quagga" in answer.text
    print(f"{texts} answers with what stands there, none with what hides")
    assert texts >= 6


def test_r5_to_assistants(hostile: Api, assistant: Callable[..., Assistant]) -> None:
    ours = assistant("acme")
    found = ours.ask("search", query="vacation")
    ids = [each["id"] for each in found["results"] + found["nearest"]]
    assert ids
    for answer in (
        found,
        ours.ask("search_with_filters", query="vacation", kinds=["page"]),
        ours.ask("list_documents", workspace="acme"),
        ours.ask("list_workspaces"),
        ours.ask("list_tickets", workspace="acme"),
        ours.ask("get_ticket", workspace="acme", ticket="20"),
        ours.ask("ticket_stats", workspace="acme"),
        *(ours.ask(tool, id=each) for each in ids for tool in ("fetch", "related_documents")),
        ours.do(lambda client: client.list_tools()).model_dump(mode="json"),
        ours.do(lambda client: client.list_resources()).model_dump(mode="json"),
    ):
        require_seen(answer)
        assert "javascript:" not in json.dumps(answer)
    assert "quagga" in json.dumps(found)


def test_r5_at_the_command_line(hostile: Api, tmp_path: Path) -> None:
    arcana = Arcana(hostile.acme.environment, tmp_path)
    (document,) = hostile.acme.rows(
        "SELECT document_id::text FROM document d JOIN workspace USING (workspace_id) WHERE slug = 'acme' LIMIT 1"
    )[0]
    commands = [
        ("search", "acme", "vacation"), ("document", "acme", document), ("status",), ("status", "acme"),
        ("workspace", "list"), ("workspace", "show", "acme"), ("eval", "acme", "--suggest"), ("audit", "list"),
        ("ticket", "list", "acme"), ("ticket", "show", "acme", "20"), ("ticket", "stats", "acme"),
    ]  # fmt: skip
    seen = 0
    for command in commands:
        for options in ((), ("--json",)):
            done = arcana(*command, *options)
            assert done.returncode in (0, 3), f"{command}: {done.stderr}"
            require_seen((done.stdout + done.stderr).replace("\r\n", "\n"))
            assert "javascript:" not in done.stdout, command
            seen += "quagga" in done.stdout
    print(f"{2 * len(commands)} commands, {seen} that showed what stands there")
    assert seen >= 6


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_r5_in_exports(hostile: Api, tmp_path: Path, ending: str) -> None:
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    cells = 0
    for kind in COLUMNS:
        file = tmp_path / f"{kind}.{ending}"
        with hostile.acme.database.connection() as connection:
            export(connection, workspaces.find(connection, "acme").workspace_id, kind, file)
        for row in read(file):
            for name, value in row.items():
                require_seen(value)
                assert "javascript:" not in str(value)
                if ending == "csv" and not re.fullmatch(r"-?[\d.]+", value):
                    assert not value.startswith(("=", "+", "-", "@", "\t", "\r")), (kind, name, value)
                cells += 1
    print(f"{cells} cells")


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file."""
    if file.suffix == ".parquet":
        import pyarrow.parquet

        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return [{name: str(value) for name, value in row.items()} for row in rows]
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n")[:-1]]
    return list(csv.DictReader(text.splitlines(keepends=True)))


@pytest.mark.parametrize("formula", FORMULAS)
def test_r5_a_formula_is_a_text_in_a_cell(formula: str) -> None:
    assert cell(formula) == f"'{formula}"
    assert cell(-2) == -2 and cell("a=b") == "a=b" and cell("") == "" and cell(None) is None
