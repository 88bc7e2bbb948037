"""What a parser says of a file: blocks in reading order, each with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its file a block stands: what the format has of it, and nothing where it has none.

    Attributes:
        page: of a PDF, from 1, as `#page=` counts them.
        label: what is printed on that page instead, where the file says so (`iv`).
        slide: from 1, in the order of the presentation.
        sheet: the name of a sheet.
        first_row, last_row: of a sheet or a CSV, from 1, both included, as the program shows them.
        begin, end: of a recording, in seconds.
    """

    page: int | None = None
    label: str | None = None
    slide: int | None = None
    sheet: str | None = None
    first_row: int | None = None
    last_row: int | None = None
    begin: float | None = None
    end: float | None = None


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a file's text. Plain text: who puts it together escapes what would be markup.

    Attributes:
        kind: `item` is of a list.
        text: of all but a table. Lines of a paragraph are joined already; of code they are kept.
        level: of a heading 1 (the outermost) to 6; of an item how deep it lies, from 0.
        rows: of a table: its rows of cells, the first one its header; a merged cell stands in each that it covers.
        place: where the block begins; of a table the rows that it shows.
        continues: a sentence of the block before runs on in this one, over the end of a page: the two may stay so.
    """

    kind: Literal["heading", "text", "item", "table", "code", "quote"]
    text: str = ""
    level: int = 0
    rows: Sequence[Sequence[str]] = ()
    place: Place = NOWHERE
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """What of a file was not read, in words that name no text of it: `12 pages without text`."""

    text: str


@dataclass(frozen=True, slots=True)
class Inside:
    """A file in this one (of a mail, an archive), written into the directory that the job names.

    Attributes:
        name: as it is called there: a label, never a path.
        path: where the parser has written its bytes, a name in the job's directory that the parser chose.
    """

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image whose text only OCR can read (a scanned page), written into the directory that the job names.

    Attributes:
        path: as `Inside.path`; a grey PNG or JPEG.
        place: of the page that it is.
        why: why it is needed: `no text layer`, `unusable text layer`.
    """

    path: str
    place: Place = NOWHERE
    why: str = ""


@dataclass(frozen=True, slots=True)
class Title:
    """What the file calls itself: the subject of a mail, the title of a book."""

    text: str


Said = Block | Note | Inside | Picture | Title
