"""Zips of XML parts, as office files and books are: read by name, so much at a time, and without what XML may ask for.

Names in a zip are labels here: nothing is written, and nothing outside of it is opened.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

from lxml import etree

from arcana_pipelines.files import zips
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable

MOST_OF_PART = 192 << 20  # bytes of one part that is read as a stream
MOST_OF_TREE = 48 << 20  # bytes of one part that is held as a tree, which takes some twenty times as much

Element = Any  # lxml has no types
_SAFE = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Relation:
    """That a part uses another.

    Attributes:
        kind: the last word of its type: `image`, `notesSlide`.
        target: the name of the other part, or "" for one outside of the package.
    """

    kind: str
    target: str


class Package:
    """A zip that is open (`opened`)."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self._parts = {part.filename.lower(): part for part in archive.infolist()}

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> Iterator[Package]:
        """A zip, until the block ends.

        Raises:
            Unreadable: no zip, or one that would inflate beyond what it may.
        """
        with ExitStack() as stack:
            try:
                archive = stack.enter_context(zips.opened(path))
                zips.check(archive.infolist())
            except zips.TooMuchInside as error:
                raise Unreadable(Reason.TOO_LARGE, str(error)) from error
            except _ZIP_ERRORS as error:
                raise Unreadable(Reason.DAMAGED, f"the zip does not open ({type(error).__name__})") from error
            yield cls(archive)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._parts

    def names(self) -> list[str]:
        """The names of all parts."""
        return [part.filename for part in self._parts.values() if not part.is_dir()]

    def name_of(self, name: str) -> str:
        """A name as it is written in the zip, where large and small letters may differ."""
        return self._parts[name.lower()].filename

    @contextmanager
    def stream(self, name: str, most: int = MOST_OF_PART) -> Iterator[IO[bytes]]:
        """A part as a stream. It ends where the list of parts says that it does.

        Raises:
            Unreadable: it is not there, too large, encrypted or damaged.
        """
        part = self._parts.get(name.lower())
        if part is None:
            raise Unreadable(Reason.DAMAGED, "a part of the file is missing")
        if part.file_size > most:
            raise Unreadable(Reason.TOO_LARGE, "a part of the file inflates to more than it may")
        if part.flag_bits & 1:
            raise Unreadable(Reason.ENCRYPTED, "a part of the file is encrypted")
        try:
            with self._zip.open(part) as stream:
                yield stream
        except _ZIP_ERRORS as error:
            raise Unreadable(Reason.DAMAGED, f"a part of the file does not inflate ({type(error).__name__})") from error

    def read(self, name: str, most: int = MOST_OF_TREE) -> bytes:
        """The bytes of a part. Raises `Unreadable` as `stream`."""
        with self.stream(name, most) as stream:
            return stream.read()

    def tree(self, name: str, of_book: bool = False) -> Element:
        """The root element of a part.

        Args:
            name: of the part.
            of_book: it may begin with a DTD, which stays unread all the same, and have small faults: books are written
                by hand, and readers forgive them.

        Raises:
            Unreadable: as `stream`; its XML is broken, too deep, or has a DTD.
        """
        parser = etree.XMLParser(remove_comments=True, remove_pis=True, recover=of_book, **_SAFE)
        with self.stream(name, MOST_OF_TREE) as stream, _xml_errors():
            tree = etree.parse(stream, parser)
        if not of_book:
            _refuse_dtd(tree)
        if tree.getroot() is None:
            raise Unreadable(Reason.DAMAGED, "the XML is broken")
        return tree.getroot()

    def children(self, name: str, of: str) -> Iterator[Element]:
        """What stands directly in each element `of` (a local name) of a part, in order; let go of when the next comes.

        Raises:
            Unreadable: as `tree`, also after some of them.
        """
        for element in self._ends(name, None):
            parent = element.getparent()
            if parent is not None and local(parent) == of:
                yield element
                _let_go(element)

    def elements(self, name: str, *names: str) -> Iterator[Element]:
        """Each element of these local names, as it ends; let go of when the next comes. Raises as `children`."""
        for element in self._ends(name, [f"{{*}}{name}" for name in names]):
            yield element
            _let_go(element)

    def _ends(self, name: str, tags: Sequence[str] | None) -> Iterator[Element]:
        with self.stream(name) as stream, _xml_errors():
            looked = False
            for _, element in etree.iterparse(
                stream, events=("end",), tag=tags, remove_comments=True, remove_pis=True, **_SAFE
            ):
                if not looked:
                    _refuse_dtd(element.getroottree())
                    looked = True
                yield element

    def relations(self, name: str = "") -> dict[str, Relation]:
        """What the part `name` (the whole package: "") uses, by id. Without a list of it: nothing.

        Raises:
            Unreadable: the list is broken.
        """
        folder, own = posixpath.split(name)
        listed = posixpath.join(folder, "_rels", f"{own}.rels")
        if listed not in self:
            return {}
        return {
            entry.get("Id", ""): Relation(
                entry.get("Type", "").rpartition("/")[2],
                "" if entry.get("TargetMode") == "External" else part_name(folder, entry.get("Target", "")),
            )
            for entry in self.tree(listed)
        }


def part_name(folder: str, target: str) -> str:
    """The name of the part that `target` means in `folder`: absolute from the root of the package, or relative."""
    target = unquote(target.partition("#")[0])
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def local(element: Element) -> str:
    """The name of an element without its namespace, in which transitional and strict files differ."""
    return str(element.tag).rpartition("}")[2]


def value(element: Element, name: str = "val") -> str | None:
    """The attribute with that local name, whatever its namespace."""
    for key, text in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(text)
    return None


def child(element: Element, *path: str) -> Element | None:
    """The first child of that local name, and of that one the next; None where one is missing."""
    for name in path:
        element = next((inner for inner in element if local(inner) == name), None)
        if element is None:
            return None
    return element


def chosen(element: Element) -> Element:
    """One of the forms of something that stands there for programs of several ages: the newest one."""
    return next((form for form in element if local(form) == "Choice"), element[-1] if len(element) else ())


def number(text: str | None, fallback: int) -> int:
    """A whole number of an attribute, or `fallback` for anything else."""
    return int(text) if text and len(text) < 10 and text.lstrip("-").isdecimal() else fallback


def _let_go(element: Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and (before := element.getprevious()) is not None:
        parent.remove(before)


def _refuse_dtd(tree: Element) -> None:
    if tree.docinfo.internalDTD is not None:
        # Office programs write none. What a file wants with one is to read others or to fill the memory.
        raise Unreadable(Reason.DAMAGED, "the XML has a DTD, which no office program writes")


@contextmanager
def _xml_errors() -> Iterator[None]:
    try:
        yield
    except etree.XMLSyntaxError as error:
        raise Unreadable(Reason.DAMAGED, f"the XML is broken (code {error.code})") from error
