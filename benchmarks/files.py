"""What files cost: `python benchmarks/files.py --data ../shared/data/files`.

    python benchmarks/files.py --data FOLDER               # 1,000 files, 500 MB, made of those in the folder
    python benchmarks/files.py --data FOLDER --files 100   # a look
    python benchmarks/files.py --data FOLDER --ocr         # scans and images are read, too: a page takes seconds

An export of fifty pages has so many attachments: files of a folder again and again, each with other bytes, and large
ones that are made here (PDFs with pictures, sheets, texts). They are fetched, kept, read, cut, embedded, published as
a sync does it, and then synced once more, which must fetch and read nothing. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from index_build import installation, met
from machine import print_machine
from sync_requests import peak_megabytes

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding import local_small
from arcana_pipelines.embedding.catalogue import SMALL_MODEL
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration, sync
from arcana_pipelines.pipeline.document_files import FilesReport
from arcana_pipelines.pipeline.purpose import Purpose
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.sources.protocol import Mode

PAGES = 50
FILES, MEGABYTES = 1000, 500
SLUG = "attached"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder with files of many kinds")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--ocr", action="store_true")
    given = parser.parse_args()
    print_machine()
    with installation(file_ocr="on" if given.ocr else "off") as database:
        export = database.settings.home / "export"
        size = _write(export, given.data, given.files, given.megabytes * 10**6)
        print(f"{given.files} files, {size / 1e6:.0f} MB, on {PAGES} pages")
        index = IndexSettings.of_model(SMALL_MODEL, local_small.DIMENSIONS)
        registration.register(
            database, SLUG, "notion_export", index, lambda _: None, lambda _: None, source_config={"path": str(export)}
        )
        before = peak_megabytes()
        report, seconds = _sync(database)
        _tell(report, seconds, given.files, before)
        _sizes(database, size)
        again, _ = _sync(database, Mode.FULL)
        read = sum(kind.files for kind in again.read.values())
        ok = met("files fetched by the second sync", again.fetched, 0)
        ok &= met("files read by the second sync", read, 0)
        ok &= met("files without an outcome", again.of("pending", "stored", "quarantined"), 0)
    return 0 if ok else 1


def _sync(database: Database, mode: Mode = Mode.INCREMENTAL) -> tuple[FilesReport, dict[str, float]]:
    """The stages of a sync one by one; the report of the files and the seconds of each."""
    seconds: dict[str, float] = {}
    with workspace_session(database, SLUG) as session:
        stages = {
            "list and read": lambda: sync.read_pages(session, sync.SyncRequest(mode)),
            "files": lambda: sync.fetch_files(session),
            "contents": lambda: sync.make_contents(session),
            "chunks": lambda: sync.cut_chunks(session, Purpose.SYNC),
            "embeddings": lambda: sync.embed_chunks(session, Purpose.SYNC),
            "publish": lambda: sync.publish_indexes(session, Purpose.SYNC),
        }
        report = None
        for name, stage in stages.items():
            began = time.monotonic()
            did = stage()
            seconds[name] = time.monotonic() - began
            report = did if isinstance(did, FilesReport) else report
    assert report is not None
    return report, seconds


def _tell(report: FilesReport, seconds: dict[str, float], files: int, before: float) -> None:
    print(f"{'kind':12}{'files':>7}{'MB':>9}{'s':>9}{'s a file':>10}{'without text':>14}")
    for kind, read in sorted(report.read.items()):
        each = read.seconds / read.files
        print(f"{kind:12}{read.files:7}{read.bytes / 1e6:9.1f}{read.seconds:9.1f}{each:10.3f}{read.failed:14}")
    for count in report.counts:
        if count.state != "parsed":
            print(f"{count.files} {count.state}: {count.reason}")
    print(", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items()))
    print(f"{files / report.seconds_fetching:.1f} files a second fetched, {files / report.seconds_reading:.1f} read")
    print(f"{files / sum(seconds.values()):.2f} files a second from the export to the search")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"memory: this process {before:.0f} MB before, {peak_megabytes():.0f} at most; largest child {largest:.0f} MB"
    )


def _sizes(database: Database, given: int) -> None:
    with database.connection() as connection:
        row = connection.execute(
            "SELECT pg_database_size(current_database()), (SELECT count(*) FROM chunk), "
            "(SELECT sum(size) FROM stored_file), (SELECT count(*) FROM stored_file)"
        ).fetchone()
    assert row is not None
    size, chunks, stored, objects = row
    kept = sum(path.stat().st_size for path in (database.settings.storage_root / "files").rglob("*") if path.is_file())
    print(f"database {size / 1e6:.0f} MB with {chunks} chunks; store {kept / 1e6:.0f} MB in {objects} objects")
    assert kept == stored, f"the store has {kept} bytes, its rows say {stored} (given: {given})"


def _write(export: Path, data: Path, files: int, size: int) -> int:
    """An export with so many files; returns their bytes."""
    real = sorted(path for path in data.rglob("*") if path.is_file() and path.suffix not in _NOT_FILES)
    draw = random.Random(1)
    written = 0
    names: dict[int, list[str]] = {page: [] for page in range(PAGES)}
    for number, (suffix, content) in zip(range(files), _contents(real, files, size, draw), strict=False):
        page = number % PAGES
        folder = export / _name(page)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"file {number}{suffix}"
        (folder / name).write_bytes(content)
        names[page].append(name)
        written += len(content)
    for page, of_page in names.items():
        links = "\n\n".join(f"[{name}]({quote(f'{_name(page)}/{name}')})" for name in of_page)
        (export / f"{_name(page)}.md").write_text(f"# Page {page}\n\n{links}\n")
    return written


# In an export these are pages and databases.
_NOT_FILES = (".md", ".csv")


def _name(page: int) -> str:
    return f"Page {page} {UUID(int=0xABCDEF0000000000000000000000_0000 + page).hex}"


def _contents(real: list[Path], files: int, size: int, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    """Seven of ten are real files with other bytes, the others large ones, so that all together have the size."""
    large = max(1, files - 7 * files // 10)
    rest = max(0, size - sum(real[number % len(real)].stat().st_size for number in range(files - large)))
    made = 0
    for number in range(files):
        if number % 10 < 7:
            path = real[(number - made) % len(real)]
            yield path.suffix, _others(path, number)
        else:
            made += 1
            each = rest // large
            kind = number % 10
            if kind == 7:
                yield ".pdf", _pdf(2 * each, number, draw)
            elif kind == 8:
                yield ".html", _table(each // 2, number, draw)
            else:
                yield ".txt", _text(each // 2, number, draw)


def _others(path: Path, number: int) -> bytes:
    """The same file with other bytes that say nothing: an entry of a ZIP, a comment, a line."""
    content = path.read_bytes()
    if content.startswith(b"PK\x03\x04"):
        held = io.BytesIO(content)
        with zipfile.ZipFile(held, "a") as archive:
            archive.writestr(f"customXml/item{number}.bin", str(number))
        return held.getvalue()
    if path.suffix == ".pdf":
        return content + f"\n%{number}\n".encode()
    return content + (
        f"\n{number}".encode() if path.suffix in (".txt", ".csv", ".html", ".eml") else bytes([number % 256])
    )


_WORDS = "robot battery 휴가 규정 invoice sensor 배터리 safety 출장 report Berlin 부산 budget 예산 charger 점검".split()


def _sentences(characters: int, draw: random.Random) -> Iterator[str]:
    made = 0
    while made < characters:
        sentence = " ".join(draw.choices(_WORDS, k=12)) + "."
        made += len(sentence) + 1
        yield sentence


def _text(size: int, number: int, draw: random.Random) -> bytes:
    """A text of at most 100 kB; the rest is blank."""
    said = "\n\n".join(_sentences(min(size, 40_000), draw))
    return f"Text {number}\n\n{said}\n".encode() + b" \n" * (max(0, size - 60_000) // 2)


def _table(size: int, number: int, draw: random.Random) -> bytes:
    """A page of HTML with a table of at most a thousand rows; the rest is a comment."""
    rows = "".join(
        f"<tr><td>{row}</td><td>{draw.choice(_WORDS)}</td><td>{draw.choice(_WORDS)}</td><td>{row * 7}</td></tr>"
        for row in range(min(size // 60, 1000))
    )
    head = "<tr><th>id</th><th>part</th><th>place</th><th>price</th></tr>"
    page = f"<html><body><h1>List {number}</h1><table>{head}{rows}</table></body></html>"
    return f"{page}<!-- {' ' * max(0, size - len(page))} -->".encode()


def _pdf(size: int, number: int, draw: random.Random) -> bytes:
    """Ten pages of text, and bytes of a picture that is on none."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    pages = []
    for page in range(10):
        lines = [f"Report {number}, page {page + 1}", *(_ascii(line) for line in _sentences(1500, draw))]
        shown = "".join(f"({line}) Tj T* " for line in lines)
        stream = f"BT /F1 10 Tf 12 TL 50 780 Td {shown}ET".encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
        pages.append(len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count 10 >>" % b" ".join(b"%d 0 R" % page for page in pages)
    junk = draw.randbytes(max(0, size - 30_000))
    objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(junk), junk))
    out = bytearray(b"%PDF-1.4\n")
    offsets = []
    for place, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (place, body)
    begins = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, begins)
    return bytes(out)


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode()


if __name__ == "__main__":
    sys.exit(main())
