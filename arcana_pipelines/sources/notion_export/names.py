"""What the name of an exported file says: title, Notion id, and whether it is part of the export at all."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from uuid import UUID, uuid5

# Fixed for ever: every id of a page that Notion gave no id hangs on it.
NAMESPACE = UUID("5f0c1d7e-3a52-5b1e-9c55-0d6f2a9b7e11")

_NAME = re.compile(r"^(?:(?P<title>.*)[ _-])?(?P<id>[0-9a-fA-F]{32})$", re.DOTALL)
_HAS_ID = re.compile(r"[0-9a-fA-F]{32}(_all)?(\.\w+)?$")
# The folder around a whole export gets a new name at each export; ids made from paths must outlive it.
_WRAPPER = re.compile(r"^Export-[0-9a-fA-F-]{32,36}(?:-Part-\d+)?/")


@dataclass(frozen=True, slots=True)
class ExportName:
    """A name without extension, taken apart. `notion_id` is 32 lower-case hex digits."""

    title: str
    notion_id: str | None

    @property
    def url(self) -> str | None:
        """A link that opens the page in Notion, if Notion knows it."""
        return f"https://www.notion.so/{self.notion_id}" if self.notion_id else None


def split_name(stem: str) -> ExportName:
    """Take `Title 0123…cdef` apart; a name without an id is all title."""
    found = _NAME.match(stem)
    if found is None:
        return ExportName(stem.strip(), None)
    return ExportName((found["title"] or "").strip(), found["id"].lower())


def dashed(notion_id: str) -> str:
    """Notion's 32 hex digits in the canonical spelling."""
    return str(UUID(notion_id))


def stable_id(*parts: str) -> str:
    """The same UUID for the same words, now and in the next export."""
    return str(uuid5(NAMESPACE, "\n".join(parts)))


def path_id(path: str) -> str:
    """The id of a file whose name holds none."""
    return stable_id(_WRAPPER.sub("", path))


def clean_name(raw: bytes) -> str:
    """Decode a file name: UTF-8, or code page 437 as zip prescribes; composed (NFC), without NUL.

    macOS stores Hangul decomposed and Linux stores what it is given: without one spelling the same page
    would get two ids.
    """
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("cp437")
    return unicodedata.normalize("NFC", name.replace("\0", ""))


def is_ignored(name: str) -> bool:
    """Whether a file or folder is an operating system's, not Notion's.

    A page may be called `.env`: a dot-name with a Notion id stays, but `._name` is always macOS's twin.
    """
    if name == "__MACOSX" or name.startswith("._"):
        return True
    return name.startswith(".") and _HAS_ID.search(name) is None


def exact_key(title: str) -> str:
    """For comparing titles that should be equal: one Unicode form, no escapes, single spaces."""
    text = unicodedata.normalize("NFC", title).replace("\\", "")
    key = " ".join(text.split())
    return "" if key == "Untitled" else key


def loose_key(title: str) -> str:
    """For comparing a title with a file name that Notion has sanitised: letters and digits alone."""
    return "".join(c for c in unicodedata.normalize("NFC", title).casefold() if c.isalnum())
