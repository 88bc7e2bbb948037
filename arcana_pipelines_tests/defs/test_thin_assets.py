"""An asset calls one stage of the pipeline and shows its report. Nothing else is done in it."""

from __future__ import annotations

import ast
from pathlib import Path

from arcana_pipelines.defs import assets
from arcana_pipelines.defs.names import READING, SYNCING

MOST_LINES = 12


def bodies() -> dict[str, tuple[str, int]]:
    """Each function of the module: its text, and how many lines its statements have without the docstring."""
    text = Path(assets.__file__).read_text()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            statements = node.body[ast.get_docstring(node) is not None :]
            lines = sum((statement.end_lineno or 0) - statement.lineno + 1 for statement in statements)
            found[node.name] = ast.get_source_segment(text, node) or "", lines
    return found


def test_an_asset_has_at_most_a_dozen_lines_and_touches_no_connection() -> None:
    found = bodies()
    assert {*READING, *SYNCING} <= found.keys()
    for name, (text, lines) in found.items():
        assert lines <= MOST_LINES, name
        assert "connection." not in text and "getattr" not in text, name
