"""Books (.epub): their chapters in reading order, each under its title in the table of contents."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from arcana_pipelines.files.parsing.blocks import Block, Note, Said, Title
from arcana_pipelines.files.parsing.decoding import decode_marked_up
from arcana_pipelines.files.parsing.packages import Element, Package, child, local, part_name, value
from arcana_pipelines.files.parsing.parsers import html
from arcana_pipelines.files.parsing.plain import plain
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

_PAGES = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document"})
_OF_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_MOST_OF_CHAPTER = 32 << 20  # bytes


def parse(job: Job) -> Iterator[Said]:
    """Say what stands in a book.

    Raises:
        Unreadable: damaged, protected against reading, or larger than it may be.
    """
    with Package.opened(job.path) as package:
        protected = _protected(package)
        book, folder = _book(package)
        if title := _title(book):
            yield Title(title)
        pages = {id_: _Page(item, folder) for item in _all(book, "item") if (id_ := value(item, "id"))}
        labels = _labels(package, book, pages, folder)
        missing = 0
        for reference in _all(book, "itemref"):
            page = pages.get(value(reference, "idref") or "")
            if page is None or page.name not in package:
                missing += 1
            elif page.is_text and not page.is_contents:
                if page.name in protected:
                    raise Unreadable(Reason.ENCRYPTED, "its chapters are protected against reading (DRM)")
                yield from _chapter(package, page.name, labels.get(page.name, ""))
        if missing:
            yield Note(f"chapters that are missing in the file: {missing}")


class _Page:
    """A part of the book."""

    def __init__(self, item: Element, folder: str) -> None:
        properties = (value(item, "properties") or "").split()
        self.name = part_name(folder, value(item, "href") or "")
        self.is_text = (value(item, "media-type") or "").lower() in _PAGES
        self.is_contents = "nav" in properties
        self.is_old_contents = value(item, "media-type") == "application/x-dtbncx+xml"


def _book(package: Package) -> tuple[Element, str]:
    """The root of the list of parts, and the folder from which it names them."""
    root = package.tree("META-INF/container.xml", of_book=True)
    file = next(_all(root, "rootfile"), None)
    if file is None:
        raise Unreadable(Reason.DAMAGED, "the book does not say what it consists of")
    name = part_name("", value(file, "full-path") or "")
    return package.tree(name, of_book=True), posixpath.dirname(name)


def _title(book: Element) -> str:
    metadata = child(book, "metadata")
    found = next(_all(metadata, "title"), None) if metadata is not None else None
    return plain("".join(found.itertext())) if found is not None else ""


def _protected(package: Package) -> set[str]:
    """The parts that are encrypted: fonts may be, to hinder their copying, and are not read."""
    if "META-INF/encryption.xml" not in package:
        return set()
    return {
        part_name("", value(reference, "URI") or "")
        for data in _all(package.tree("META-INF/encryption.xml", of_book=True), "EncryptedData")
        for reference in _all(data, "CipherReference")
        if value(next(_all(data, "EncryptionMethod"), data), "Algorithm") not in _OF_FONTS
    }


def _labels(package: Package, book: Element, pages: dict[str, _Page], folder: str) -> dict[str, str]:
    """What the table of contents calls each page: its first entry for it, of either age."""
    labels: dict[str, str] = {}
    for page in pages.values():
        if page.name not in package or not (page.is_contents or page.is_old_contents):
            continue
        at = posixpath.dirname(page.name)
        try:
            root = package.tree(page.name, of_book=True)
        except Unreadable:
            continue  # a book is read without its table of contents as well
        for entry in _all(root, "a" if page.is_contents else "navPoint"):
            if page.is_contents:
                target, text = value(entry, "href"), "".join(entry.itertext())
            else:
                content, label = child(entry, "content"), child(entry, "navLabel", "text")
                target = value(content, "src") if content is not None else None
                text = (label.text or "") if label is not None else ""
            if target and plain(text):
                labels.setdefault(part_name(at, target), plain(text))
    return labels


def _chapter(package: Package, name: str, label: str) -> Iterator[Block]:
    page = decode_marked_up(package.read(name, _MOST_OF_CHAPTER))
    blocks = html.blocks(page)
    first = next(blocks, None)
    if first is None:
        return
    # The title in the contents stands for one that the chapter shows as a picture or in large letters only.
    if first.kind != "heading" and (title := label or html.title_of(page)) and title != first.text:
        yield Block("heading", title, level=1)
    yield first
    yield from blocks


def _all(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if local(element) == name)
