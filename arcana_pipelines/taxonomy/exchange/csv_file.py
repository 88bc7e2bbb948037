"""A taxonomy as CSV: what people keep in a spreadsheet.

Columns: `node_id`, `parent_id`, `label`, `path`, `definition`, `synonyms`, `external_ref`, `label@ko` and other
languages, `confidence`, `replaces`, `retired`, `replaced_by`. A `path` alone suffices, and so do `label` and
`parent_id`. A cell with several entries parts them by `|`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.files.csv_cells import BEGINS_FORMULA
from arcana_pipelines.taxonomy.exchange.rows import (
    MOST_ROWS,
    Imported,
    Row,
    assemble,
    language,
    named,
    node_id,
    said_of,
)
from arcana_pipelines.taxonomy.labels import read_path, spell_path
from arcana_pipelines.taxonomy.mistakes import Mistakes
from arcana_pipelines.taxonomy.nodes import Node
from arcana_pipelines.taxonomy.tree import LONGEST_TEXT

COLUMNS = (
    "node_id", "parent_id", "label", "path", "definition", "synonyms", "external_ref", "confidence", "replaces",
    "retired", "replaced_by",
)  # fmt: skip
_CALLED = {
    "id": "node_id", "노드": "node_id", "parent": "parent_id", "상위": "parent_id", "name": "label", "title": "label",
    "이름": "label", "라벨": "label", "경로": "path", "description": "definition", "정의": "definition",
    "설명": "definition", "synonym": "synonyms", "동의어": "synonyms",
}  # fmt: skip
_DELIMITERS = (",", ";", "\t")
_EXCEL_SAYS = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_TRUE = frozenset({"true", "yes", "y", "1", "x", "예", "참"})
_FALSE = frozenset({"", "false", "no", "n", "0", "아니요", "아니오", "거짓"})
_MOST_COLUMNS = 200
# An apostrophe before what a spreadsheet would take for a formula, and before such an apostrophe.
_SHIELDED = re.compile(rf"'+(?:{'|'.join(map(re.escape, BEGINS_FORMULA))})")


def read_csv(text: str, source: str) -> Imported:
    """What a CSV holds. Commas, semicolons or tabs may part its cells; column names are English or Korean.

    Raises:
        TaxonomyRefused: it is no such CSV. The message names the row as a spreadsheet counts.
    """
    said = _EXCEL_SAYS.match(text)
    delimiters = (said[1],) if said else _DELIMITERS
    text = text[said.end() :] if said else text
    delimiter = max(delimiters, key=lambda one: len(_known(_first_row(text, one))))
    lines = _lines(text, delimiter, source)
    _, head = next(lines, (1, []))
    columns = _known(head)
    if not head:
        raise TaxonomyRefused(f"{source} is empty: its first row names the columns, as path,definition,synonyms does.")
    if not {"path", "label"} & set(columns.values()):
        raise TaxonomyRefused(
            f"The first row of {source} names no column 'path' and no column 'label': one of them says where nodes "
            "stand. (path,definition,synonyms is a whole header.)"
        )
    if len(set(columns.values())) < len(columns):
        raise TaxonomyRefused(f"The first row of {source} names a column twice: {named(sorted(columns.values()))}.")
    unused = [name for at, name in enumerate(head) if name.strip() and at not in columns]
    remarks = [f"Columns that mean nothing here were not read: {named(unused)}."] if unused else []
    mistakes = Mistakes()
    rows = []
    for number, line in lines:
        with mistakes.noted():
            rows.append(_row(number, line, columns, len(head)))
    mistakes.refuse()
    return assemble(rows, source, remarks)


def write_csv(nodes: Sequence[Node]) -> str:
    """The nodes of a version, each behind its parent, for a spreadsheet: no cell is a formula."""
    languages = sorted({tag for node in nodes for tag in node.labels})
    head = [*COLUMNS[:7], *(f"label@{tag}" for tag in languages), *COLUMNS[7:]]
    if all(node.confidence == 1 for node in nodes):
        head.remove("confidence")
    out = io.StringIO()
    writer = csv.DictWriter(out, head, restval="", extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for node in nodes:
        cells: dict[str, Any] = {
            "node_id": node.node_id,
            "parent_id": node.parent_id or "",
            "label": node.label,
            "path": spell_path(node.path),
            "definition": node.definition or "",
            "synonyms": _joined(node.synonyms),
            "external_ref": node.external_ref or "",
            "confidence": repr(node.confidence),
            **{f"label@{tag}": label for tag, label in node.labels.items()},
        }
        writer.writerow({name: _shielded(str(cell)) for name, cell in cells.items()})
    return out.getvalue()


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text[: 4 * LONGEST_TEXT], newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _lines(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank with its number, the header's too."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    while True:
        number += 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            raise TaxonomyRefused(f"Row {number} of {source} cannot be read: {error}.") from error
        if number > MOST_ROWS + 1:
            raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} rows: a taxonomy is smaller.")
        if len(line) > _MOST_COLUMNS:
            raise TaxonomyRefused(f"Row {number} of {source} has {len(line):,} cells; {_MOST_COLUMNS} are allowed.")
        if any(cell.strip() for cell in line):
            yield number, line


def _known(head: Sequence[str]) -> dict[int, str]:
    """The columns that are known, by where they stand; a label's language is in lower case but for its country."""
    columns: dict[int, str] = {}
    for at, written in enumerate(head):
        name = written.strip().lower()
        before, at_sign, tag = name.partition("@")
        if at_sign and _CALLED.get(before, before) == "label":
            if (spoken := language(tag)) is not None:
                columns[at] = f"label@{spoken}"
        elif (name := _CALLED.get(name, name)) in COLUMNS:
            columns[at] = name
    return columns


