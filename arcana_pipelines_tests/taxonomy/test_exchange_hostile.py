"""Files that something went wrong with, or somebody made so: each is read, or refused in a sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from uuid import UUID

import pytest

from arcana_pipelines.errors import TaxonomyRefused
from arcana_pipelines.taxonomy.exchange.csv_file import read_csv, write_csv
from arcana_pipelines.taxonomy.exchange.decoding import decode
from arcana_pipelines.taxonomy.exchange.json_file import read_json, read_json_lines, write_json
from arcana_pipelines.taxonomy.exchange.lists import read_list
from arcana_pipelines.taxonomy.exchange.rows import Imported
from arcana_pipelines.taxonomy.exchange.skos import read_skos, write_skos
from arcana_pipelines.taxonomy.tree import make_tree
from arcana_pipelines_tests.taxonomy.exchange_cases import HARD

_NUMBERS = count(1)
NODES = make_tree(HARD, [], new_id=lambda: UUID(int=next(_NUMBERS))).nodes
LINES = '{"path": ["AI"]}\n{"label": "RAG", "parent_id": "1"}\n{"node_id": "1", "label": "x"}\n'
FILES: dict[str, tuple[str, Callable[[str, str], Imported]]] = {
    "csv": (write_csv(NODES), read_csv),
    "json": (write_json(NODES, {}), read_json),
    "json lines": (LINES, read_json_lines),
    "skos": (write_skos(NODES, "acme", "1.0.0"), read_skos),
    "list": ("166 - A > B\n가 > 나\n", read_list),
}  # fmt: skip
BITS = [
    b'"', b"\\", b",", b"\n", b"\x00", b"|", b"''", b"@ko", b"^^", b"[", b"{", b"}", b"null", b"1e999", b'"a":"b",',
    b"\xff\xfe", b"skos:broader ", b"true", b"-1",
    "가\u202e".encode(), "\u0301\u2028".encode(), "\U0001d4b3\ue000".encode(),
]  # fmt: skip


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The same with some bytes changed, cut out, said twice, or put in."""
    held = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(held) or 1)
        match chance.randrange(4):
            case 0:
                held[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del held[at : at + chance.randint(1, 40)]
            case 2:
                held[at:at] = held[: chance.randint(1, 80)]
            case _:
                held[at:at] = chance.choice(BITS)
    return bytes(held)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_is_read_or_refused(kind: str) -> None:
    text, read = FILES[kind]
    chance = random.Random(kind)
    refused: list[str] = []
    for _ in range(300):
        try:
            make_tree(read(decode(damaged(text.encode(), chance), "x"), "x").nodes, NODES)
        except TaxonomyRefused as error:
            refused.append(str(error))
    assert 0 < len(refused) < 300 and all(10 < len(said) < 1500 for said in refused)
