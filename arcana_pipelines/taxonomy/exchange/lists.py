"""A taxonomy as a list of paths, a line each, as Google and Shopify write theirs: `188 - Clothing > Shoes`."""

from __future__ import annotations

import re

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.rows import MOST_ROWS, Imported, Row, assemble, said_of
from arcana_pipelines.taxonomy.labels import MOST_LEVELS, clean_path

# https://www.google.com/basepages/producttype/taxonomy-with-ids.en-US.txt; Shopify's have a colon behind the id.
_WITH_ID = re.compile(r"(?P<id>\d{1,18}|gid://[^\s:]{1,200})\s+[-:]\s+(?P<path>\S.*)")


def read_list(text: str, source: str) -> Imported:
    """What a list of paths holds. A line may begin with an id, by which its node is found again in a later list.

    Raises:
        TaxonomyRefused: a line has too many levels, or an empty label. The message names it.
    """
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if len(rows) == MOST_ROWS:
            raise TaxonomyRefused(f"{source} has more than {MOST_ROWS:,} lines: a taxonomy is smaller.")
        given = _WITH_ID.fullmatch(line)
        labels = (given["path"] if given else line).split(" > ", MOST_LEVELS + 1)
        with said_of(f"line {number} of {source}"):
            path = clean_path(tuple(labels))
        rows.append(Row(f"line {number}", path=path, external_ref=given["id"] if given else None, says=frozenset()))
    return assemble(rows, source)
