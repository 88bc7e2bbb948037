"""ZIP packages (Word, Excel, Hangul) whose bytes depend on nothing but their contents."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

_PARTS = Path(__file__).parent / "parts"
_UNIX = 3


def package(kind: str, written: Mapping[str, str]) -> bytes:
    """A package of the parts that lie in `parts/` of one kind, and of those that are written here.

    Nothing is compressed: what zlib makes of it differs by its version.
    """
    folder = _PARTS / kind
    parts = {
        path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        # By `mimetype` alone some programs tell what a package is: there it is the first part.
        for name, text in sorted({**parts, **written}.items(), key=lambda part: (part[0] != "mimetype", part[0])):
            entry = zipfile.ZipInfo(name)  # of 1 January 1980
            entry.create_system = _UNIX
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return whole.getvalue()


def document(root: str, namespaces: str, inner: str) -> str:
    """An XML document."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    return f"{head}\n<{root} {namespaces}>\n{inner}\n</{root}>\n"


def escaped(text: str) -> str:
    """Text as it stands in XML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
