"""What the tests of the export source share: exports in a few lines, and one way to list them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from arcana_pipelines.sources.notion_export import NotionExportSource
from arcana_pipelines.sources.protocol import Listing, Mode, PageRef

A, B, C, D, E = (digit * 32 for digit in "abcde")
OLD = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def dashed(notion_id: str) -> str:
    return str(UUID(notion_id))


def write(root: Path, files: Mapping[str, str | bytes], when: datetime = OLD) -> Path:
    """Write files, all last edited at `when`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (when.timestamp(), when.timestamp()))
    return root


def write_zip(path: Path, files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content, compression)
    return path


def source(path: Path, now: datetime = NOW) -> NotionExportSource:
    return NotionExportSource(path, now=lambda: now)


def listed(path: Path | NotionExportSource) -> tuple[list[PageRef], Listing]:
    """List an export to its end."""
    opened = path if isinstance(path, NotionExportSource) else source(path)
    listing = opened.enumerate(Mode.FULL, None, lambda batch: [False] * len(batch))
    refs = [ref for batch in listing.batches for ref in batch]
    if isinstance(path, Path):
        opened.close()
    return refs, listing


def by_title(path: Path | NotionExportSource) -> dict[str, PageRef]:
    refs, _ = listed(path)
    assert len({ref.title for ref in refs}) == len(refs), "a test with equal titles should use `listed`"
    return {ref.title: ref for ref in refs}


def body(path: Path, title: str) -> str:
    opened = source(path)
    ref = by_title(opened)[title]
    markdown = opened.fetch(ref).markdown
    opened.close()
    return markdown


def texts(ref: PageRef) -> dict[str, str]:
    return {name: value["text"] for name, value in ref.properties.items()}
