"""What the name of an exported file says: title, Notion id, and whether it is part of the export at all."""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID, uuid5

from arcana_pipelines.markdown.characters import clean
from arcana_pipelines.sources.notion_export.encodings import reads_as_korean

# Fixed for ever: every id of a page that Notion gave no id hangs on it.
NAMESPACE = UUID("5f0c1d7e-3a52-5b1e-9c55-0d6f2a9b7e11")

_NAME = re.compile(r"^(?:(?P<title>.*)[ _-])?(?P<id>[0-9a-fA-F]{32})$", re.DOTALL)
_HAS_ID = re.compile(r"[0-9a-fA-F]{32}(_all)?(\.\w+)?$")
# The folder around a whole export, or around a part of it, that programs make when they unpack one.
_WRAPPER = re.compile(r"^(?:(?:[0-9a-fA-F-]{8,36}_)?Export(?:Block)?-[0-9a-fA-F-]{32,36}(?:-Part-\d+)?/)+")
# How Notion calls a page without a title.
_NO_TITLE = frozenset({"Untitled", "제목 없음"})
# As Linux has it for a path. A title is cut long before, and no one nests pages a hundred deep.
MAX_PATH_BYTES = 4096
MAX_DEPTH = 100


class ImpossiblePath(Exception):
    """A path that no honest export holds: too long or too deep. The message says which."""


@dataclass(frozen=True, slots=True)
class ExportName:
    """A name without extension, taken apart.

    Attributes:
        title: what stands before the id; Notion may have cut it and replaced letters of it.
        notion_id: 32 lower-case hex digits; None where the name has none.
    """

    title: str
    notion_id: str | None

    @property
    def url(self) -> str | None:
        """A link that opens the page in Notion, if Notion knows it."""
        return f"https://www.notion.so/{self.notion_id}" if self.notion_id else None


def split_name(stem: str) -> ExportName:
    """Take `Title 0123…cdef` apart; a name without an id is all title."""
    parts = _NAME.match(stem)
    if parts is None:
        return ExportName(stem.strip(), None)
    return ExportName((parts["title"] or "").strip(), parts["id"].lower())


def dashed(notion_id: str) -> str:
    """Notion's 32 hex digits in the canonical spelling."""
    return str(UUID(notion_id))


def stable_id(*parts: str) -> str:
    """The same UUID for the same words, now and in the next export."""
    return str(uuid5(NAMESPACE, "\n".join(parts)))


def path_id(path: str) -> str:
    """The id of a file whose name holds none."""
    return stable_id(without_wrapper(path))


def without_wrapper(path: str) -> str:
    """A path as it was in the export.

    The folder around it gets a new name at each export, and ids made from paths must outlive it. Parts that were
    unpacked into folders of their own are one export: the rows of a table may lie in another part than the table.
    """
    return _WRAPPER.sub("", path)


def clean_name(raw: bytes) -> str:
    """Decode a file name: UTF-8, Korean of code page 949, or code page 437 as zip prescribes.

    It is composed (NFC) and without controls.

    macOS stores Hangul decomposed and Linux stores what it is given: without one spelling the same page
    would get two ids.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("cp437")
        with suppress(UnicodeDecodeError):  # zip programs of Korean Windows name files in its code page
            if reads_as_korean(korean := raw.decode("cp949")):
                name = korean
    return one_line(name)


def one_line(text: str) -> str:
    """Text for one line: without controls, in NFC."""
    text = clean(text)
    return text.replace("\n", " ").replace("\t", " ") if "\n" in text or "\t" in text else text


def check_path(path: str) -> None:
    """Raise ImpossiblePath for a path whose parts alone could fill the memory."""
    if len(path) * 4 > MAX_PATH_BYTES and (size := len(path.encode("utf-8", "replace"))) > MAX_PATH_BYTES:
        raise ImpossiblePath(f"it holds a name of {size:,} bytes, {path[:60]}…; {MAX_PATH_BYTES:,} are the most")
    if (depth := path.count("/")) > MAX_DEPTH:
        raise ImpossiblePath(f"it holds a file {depth} folders deep, {path[:60]}…; {MAX_DEPTH} are the most")


def is_ignored(name: str) -> bool:
    """Whether a file or folder is an operating system's, not Notion's.

    A page may be called `.env` or `...`: a dot-name with a Notion id stays, and one of several dots, but
    `._name` is always macOS's twin.
    """
    if name == "__MACOSX" or name.startswith("._"):
        return True
    return name.startswith(".") and not name.startswith("..") and _HAS_ID.search(name) is None


def exact_key(title: str) -> str:
    """For comparing titles that should be equal: one Unicode form, no escapes, single spaces."""
    text = unicodedata.normalize("NFC", title).replace("\\", "")
    key = " ".join(text.split())
    return "" if key in _NO_TITLE else key


def loose_key(title: str) -> str:
    """For comparing a title with a file name that Notion has sanitised: letters and digits alone."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", title).casefold()))
