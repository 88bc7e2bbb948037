"""What a parser says comes through its lines as it was, and nothing else does."""

from __future__ import annotations

import pytest

from arcana_pipelines.files.parsing import wire
from arcana_pipelines.files.parsing.blocks import Block, Inside, Note, Picture, Place, Said, Title
from arcana_pipelines.files.parsing.wire import Malformed, from_line, to_line


@pytest.mark.parametrize(
    "said",
    [
        Block("text", "확진자는\n9,661명", place=Place(page=3, label="iv"), continues=True),
        Block("heading", "제1장", 2),
        Block("item", "a", 3),
        Block("table", rows=(("항목", "값"), ("a|b", "")), place=Place(sheet="2025년", first_row=1, last_row=2)),
        Block("quote", "said", place=Place(begin=0.5, end=61.25)),
        Note("12 pages without text"),
        Title("제목"),
        Inside("../보고서.pdf", "attachment-1"),
        Picture("page-2.png", Place(page=2), "no text layer"),
    ],
    ids=lambda said: type(said).__name__,
)
def test_what_is_said_comes_through(said: Said) -> None:
    assert from_line(to_line(said)) == said


def test_characters_that_no_text_of_ours_has_are_dropped_by_the_parsers_side() -> None:
    assert from_line(to_line(Block("text", "a\0b\ud800c\u202ed"))) == Block("text", "abcd")
    assert from_line(to_line(Block("table", rows=(("a\0",),)))) == Block("table", rows=(("a",),))


def test_what_is_too_long_is_cut_by_the_parsers_side() -> None:
    assert from_line(to_line(Title("x" * 2000))) == Title("x" * 1000)
    assert from_line(to_line(Block("item", "x" * (5 * 2**20), level=200))) == Block(
        "item", "x" * (4 * 2**20), level=100
    )


def test_what_a_process_that_was_taken_over_says_has_no_such_characters_either() -> None:
    said = from_line(b'{"is":"inside","name":"\\u001b[2J\\u202efdp.exe","path":"a"}')
    assert said == Inside("[2Jfdp.exe", "a")


def test_signs_within_a_text_are_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_SIGNS", 20)
    text = 'a [[[["{{{{,,,, \\' * 3
    assert from_line(to_line(Block("code", text))) == Block("code", text)
    with pytest.raises(Malformed, match="values"):
        from_line(b'{"is":"block","kind":"text","more":[' + b"[]," * 20 + b"[]]}")
    with pytest.raises(Malformed, match="texts"):
        from_line(b'{"is":"block","kind":"table","rows":[[' + b'"",' * 20 + b'""]]}')


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        "7",
        '{"is":"block"}',
        '{"is":"block","kind":"secret"}',
        '{"is":"block","kind":"text","text":7}',
        '{"is":"block","kind":"text","text":"\\u0000"}',
        '{"is":"block","kind":"text","text":"\\ud800"}',
        '{"is":"block","kind":"text","level":true}',
        '{"is":"block","kind":"table","rows":["a"]}',
        '{"is":"block","kind":"table","rows":[[7]]}',
        '{"is":"block","kind":"text","place":{"page":-1}}',
        '{"is":"block","kind":"text","place":{"begin":NaN}}',
        '{"is":"block","kind":"text","place":{"path":"/"}}',
        '{"is":"inside","name":"a","path":"../a"}',
        '{"is":"inside","name":"a","path":"a/b"}',
        '{"is":"inside","name":"a","path":"."}',
        '{"is":"picture","path":"/etc/passwd"}',
        "[" * 100_000,
        '{"is":"block","kind":"text","text":"' + "x" * (4 * 2**20 + 1) + '"}',
    ],
    ids=lambda line: line[:60],
)
def test_a_line_that_our_side_does_not_write_is_refused(line: str) -> None:
    with pytest.raises(Malformed):
        from_line(line.encode())
