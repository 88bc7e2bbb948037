"""How many texts an edit has embedded anew and how many chunks it writes, against how many it should.

    python benchmarks/chunk_edits.py [--words 50] [--edits 100] [--seed 1]

A stand-in Notion server shows two pages of 300 blocks: a handbook with headings, lists, tables and code, and a
text of paragraphs alone; and a database. Each edit is made in that world and synced by the stages of a real run,
with the small model, into an embedded PostgreSQL in a temporary folder; what is counted is what the stages
`chunk_embeddings` and `rag_indexes` report, and what the write-ahead log grows by in the whole sync. Then one page is
edited many times, what the tables grow by is told, and a search of the past looks for each version. Exit code 1: a
target was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import print_machine
from own_server import own_server

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.notion_server import NotionWorld, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.objects import Block
from arcana_pipelines_tests.harness import Harness

BLOCKS = 300
# Where no heading says where to cut, a boundary is drawn by some of the words, and changing one of those moves it.
MOST_MEAN_WITHOUT_HEADINGS = 1.05

WORDS = (
    "the of and to a in for is on that by with as it from are be or an which at this have not was can will one all "
    "battery robot policy holiday invoice request index search access deploy backup review audit team ticket week "
    "배터리 로봇은 로봇을 휴가 정책은 청구서 요청을 색인 검색 권한 배포 백업을 검토 감사 팀의 티켓 한 주에"
)
_VOCABULARY = WORDS.split()


class Edits:
    """A synced world and the edits made in it."""

    def __init__(self, acme: Harness, rng: random.Random) -> None:
        self.acme, self.world, self.rng = acme, acme.world, rng
        self.missed = 0
        root = self.world.add_page("Company")
        self.other = self.world.add_page("Archive", root)
        self.handbook = self.world.add_page("Handbook", root, self._handbook())
        self.text = self.world.add_page("Text", root, [blocks.paragraph(self._sentences()) for _ in range(BLOCKS)])
        source = self.world.add_database("Tasks", root, {"Task": "title", "State": "rich_text", "Owner": "rich_text"})
        row = [blocks.paragraph(self._sentences()) for _ in range(40)]
        self.row = self.world.add_row(source.data_source_id, "Robot", {"State": "open", "Owner": "Kim"}, row)
        print(f"first sync: {self.embedded()} texts embedded\n")
        print(f"  {'embedded':>64}{'target':>12}{'published':>14}{'retired':>9}{'WAL kB':>9}")

    def embedded(self) -> int:
        """Sync, and say how many texts were embedded."""
        self.acme.settle()
        ((before,),) = self.acme.rows("SELECT pg_current_wal_insert_lsn()")
        report = self.acme.sync()
        ((written,),) = self.acme.rows("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", before)
        self.wrote = f"{report['chunks']['published']:>10}{report['chunks']['retired']:>9}{int(written) / 1000:>9.0f}"
        return int(report["embeddings"]["computed"])

    def line(self, what: str, needed: float, target: float, wrote: str = "") -> None:
        """One figure; `target` is the most it should be."""
        self.missed += needed > target
        verdict = "ok" if needed <= target else "MISSED"
        print(f"  {what:<58}{needed:>6g}   <= {target:<6g}{verdict:<6}{wrote}", flush=True)

    def one(self, what: str, target: int, edit: Callable[[], object]) -> None:
        """An edit and its sync."""
        edit()
        self.line(what, self.embedded(), target, self.wrote)

    def change_word(self, page: str, at: int | None = None) -> None:
        """Change one word of a block, any block unless it is said. Headings stand before all that is below them."""
        texts = [block for block in self._blocks(page) if not block.type.startswith("heading")]
        texts = [block for block in texts if re.search(r"\w", self._text(block))]
        block = self.rng.choice(texts) if at is None else texts[at]
        text = self._text(block)
        found = self.rng.choice(list(re.finditer(r"\w+", text)))
        word = self.rng.choice([word for word in _VOCABULARY if word != found[0]])
        self.world.set_block_text(block.id, f"{text[: found.start()]}{word}{text[found.end() :]}")

    def change_often(self, page: str, times: int) -> None:
        """Edit a page so often, tell what each table has grown by after VACUUM, and look for each version."""
        text = next(block for block in self._blocks(page)[100:] if block.type == "paragraph")
        sizes, seen = self._sizes(), []
        for number in range(times):
            self.world.set_block_text(text.id, f"The zebra was seen {number} times. {self._sentence(5, 20)}")
            self.embedded()
            seen += [(time, f"seen {number} times") for (time,) in self.acme.rows("SELECT clock_timestamp()")]
        for name, size in self._sizes().items():
            if size > sizes.get(name, 0):
                print(f"    {name:<40}{sizes.get(name, 0) / 1000:>10.0f} kB + {(size - sizes.get(name, 0)) / 1000:.0f}")
        with self.acme.database.connection() as connection:
            workspace_id = workspace_named(connection, self.acme.slug)
            searcher = ConnectionSearcher(connection, self.acme.database.settings, workspace_id)
            found = [searcher.search(SearchRequest("zebra", 1, as_of=time)).hits[0].text for time, _ in seen]
        wrong = sum(said not in text for (_, said), text in zip(seen, found, strict=True))
        self.line(f"  versions of {times} that a search of the past does not find", wrong, 0)

    def _sizes(self) -> dict[str, int]:
        with self.acme.superuser() as connection:
            connection.execute("VACUUM")
            return dict(
                connection.execute(
                    "SELECT relname::text, pg_total_relation_size(oid) FROM pg_class "
                    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                ).fetchall()
            )

    def change_words(self, page: str, times: int) -> Counter[int]:
        """So many changes of one word, each synced: how often how many texts were embedded."""
        needed: Counter[int] = Counter()
        for _ in range(times):
            self.change_word(page)
            needed[self.embedded()] += 1
        return needed

    def colour(self, page: str) -> None:
        """Change the colour of a paragraph."""
        block = next(block for block in self._blocks(page) if block.type == "paragraph")
        block.payload["color"] = "red"
        self.world.touch(block, self.world.acting_user)

    def _blocks(self, page: str) -> list[Block]:
        found = [self.world.nodes[child] for child in self.world.nodes[page].children]
        return [block for block in found if isinstance(block, Block)]

    def _text(self, block: Block) -> str:
        return "".join(piece["text"]["content"] for piece in block.payload.get("rich_text", []))

    def _sentences(self) -> str:
        return " ".join(self._sentence(5, 20) for _ in range(self.rng.randint(1, 3)))

    def _sentence(self, least: int, most: int) -> str:
        return f"{' '.join(self.rng.choices(_VOCABULARY, k=self.rng.randint(least, most)))}."

    def _handbook(self) -> list[blocks.BlockSpec]:
        made: list[blocks.BlockSpec] = [blocks.image(hosted="plan.png", caption="The plan")]
        while len(made) < BLOCKS:
            made.append(blocks.heading(self._sentence(1, 4), self.rng.randint(1, 3)))
            for _ in range(self.rng.randint(1, 5)):
                made.append(blocks.paragraph(self._sentences()))
            kind = self.rng.randrange(4)
            if kind == 0:
                made += [blocks.bulleted(self._sentence(2, 9)) for _ in range(self.rng.randint(2, 7))]
            elif kind == 1:
                made.append(blocks.code("\n".join(f"{self.rng.choice(_VOCABULARY)}(1)" for _ in range(5)), "python"))
            elif kind == 2:
                made.append(blocks.table([["Part", "Price"], *([self._sentence(1, 4), "1"] for _ in range(4))]))
        return made[:BLOCKS]


def measure(edits: Edits, words: int, often: int) -> None:
    """All kinds of edit, one after the other in the same world."""
    world, handbook = edits.world, edits.handbook
    edits.one("one word in a 300-block page", 1, lambda: edits.change_word(handbook, 150))
    needed = edits.change_words(handbook, words)
    edits.line(f"  the most of {words} random words", max(needed), 1)
    needed = edits.change_words(edits.text, words)
    mean = sum(number * times for number, times in needed.items()) / words
    edits.line(f"  300 paragraphs without a heading: mean of {words} words", mean, MOST_MEAN_WITHOUT_HEADINGS)
    edits.line("    the most", max(needed), 2)
    for page, where in ((handbook, ""), (edits.text, ", without a heading")):
        top = [blocks.paragraph("A new first paragraph, which says what is new.")]
        edits.one(f"a paragraph at the top{where}", 2, lambda page=page, top=top: world.insert_blocks_at_top(page, top))
        end = [blocks.paragraph("A new last paragraph, which says what is old.")]
        edits.one(f"a paragraph at the end{where}", 2, lambda page=page, end=end: world.append_blocks(page, end))
    edits.one("a page moved", 0, lambda: world.move(handbook, edits.other))
    edits.one("a page trashed", 0, lambda: world.trash(handbook))
    edits.one("and restored", 0, lambda: world.restore(handbook))
    edits.one("new signed addresses of files", 0, lambda: world.edit_page(handbook))
    edits.one("a changed colour", 0, lambda: edits.colour(handbook))
    edits.one("a property of a row changed", 1, lambda: world.set_property(edits.row, "State", "done"))
    print(f"\n  {often} edits of one page:")
    edits.change_often(handbook, often)


@contextlib.contextmanager
def synced_world(seed: int) -> Iterator[Edits]:
    """A world in a workspace of its own, on an embedded server of our own."""
    with own_server() as (home, url):
        database = Database(Settings(arcana_home=home, database_url=url, notion_requests_per_minute=0))
        schema.upgrade(database)
        world = NotionWorld()
        with serve(world) as server:
            yield Edits(Harness.register(database, world, server, "bench"), random.Random(seed))
        database.close()


def main() -> int:
    """Run and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=50, help="random words to change, one a sync (%(default)s)")
    parser.add_argument("--edits", type=int, default=100, help="edits of one page (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print_machine()
    with synced_world(given.seed) as edits:
        measure(edits, given.words, given.edits)
    return 1 if edits.missed else 0


if __name__ == "__main__":
    sys.exit(main())