def _row(number: int, line: Sequence[str], columns: Mapping[int, str], width: int) -> Row:
    where = f"row {number}"
    if any(cell.strip() for cell in line[width:]):
        raise TaxonomyRefused(
            f"Row {number} has more cells than the first row has columns: text with the sign that parts cells stands "
            "in quotes."
        )
    cells = {name: _plain(line[at].strip()) for at, name in columns.items() if at < len(line)}
    own = cells.get("node_id", "")
    its = node_id(own)
    external_ref = cells.get("external_ref", "") or ("" if its else own)
    with said_of(where):
        path = read_path(cells["path"]) if cells.get("path") else None
    return Row(
        where=where,
        label=cells.get("label", ""),
        path=path,
        own_id=own if its is None else str(its),
        parent=cells.get("parent_id", ""),
        node_id=its,
        external_ref=external_ref or None,
        definition=cells.get("definition"),
        synonyms=_entries(cells.get("synonyms", "")),
        labels={name.partition("@")[2]: text for name, text in cells.items() if text and name.startswith("label@")},
        confidence=_share(where, cells.get("confidence", "")),
        replaces=_entries(cells.get("replaces", "")),
        is_retired=_truth(where, cells.get("retired", "")),
        replaced_by=_entries(cells.get("replaced_by", "")),
        says=frozenset(columns.values()),
    )


def _share(where: str, text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError as error:
        raise TaxonomyRefused(f"The confidence in {where} is no number.") from error


def _truth(where: str, text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise TaxonomyRefused(f"The column 'retired' in {where} is '{text[:40]}': write yes, or leave it empty.")
    return text.lower() in _TRUE


def _joined(entries: Sequence[str]) -> str:
    return " | ".join(entry.replace("\\", "\\\\").replace("|", "\\|") for entry in entries)


def _entries(cell: str) -> tuple[str, ...]:
    """The entries of a cell, parted by `|` or ends of lines; `\\|` is a sign of an entry, and `\\\\` one backslash."""
    entries = [""]
    signs = iter(cell)
    for sign in signs:
        if sign in "|\n\r":
            entries.append("")
        elif sign == "\\":
            behind = next(signs, "")
            entries[-1] += behind if behind in ("|", "\\") else sign + behind
        else:
            entries[-1] += sign
    return tuple(entry.strip() for entry in entries if entry.strip())


def _shielded(text: str) -> str:
    return f"'{text}" if text.startswith(BEGINS_FORMULA) or _SHIELDED.match(text) else text


def _plain(text: str) -> str:
    return text[1:] if _SHIELDED.match(text) else text
