"""Which format a file is in, by the end of its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.csv_file import read_csv, write_csv
from arcana_pipelines.taxonomy.exchange.decoding import decode
from arcana_pipelines.taxonomy.exchange.json_file import read_json, read_json_lines, write_json
from arcana_pipelines.taxonomy.exchange.lists import read_list
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.exchange.skos import read_skos, write_skos
from arcana_pipelines.taxonomy.nodes import Node

LARGEST = 64 * 2**20  # bytes: 100,000 nodes with 600 each
FORMATS = ("csv", "json", "skos")
_ENDS = {
    ".csv": read_csv, ".tsv": read_csv, ".json": read_json, ".jsonl": read_json_lines, ".ndjson": read_json_lines,
    ".txt": read_list,
}  # fmt: skip
_INSTEAD = {
    ".xlsx": "save the sheet as 'CSV UTF-8'", ".xls": "save the sheet as 'CSV UTF-8'",
    ".rdf": "write it as Turtle (.ttl)", ".xml": "write it as Turtle (.ttl)", ".owl": "write it as Turtle (.ttl)",
    ".jsonld": "write it as Turtle (.ttl)", ".nt": "write it as Turtle (.ttl)",
}  # fmt: skip


def read_file(file: Path, spoken: str | None = None) -> Imported:
    """What a file says of a taxonomy: .csv, .tsv, .json, .jsonl, .ttl (SKOS), or .txt with a path a line.

    Args:
        file: it is read whole.
        spoken: of SKOS, the language whose labels are the nodes' own.

    Raises:
        TaxonomyRefused: it cannot be read as that.
        OSError: it cannot be read at all.
    """
    end = file.suffix.lower()
    if end not in (*_ENDS, ".ttl"):
        said = _INSTEAD.get(end, "its name ends in .csv, .tsv, .json, .jsonl, .ttl (SKOS) or .txt (a path a line)")
        raise TaxonomyRefused(f"{file.name} is not read as it is: {said}.")
    with file.open("rb") as opened:
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise TaxonomyRefused(f"{file.name} is larger than {LARGEST // 2**20} MiB: a taxonomy is smaller.")
    text = decode(data, file.name)
    return read_skos(text, file.name, spoken) if end == ".ttl" else _ENDS[end](text, file.name)


def written(kind: str, nodes: Sequence[Node], workspace: str, version: str) -> str:
    """The nodes of a version in one of `FORMATS`. An import of it changes nothing.

    Args:
        kind: the format.
        nodes: each behind its parent.
        workspace: the slug of the workspace that they are of.
        version: theirs.
    """
    if kind == "csv":
        return write_csv(nodes)
    if kind == "json":
        return write_json(nodes, {"workspace": workspace, "version": version})
    return write_skos(nodes, workspace, version)
