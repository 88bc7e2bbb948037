"""Small PDFs, written by a test, object by object."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

WIDTH, HEIGHT = 612, 792


def pdf(path: Path, *pages: str, catalogue: str = "", page: str = "", compress: bool = False) -> Path:
    """A PDF whose pages have these contents; `catalogue` and `page` are more entries of those dictionaries."""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>".encode(),
        b"<< /Type /Pages /Kids [%s] /Count %d >>"
        % (b" ".join(b"%d 0 R" % (4 + 2 * number) for number in range(len(pages))), len(pages)),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, content in enumerate(pages):
        data = content.encode("latin-1")
        packed = zlib.compress(data) if compress else data
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {WIDTH} {HEIGHT}] /Contents {5 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {page} >>".encode(),
            b"<< /Length %d %s>>\nstream\n%s\nendstream"
            % (len(packed), b"/Filter /FlateDecode " if compress else b"", packed),
        ]
    return written(path, objects)


def add(path: Path, *objects: bytes) -> None:
    """Write a PDF of one page again with more objects, the first of which is number 6."""
    parts = path.read_bytes().split(b" 0 obj\n")[1:]
    written(path, [*(part.split(b"\nendobj\n")[0] for part in parts), *objects])


def written(path: Path, objects: Sequence[bytes]) -> Path:
    """A PDF of these objects, the first of which is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    path.write_bytes(out)
    return path


def text(x: float, y: float, words: str, size: float = 10) -> str:
    """One line whose first letter stands at a place."""
    escaped = words.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"BT /F1 {size} Tf {x} {y} Td ({escaped}) Tj ET\n"


def lines(x: float, y: float, *rows: str, size: float = 10, pitch: float = 1.2) -> str:
    """Lines below each other, the first one at a place."""
    return "".join(text(x, y - number * pitch * size, row, size) for number, row in enumerate(rows))


def rule(x0: float, y0: float, x1: float, y1: float) -> str:
    """A line that is drawn."""
    return f"{x0} {y0} m {x1} {y1} l S\n"


def image(width: float = WIDTH, height: float = HEIGHT) -> str:
    """A grey image of so many points."""
    return f"q {width} 0 0 {height} 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID \x80 EI Q\n"
