"""Small files of many kinds, written by a test, and what a parser says of them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Said
from arcana_pipelines.files.parsing.protocol import Job

RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def said(module: ModuleType, path: Path, kind: str, **options: int) -> list[Said]:
    """Everything that a parser says of a file."""
    with TemporaryDirectory() as directory:
        things = list(module.parse(Job(path, FileKind(kind), path.name, Path(directory), **options)))
        assert not list(Path(directory).iterdir()), "nothing was to be written"
    return things


def blocks(things: list[Said]) -> list[Block]:
    return [thing for thing in things if isinstance(thing, Block)]


def short(things: list[Said]) -> list[tuple[str, object]]:
    """Blocks as pairs: kind (with its level, for a heading `h1`) and text or rows."""
    names = {"heading": "h{}", "item": "item {}"}
    return [
        (names.get(b.kind, b.kind).format(b.level), [list(row) for row in b.rows] if b.kind == "table" else b.text)
        for b in blocks(things)
    ]


def words(things: list[Said]) -> str:
    """All text, each run of white space one blank."""
    parts = [
        " ".join(" ".join(row) for row in thing.rows) if isinstance(thing, Block) and thing.rows else thing.text
        for thing in things
        if hasattr(thing, "text")
    ]
    return " ".join(" ".join(parts).split())


def zipped(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def relations(*entries: tuple[str, str, str]) -> str:
    """A list of relations: id, the last word of the type, target."""
    inner = "".join(f'<Relationship Id="{i}" Type="{TYPE}/{kind}" Target="{to}"/>' for i, kind, to in entries)
    return f'<Relationships xmlns="{RELATIONS}">{inner}</Relationships>'


def docx(path: Path, body: str, **parts: str) -> Path:
    """A document of Word: the XML in its body, and that inside the roots of `styles`, `numbering`, `footnotes` …"""
    roots = {"styles": "styles", "numbering": "numbering", "footnotes": "footnotes", "comments": "comments"}
    return zipped(
        path,
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("r1", "officeDocument", "word/document.xml")),
            "word/_rels/document.xml.rels": relations(*((f"x{name}", name, f"{name}.xml") for name in parts)),
            "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
            **{f"word/{name}.xml": f"<w:{roots[name]} {W}>{xml}</w:{roots[name]}>" for name, xml in parts.items()},
        },
    )


def p(text: str, properties: str = "") -> str:
    """A paragraph of Word."""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"


P = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{TYPE}" xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
)


def pptx(path: Path, *slides: str, hidden: int = -1, **parts: str) -> Path:
    """A presentation: the XML of shapes on each slide; a part `chart_1` is of slide 1 and has its name as its id.

    The parts of slides are numbered against their order, as they may be.
    """
    files: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    files |= {"_rels/.rels": relations(("r", "officeDocument", "ppt/presentation.xml"))}
    names = [f"slides/slide{len(slides) - n}.xml" for n in range(len(slides))]
    listed = "".join(f'<p:sldId id="{256 + n}" r:id="s{n}"/>' for n in range(len(slides)))
    files["ppt/presentation.xml"] = f"<p:presentation {P}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    files["ppt/_rels/presentation.xml.rels"] = relations(*((f"s{n}", "slide", name) for n, name in enumerate(names)))
    for n, (name, shapes) in enumerate(zip(names, slides, strict=True)):
        show = ' show="0"' if n == hidden else ""
        files[f"ppt/{name}"] = f"<p:sld {P}{show}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        own = [part for part in parts if part.endswith(f"_{n + 1}")]
        files[f"ppt/slides/_rels/{name.rpartition('/')[2]}.rels"] = relations(
            *((part, part.partition("_")[0], f"../parts/{part}.xml") for part in own)
        )
    files.update({f"ppt/parts/{part}.xml": xml for part, xml in parts.items()})
    return zipped(path, files)


def shape(*paragraphs: str, place: str = "") -> str:
    """A shape of a slide; `place` is the type of its placeholder (`title`, `body`), paragraphs are text or XML."""
    inner = "".join(text if text.startswith("<") else f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    holder = f'<p:ph type="{place}"/>' if place else ""
    return f"<p:sp><p:nvSpPr><p:nvPr>{holder}</p:nvPr></p:nvSpPr><p:txBody>{inner}</p:txBody></p:sp>"


S = f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{TYPE}"'
# Styles of cells: 0 as it is, 1 a day, 2 a day and a time, 3 hours that may be more than a day has, 4 and 5 a
# percentage, 6 a number with a word that has a percent sign.
_FORMATS = (
    '<numFmts><numFmt numFmtId="170" formatCode="0.0%"/><numFmt numFmtId="171" formatCode="0&quot; %&quot;"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/><xf numFmtId="46"/><xf numFmtId="9"/>'
    '<xf numFmtId="170"/><xf numFmtId="171"/></cellXfs>'
)


def xlsx(path: Path, states: Mapping[str, str] | None = None, **sheets: str | Sequence[Sequence[object]]) -> Path:
    """A workbook: by the names of its sheets either rows of values from A1 on, or the XML inside `worksheet`.

    `states` has sheets that are `hidden` or `veryHidden`.
    """
    states = states or {}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="s{n}" state="{states.get(name, "visible")}"/>'
        for n, name in enumerate(sheets, start=1)
    )
    entries = [(f"s{n}", "worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)]
    return zipped(
        path,
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(("r", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f"<workbook {S}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(*entries, ("st", "styles", "styles.xml")),
            "xl/styles.xml": f"<styleSheet {S}>{_FORMATS}</styleSheet>",
            **{
                f"xl/worksheets/sheet{n}.xml": f"<worksheet {S}>{rows if isinstance(rows, str) else sheet_data(rows)}"
                "</worksheet>"
                for n, rows in enumerate(sheets.values(), start=1)
            },
        },
    )


def sheet_data(rows: Sequence[Sequence[object]]) -> str:
    """Rows from the first one on; None is a cell without a value, and an empty row is not written."""
    lines = []
    for n, row in enumerate(rows, start=1):
        cells = "".join(
            f"<c><v>{cell}</v></c>"
            if isinstance(cell, int | float)
            else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
            if cell is not None
            else "<c/>"
            for cell in row
        )
        lines.append(f'<row r="{n}">{cells}</row>' if row else "")
    return f"<sheetData>{''.join(lines)}</sheetData>"
