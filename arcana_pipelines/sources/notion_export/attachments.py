"""The files beside the pages of an export: which page has which, and when one of them has changed.

Notion writes the files of a page into the page's folder, and links them from the page by their paths; those of a
row's cells stand in the CSV. Only a file of the export is ever found: a path that leads out of it leads to nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from urllib.parse import unquote

from arcana_pipelines.markdown.inline import read_inline, readable
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.sources.notion_export.archive import Archive, ExportFile
from arcana_pipelines.sources.notion_export.body_links import links_of
from arcana_pipelines.sources.notion_export.catalogue import Catalogue
from arcana_pipelines.sources.notion_export.names import one_line, without_wrapper
from arcana_pipelines.sources.notion_export.references import LONGEST_CELL, SEPARATOR, resolved
from arcana_pipelines.sources.protocol import FileRef

LONGEST_PATH = 4096
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|[/\\]")
# `#` and `?` may belong to a name as well as begin a fragment: the longest path that is a file wins.
_CUTS = re.compile(r"[#?]")
_KINDS = {
    "pdf": ("pdf",),
    "audio": ("aac", "flac", "m4a", "mp3", "oga", "ogg", "opus", "wav", "weba", "wma"),
    "video": ("avi", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm", "wmv"),
}
_ORIGINS = {ending: origin for origin, endings in _KINDS.items() for ending in endings}


class Attachments:
    """The files of one look at an export that are neither pages nor tables."""

    def __init__(self, archive: Archive, catalogue: Catalogue) -> None:
        self._archive = archive
        self._catalogue = catalogue
        self._files = {without_wrapper(file.path): file for file in archive.attachments}

    def find(self, file_id: str) -> ExportFile | None:
        """The file of this id, which is its path."""
        return self._files.get(file_id)

    def at(self, address: str, folder: str) -> ExportFile | None:
        """The file that a path in a text leads to, from the folder that the text's own paths begin in."""
        if not self._files or not address or len(address) > LONGEST_PATH or _SCHEME.match(address):
            return None
        cuts = [cut.start() for cut in _CUTS.finditer(address)]
        for path in (address, *(address[:cut] for cut in reversed(cuts[-8:]))):
            for spelled in dict.fromkeys((one_line(unquote(path)), one_line(path))):
                for candidate in resolved(spelled, folder):
                    if (file := self._files.get(candidate)) is not None:
                        return file
        return None

    def in_cells(self, cells: Iterable[str], folder: str) -> list[ExportFile]:
        """The files that a row's cells name, each once."""
        found: dict[str, ExportFile] = {}
        for text in cells if self._files else ():
            if "." not in text or len(text) > LONGEST_CELL:
                continue
            whole = self.at(text, folder)
            named = [whole] if whole else [self.at(path, folder) for path in SEPARATOR.split(text.strip(" ,\n"))]
            found.update((file.path, file) for file in named if file is not None)
        return list(found.values())

    def of_page(self, body: str, folder: str, cells: Iterable[str] = (), cells_folder: str = "") -> list[FileRef]:
        """The files of a page, each once: those of its row's cells, then those that its body shows or links to."""
        files: dict[str, FileRef] = {}
        for file in self.in_cells(cells, cells_folder):
            files[file.path] = self._ref(file, "property", "")
        for link in links_of(body) if self._files else ():
            linked = self.at(link.address, folder)
            if linked is not None and linked.path not in files:
                origin = "image" if link.is_picture else _origin(linked.path)
                files[linked.path] = self._ref(linked, origin, link.label)
        return list(files.values())

    def stamp(self, page_id: str | None, cells: Iterable[str] = (), folder: str = "") -> str:
        """What changes when a file does that lies in a page's folder, or that a row's cells name; empty without any.

        No file is read for it, nor the page: a page that links to a file in the folder of another one is not read
        again because of that file.
        """
        marks = [*self._of_folders.get(page_id or "", ()), *map(self._mark, self.in_cells(cells, folder))]
        return hashlib.sha256("\n".join(marks).encode("utf-8", "replace")).hexdigest()[:16] if marks else ""

    @cached_property
    def _of_folders(self) -> dict[str, list[str]]:
        """The marks of the files in each page's folder, by the page's id."""
        owners: dict[str, list[str]] = {}
        marks: defaultdict[str, list[str]] = defaultdict(list)
        for file in self._files.values():
            folder = file.folder
            if folder not in owners:
                owners[folder] = self._catalogue.pages_of_folder(folder)
            for page_id in owners[folder]:
                marks[page_id].append(self._mark(file))
        return marks

    def _mark(self, file: ExportFile) -> str:
        return f"{without_wrapper(file.path)}\0{self._archive.mark(file)}"

    def _ref(self, file: ExportFile, origin: str, label: str) -> FileRef:
        path = without_wrapper(file.path)
        name = file_label(path.rpartition("/")[2], "", "file")
        caption = " ".join(readable(read_inline(label.strip())).split())
        # Without a caption, a file stands there by its name or by its path.
        is_path = unquote(caption).replace("\\", "").rpartition("/")[2] == path.rpartition("/")[2]
        return FileRef(path, name, path, None, origin, "" if is_path else caption, version=self._archive.mark(file))


def _origin(path: str) -> str:
    return _ORIGINS.get(path.rpartition(".")[2].lower(), "file")
