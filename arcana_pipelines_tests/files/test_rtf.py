"""Rich Text is read in the code pages that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.parsers import rtf
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.files.small_files import said, short, words
from arcana_pipelines_tests.testing.shared_data import shared_file


def read(tmp_path: Path, text: str) -> list[tuple[str, object]]:
    (path := tmp_path / "a").write_bytes(text.encode("latin-1"))
    return short(said(rtf, path, "rtf"))


def escaped(text: str, encoding: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))


@pytest.mark.parametrize("character_set", [129, 80])
def test_korean_of_windows_and_of_the_macintosh(tmp_path: Path, character_set: int) -> None:
    fonts = f"{{\\fonttbl{{\\f0\\fcharset{character_set} Batang;}}}}"
    text = f"{{\\rtf1\\ansi\\deff0{fonts}\\f0 {escaped('안녕하세요', 'cp949')}\\par\\u54665?\\u-10304?\\par}}"
    assert read(tmp_path, text) == [("text", "안녕하세요"), ("text", "행ퟀ")]


def test_tables_bullets_and_characters_beyond_the_first_plane(tmp_path: Path) -> None:
    rows = "\\trowd\\intbl Name\\cell Count\\cell\\row\\trowd\\intbl A\\cell 1\\cell\\row\\pard "
    text = f"{{\\rtf1\\ansi Before\\par {rows}After \\u-10179?\\u-8704?\\par \\u8226? item\\par}}"
    assert read(tmp_path, text) == [
        ("text", "Before"), ("table", [["Name", "Count"], ["A", "1"]]), ("text", "After 😀"), ("item 0", "item"),
    ]  # fmt: skip


def test_pictures_and_groups_of_programs_are_left_out(tmp_path: Path) -> None:
    picture = "{\\pict\\pngblip " + "89504e470d0a1a0a" * 5_000 + "}"
    text = (
        f"{{\\rtf1\\ansi{{\\*\\generator Secret;}}{{\\info{{\\author Me}}}}A{picture}B{{\\object\\objdata 0105}}\\par}}"
    )
    assert read(tmp_path, text) == [("text", "AB")]


@pytest.mark.parametrize(
    "text", ["", "{\\rtf1", "{\\rtf1 a}}}}}{{{", "{\\rtf1\\ansicpg99999 \\'e9\\uc\\u99999999 ?}", "{" * 5_000]
)
def test_broken_ones_are_read_as_far_as_they_go_or_damaged(tmp_path: Path, text: str) -> None:
    try:
        read(tmp_path, text)
    except Unreadable as error:
        assert error.reason == Reason.DAMAGED  # noqa: PT017


@pytest.mark.parametrize(
    ("name", "phrases"),
    [("czech", ["Knihy Izajáš", "Svitky od Mrtvého moře"]), ("japanese", ["ゾルゲと尾崎", "処刑記録"])],
)
def test_the_given_documents(name: str, phrases: list[str]) -> None:
    text = words(said(rtf, shared_file(f"files/rtf/{name}.rtf"), "rtf"))
    assert [phrase for phrase in phrases if phrase not in text] == []
