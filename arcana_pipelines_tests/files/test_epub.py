"""Books are read in their order, chapter under chapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.files.parsing.blocks import Note, Title
from arcana_pipelines.files.parsing.parsers import epub
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines_tests.files.small_files import said, short, words, zipped
from arcana_pipelines_tests.testing.shared_data import shared_file

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'


def book(path: Path, chapters: dict[str, str], *, extra: str = "", **parts: str) -> Path:
    """Chapters by their names, listed in an order of their own; `extra` are more items of the list of parts."""
    items = "".join(
        f'<item id="i{name}" href="text/{name}.xhtml" media-type="application/xhtml+xml"/>' for name in sorted(chapters)
    )
    spine = "".join(f'<itemref idref="i{name}"/>' for name in chapters)
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>규정집</dc:title></metadata><manifest>{items}{extra}</manifest>"
        f'<spine>{spine}<itemref idref="gone"/></spine></package>'
    )
    pages = {f"OPS/text/{name}.xhtml": text for name, text in chapters.items() if text}
    named = {name.replace("__", "/").replace("_", "."): text for name, text in parts.items()}
    return zipped(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OPS/book.opf": opf,
            **pages,
            **named,
        },
    )


def page(body: str, title: str = "") -> str:
    return (
        '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title>{title}</title></head><body>{body}</body></html>"
    )


def test_chapters_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    path = book(tmp_path / "a", {"z": page("<h1>총칙</h1><p>가</p>"), "a": page("<h2>휴가</h2><p>나</p>")})
    things = said(epub, path, "epub")
    assert things[0] == Title("규정집")
    assert short(things) == [("h1", "총칙"), ("text", "가"), ("h2", "휴가"), ("text", "나")]
    assert things[-1] == Note("chapters that are missing in the file: 1")


def test_a_chapter_without_a_heading_has_the_one_of_the_contents_or_of_its_head(tmp_path: Path) -> None:
    nav = page('<nav><a href="text/a.xhtml#x">제1장 <b>총칙</b></a><a href="text/a.xhtml">다시</a></nav>')
    path = book(
        tmp_path / "a",
        {"a": page("<p>가</p>", "쓰지 않음"), "b": page("<p>나</p>", "머리"), "c": page("<h1>자기 제목</h1>")},
        extra='<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        OPS__nav_xhtml=nav,
    )
    assert short(said(epub, path, "epub")) == [
        ("h1", "제1장 총칙"), ("text", "가"), ("h1", "머리"), ("text", "나"), ("h1", "자기 제목"),
    ]  # fmt: skip


def test_old_books_have_their_contents_in_another_part_that_begins_with_a_dtd(tmp_path: Path) -> None:
    ncx = (
        '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://127.0.0.1:1/ncx.dtd"><ncx><navMap><navPoint>'
        '<navLabel><text>첫 장</text></navLabel><content src="text/a%2Exhtml"/></navPoint></navMap></ncx>'
    )
    item = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    path = book(tmp_path / "a", {"a": page("<p>가</p>")}, extra=item, OPS__toc_ncx=ncx)
    assert short(said(epub, path, "epub")) == [("h1", "첫 장"), ("text", "가")]


def test_small_faults_of_books_are_forgiven(tmp_path: Path) -> None:
    path = book(tmp_path / "a", {"a": page("<p>가&nbsp;나</p>", "머리")}, extra='<item opf:fault="&nbsp;"/>')
    assert short(said(epub, path, "epub")) == [("h1", "머리"), ("text", "가 나")]


def test_a_broken_table_of_contents_costs_only_itself(tmp_path: Path) -> None:
    item = '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    path = book(tmp_path / "a", {"a": page("<p>가</p>", "머리")}, extra=item, OPS__nav_xhtml="<nav><a href=")
    assert short(said(epub, path, "epub")) == [("h1", "머리"), ("text", "가")]


ENCRYPTED = (
    '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/><CipherData><CipherReference URI="{}"/></CipherData>'
    "</EncryptedData></encryption>"
)


def test_protected_chapters_are_encrypted_and_hidden_fonts_are_not(tmp_path: Path) -> None:
    parts = {
        "META-INF__encryption_xml": ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OPS/text/a.xhtml")
    }
    with pytest.raises(Unreadable) as refused:
        said(epub, book(tmp_path / "a", {"a": page("<p>가</p>")}, **parts), "epub")
    assert refused.value.reason == Reason.ENCRYPTED
    parts = {"META-INF__encryption_xml": ENCRYPTED.format("http://www.idpf.org/2008/embedding", "OPS/text/a.xhtml")}
    assert words(said(epub, book(tmp_path / "b", {"a": page("<p>가</p>")}, **parts), "epub")).endswith("가 chapters "
        "that are missing in the file: 1")  # fmt: skip


@pytest.mark.parametrize(
    "container",
    [
        "<container/>", '<container><rootfile full-path="../../etc/passwd"/></container>', "<container>", "",
        '<!DOCTYPE c [<!ENTITY e SYSTEM "file:///etc/hostname">]><container>&e;</container>',
    ],
)  # fmt: skip
def test_a_book_that_names_nothing_of_its_own_is_damaged(tmp_path: Path, container: str) -> None:
    with pytest.raises(Unreadable) as refused:
        said(epub, zipped(tmp_path / "a", {"META-INF/container.xml": container}), "epub")
    assert refused.value.reason == Reason.DAMAGED


def test_the_given_book() -> None:
    text = words(said(epub, shared_file("files/epub/two-chapters.epub"), "epub"))
    expected = ["Chapter 1: Test Content", "This is a test paragraph", "blockquote for testing"]
    assert [phrase for phrase in expected if phrase not in text] == []
