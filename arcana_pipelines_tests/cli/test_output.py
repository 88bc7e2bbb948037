"""Text from outside reaches a terminal as text: it commands nothing, hides nothing and is no markup."""

from __future__ import annotations

import ast
import io
import json
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arcana_pipelines.cli import main as main_module
from arcana_pipelines.cli.output import console, local_time, print_json, printable, say

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;another title\x07",
    "\x1b]52;c;cm0gLXJm\x07",
    "\x9b31m and \x85",
    "a\u202etxt.exe\u202c",
    "\u2066isolated\u2069",
    "\U000e0041\U000e0042 hidden orders",
    "half \ud800 a pair",
    "[/bold] [red]not markup[/red] [link=https://example.com]x[/link] \\[",
    "{braces} {0} {}",
    ":warning: \\\\[bold] :smile:",
    "한국어 [제목] 그대로",
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_text_is_shown_and_obeyed_by_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]{}[/bold] is {state}", text, state=text)
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert shown.strip() == f"{printable(text)} is {printable(text)}"


def test_no_line_asks_for_a_form_of_numbers_that_texts_cannot_have() -> None:
    """`say` makes texts of what it is given before it puts them in: `{:.0%}` fails on the first run that says it."""
    commands = Path(main_module.__file__).parent
    asked = [
        f"{file.relative_to(commands)}:{call.lineno}"
        for file in sorted(commands.rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "say" and call.args
        for template in [call.args[0]]
        if isinstance(template, ast.Constant) and isinstance(template.value, str)
        if any(form or kind for _, _, form, kind in Formatter().parse(template.value))
    ]
    assert asked == []


def test_our_own_styles_stand_where_they_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from io import StringIO

    from rich.console import Console

    out = StringIO()
    terminal = Console(file=out, force_terminal=True, color_system="standard", soft_wrap=True, highlight=False)
    monkeypatch.setattr("arcana_pipelines.cli.output.console", lambda: terminal)
    say("[bold]{}[/bold] is [red]{state}[/red].", "[제목]", state="gone")
    assert out.getvalue() == "\x1b[1m[제목]\x1b[0m is \x1b[31mgone\x1b[0m.\n"


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_json_escapes_what_a_terminal_would_obey_and_means_the_same(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_json({text: [text]})
    line = capsys.readouterr().out
    assert line.removesuffix("\n").isprintable()
    assert json.loads(line) == {text: [text]}


def test_json_has_times_as_iso_8601_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)})
    assert json.loads(capsys.readouterr().out) == {"at": "2026-02-03T04:05:06+00:00"}


@pytest.mark.parametrize("encoding", ["ascii", "euc-kr", "iso-8859-1", "utf-8"])
def test_a_character_that_the_output_has_not_ends_nothing(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "📟 배터리 Köln"

    def answer(*_: object, **__: object) -> None:
        say("[bold]{}[/bold]", text)
        print_json({"title": text})

    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    monkeypatch.setattr(main_module.cli, "main", answer)
    with pytest.raises(SystemExit) as ended:
        main_module.main([])
    sys.stdout.flush()
    said, line = written.getvalue().decode(encoding).splitlines()
    assert ended.value.code == 0
    assert said == text.encode(encoding, "replace").decode(encoding)
    assert json.loads(line) == {"title": text}


def test_a_table_is_whole_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    table = Table(*(f"column {number}" for number in range(30)))
    table.add_row(*("1,234,567" for _ in range(30)))
    console.__wrapped__().print(table)
    assert capsys.readouterr().out.count("1,234,567") == 30


@given(st.text(st.characters()))
def test_what_is_printed_holds_no_controls_and_keeps_every_other_character(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        if before in "\n\t":
            assert after == before
        elif unicodedata.category(before) in ("Cc", "Cs") or unicodedata.bidirectional(before) in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        ):  # fmt: skip
            assert after == "\ufffd"
        elif after != before:
            assert unicodedata.category(before) in ("Cf", "Cn", "Zl", "Zp")


def test_times_are_shown_as_this_machine_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Seoul")
    time.tzset()
    try:
        moment = datetime(2026, 3, 5, 18, 30, tzinfo=UTC)
        assert local_time(moment) == "2026-03-06 03:30:00 +0900"
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        assert local_time(moment) == "2026-03-05 18:30:00 UTC"
    finally:
        monkeypatch.undo()
        time.tzset()
