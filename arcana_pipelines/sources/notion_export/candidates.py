"""What is known of page files when rows are sought: their titles and the lines below them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from arcana_pipelines.sources.notion_export.archive import Archive
from arcana_pipelines.sources.notion_export.catalogue import Page
from arcana_pipelines.sources.notion_export.encodings import decode
from arcana_pipelines.sources.notion_export.page_text import HEAD_BYTES, take_apart

UNTITLED = "Untitled"
# A row has fewer properties; a page without any empty line should not be kept whole.
_MOST_LINES = 500


@dataclass(frozen=True, slots=True)
class Candidate:
    """A page file that may be a row.

    Attributes:
        title: the one in the text, or else that of the file's name, or else `UNTITLED`.
        from_text: the title is the one in the text.
        block: the lines below the title up to the first empty one, where a row has its properties; at most 500.
    """

    page: Page
    title: str
    from_text: bool
    block: Sequence[str]


def read_candidates(archive: Archive, pages: Iterable[Page], taken: Collection[str]) -> list[Candidate]:
    """The beginnings of those files that are not `taken`. An unreadable one is left to the listing to report."""
    candidates = []
    for page in pages:
        if page.file.path in taken:
            continue
        try:
            head = archive.read(page.file, HEAD_BYTES)
        except OSError:
            continue
        text = take_apart(decode(head, whole=len(head) < HEAD_BYTES)[0], page.name.title)
        title = text.title or page.name.title or UNTITLED
        candidates.append(Candidate(page, title, text.title is not None, text.block[:_MOST_LINES]))
    return candidates
