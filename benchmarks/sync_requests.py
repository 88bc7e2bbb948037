"""How many requests, seconds and megabytes a sync takes, against what it should take.

    python benchmarks/sync_requests.py                # 1,000 and 10,000 pages, about ten minutes
    python benchmarks/sync_requests.py --pages 200    # a quick look; memory is not compared

Everything runs in processes of its own: the stand-in Notion server, and each sync, whose peak memory is then
its own alone. The requests are counted by the server, and what they should be is counted by a survey of the
world through plain HTTP, without any code of the product. Exit code 1: a target was missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psycopg
from machine import print_machine

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world, serve
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.properties import PropertySpec
from arcana_pipelines.testing.notion_server.world.world import DEFAULT_TOKEN

SLUG = "bench"
EDITS = (1, 10, 100)
LONG_AFTER = 3600.0  # seconds of world time between an edit and the sync: no page's edit minute is open

MOST_REQUESTS_RATIO = 1.02
MOST_NO_OP = 2
MOST_MEGABYTES = 400.0
MOST_GROWTH = 1.10

# Blocks that the Markdown endpoint does not render and that have no words either: nothing to ask for.
WORDLESS = frozenset({"ai_block", "breadcrumb", "button"})
MARKDOWN_BLOCKS = 150  # blocks that one answer renders here (Notion: 20,000), so that some pages are cut
UNKNOWN = re.compile(r'<unknown url="[^"]*?([0-9a-f]{32})" alt="([^"]*)"')


# The world


def make_world(pages: int) -> NotionWorld:
    """So many pages, a fifth of them rows of five data sources, with some of everything that costs requests."""
    few, tenth = max(1, pages // 100), pages // 10
    world = seed_world(pages - 2 * tenth - 2 * few - 6, tenth)
    world.markdown_block_limit = MARKDOWN_BLOCKS
    # Spread over the pages: one with so many children would be longer than an answer.
    above = world.visible_pages()
    _add_databases(world, above[0], tenth)
    for at in range(few):
        world.clock.advance(61)
        world.add_page(f"One of everything {at}", above[at], _one_of_everything(world, above[at]))
        page = world.add_page(f"Shares little {at}", above[at], "What stands here is shared, one page in it is not.")
        hidden = world.add_page("Not for the connection", page, "Hidden.")
        world.unshare(hidden)
    for at in range(5):
        sentences = [blocks.paragraph(f"Line {line} of the long page {at}.") for line in range(MARKDOWN_BLOCKS + 10)]
        world.add_page(f"A long page {at}", above[at], sentences)
    world.clock.advance(LONG_AFTER)
    return world


def _add_databases(world: NotionWorld, parent: str, rows: int) -> None:
    columns: dict[str, PropertySpec] = {"Company": "title", "Cost": "number"}
    companies = world.add_database("Companies", parent, columns).data_source_id
    names: list[str] = []
    for at in range(rows // 2):
        world.clock.advance(61)
        names.append(world.add_row(companies, f"Company {at}", {"Cost": at}, f"What company {at} makes."))
    schema: dict[str, PropertySpec] = {
        "Task": "title",
        "Companies": {"type": "relation", "data_source_id": companies},
        "Total": {"type": "rollup", "relation": "Companies", "property": "Cost", "function": "sum"},
        "Tags": {"type": "multi_select", "options": ["x", "y"]},
        "When": "date",
    }
    for number in range(2):
        tasks = world.add_database(f"Tasks {number}", parent, schema).data_source_id
        for at in range((rows - rows // 2) // 2):
            world.clock.advance(61)
            # Every twentieth has more relations than a page object carries, some more than one answer.
            count = 120 if at % 60 == 7 else 40 if at % 20 == 7 else 2
            chosen = [names[(at + step) % len(names)] for step in range(min(count, len(names)))]
            values = {"Companies": chosen, "Tags": ["x"], "When": "2026-02-01"}
            world.add_row(tasks, f"Task {number}-{at}", values, f"# Why\n\nBecause of {at}.\n\n- first\n- second")


def _one_of_everything(world: NotionWorld, page: str) -> list[blocks.BlockSpec]:
    text, link = blocks.paragraph("A paragraph."), "https://example.com/thing"
    return [
        text,
        blocks.paragraph([blocks.text("bold", bold=True), " ", blocks.inline_equation("e=mc^2")]),
        blocks.paragraph([blocks.mention_page(page), blocks.mention_user(world.acting_user)]),
        *(blocks.heading(f"Heading {level}", level) for level in (1, 2, 3, 4)),
        blocks.heading("Folded", 2, children=[text]),
        blocks.bulleted("Bullet", children=[blocks.bulleted("Inner", children=[text])]),
        blocks.numbered("First"),
        blocks.todo("Done", checked=True),
        blocks.toggle("Toggle", [text]),
        blocks.quote("Quote"),
        blocks.callout("Callout", children=[text]),
        blocks.code("print(1)", "python", caption="A caption"),
        blocks.equation("a^2"),
        blocks.divider(),
        blocks.breadcrumb(),
        blocks.table_of_contents(),
        blocks.table([["Name", "Size"], ["A|B", "1"]]),
        blocks.columns([[text], [text]]),
        blocks.tabs({"One": [text]}),
        blocks.synced([blocks.paragraph("Synced.")]),
        blocks.link_to_page(page),
        blocks.bookmark(link, "A bookmark"),
        blocks.embed(link),
        blocks.link_preview("https://github.com/example/example/pull/1"),
        blocks.image(hosted="photo.png", caption="A photo"),
        blocks.video("https://example.com/film.mp4"),
        blocks.audio(hosted="talk.mp3"),
        blocks.pdf("https://example.com/paper.pdf", "A paper"),
        blocks.file(hosted="data.csv"),
        blocks.meeting_notes("Weekly", notes=[text], summary=[text], transcript=[text]),
        blocks.template("Add", [blocks.todo("Task")]),
        blocks.unsupported("ai_block"),
    ]


def serve_world(pages: int) -> None:
    """Serve until standard input ends, which it does however the parent ends."""
    with serve(make_world(pages)) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


# What a sync should ask for


@dataclass
class Survey:
    """What is in the world that costs a request of its own."""

    pages: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)  # pages of one request each
    rows: list[int] = field(default_factory=list)  # of each data source
    unknown: int = 0
    continuations: int = 0

    @property
    def requests(self) -> int:
        """Of the first full sync: who am I, two searches, the queries, each page, and what it left out."""
        listings = math.ceil(len(self.pages) / 100) + math.ceil(len(self.rows) / 100)
        queries = sum(max(1, math.ceil(count / 100)) for count in self.rows)
        return 1 + listings + queries + len(self.pages) + self.unknown + self.continuations


class Stand:
    """The stand-in as this process sees it."""

    def __init__(self, base_url: str) -> None:
        headers = {"Authorization": f"Bearer {DEFAULT_TOKEN}", "Notion-Version": "2026-03-11"}
        self.base_url = base_url
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=120)

    def control(self, call: str, **args: Any) -> Any:
        """Change the world or ask the server about itself."""
        answer = self._http.post("/_control", json={"call": call, "args": args})
        answer.raise_for_status()
        return answer.json()["result"]

    def survey(self) -> Survey:
        """Read everything once. The stand-in keeps what it rendered, which takes its time out of the syncs'."""
        found = Survey()
        for source in self._all("POST", "search", filter={"property": "object", "value": "data_source"}):
            found.rows.append(len(list(self._all("POST", f"data_sources/{source['id']}/query"))))
        for page in self._all("POST", "search", filter={"property": "object", "value": "page"}):
            found.pages.append(page["id"])
            answer = self._http.get(f"/v1/pages/{page['id']}/markdown", params={"markdown_version": "v2"}).json()
            left_out = {name.replace("-", "") for name in answer["unknown_block_ids"]}
            left_out |= {name for name, alt in UNKNOWN.findall(answer["markdown"]) if alt not in WORDLESS}
            more = 0
            for value in page["properties"].values():
                if value["type"] == "relation" and value["has_more"]:
                    items = list(self._all("GET", f"pages/{page['id']}/properties/{value['id']}"))
                    more += math.ceil(len(items) / 100)
            if not left_out and not more:
                found.plain.append(page["id"])
            found.unknown += len(left_out)
            found.continuations += more
        return found

    def requests(self) -> Counter[str]:
        """The requests since `reset_log`, by kind."""
        counted: Counter[str] = Counter()
        for entry in self.control("requests"):
            path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", entry["path"].removeprefix("/v1/"))
            counted[re.sub(r"(?<=properties/).*", "…", path)] += 1
        return counted

    def _all(self, method: str, path: str, **body: Any) -> Iterator[dict[str, Any]]:
        cursor: dict[str, Any] = {}
        while True:
            given = {"page_size": 100, **body, **cursor}
            sent = {"json": given} if method == "POST" else {"params": given}
            answer = self._http.request(method, f"/v1/{path}", **sent).raise_for_status().json()  # type: ignore[arg-type]
            yield from answer["results"]
            if not answer["has_more"]:
                return
            cursor = {"start_cursor": answer["next_cursor"]}


@contextlib.contextmanager
def stand_in(pages: int) -> Iterator[Stand]:
    """A server with a world of so many pages."""
    command = [sys.executable, __file__, "--serve", str(pages)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin and server.stdout
    try:
        yield Stand(server.stdout.readline().strip())
    finally:
        server.stdin.close()
        server.wait(30)
        server.stdout.close()


# The syncs, each in a process of its own


def run_stages() -> None:
    """The five stages as the assets call them, without Dagster; prints seconds and the peak after each."""
    from arcana_pipelines.db.engine import Database
    from arcana_pipelines.pipeline import sync
    from arcana_pipelines.pipeline.purpose import Purpose
    from arcana_pipelines.pipeline.session import workspace_session
    from arcana_pipelines.settings import load_settings
    from arcana_pipelines.sources.notion import source as _loaded  # noqa: F401 - a sync opens it late

    marks = [("opened", time.monotonic(), peak_megabytes())]

    def mark(stage: str) -> None:
        marks.append((stage, time.monotonic(), peak_megabytes()))

    with workspace_session(Database(load_settings()), SLUG) as session:
        sync.read_pages(session, sync.SyncRequest())
        mark("pages")
        sync.make_contents(session)
        mark("contents")
        sync.cut_chunks(session, Purpose.SYNC)
        mark("chunks")
        sync.embed_chunks(session, Purpose.SYNC)
        mark("embeddings")
        sync.publish_indexes(session, Purpose.SYNC)
        mark("publish")
    stages = {
        name: {"seconds": after - before, "megabytes": megabytes}
        for (_, before, _), (name, after, megabytes) in pairwise(marks)
    }
    print(json.dumps({"seconds": marks[-1][1] - marks[0][1], "megabytes": peak_megabytes(), "stages": stages}))


def run_command(arguments: list[str]) -> None:
    """`arcana`, in this process; prints its peak behind what it printed."""
    from arcana_pipelines.cli.main import main

    started = time.monotonic()
    try:
        main(arguments)
    except SystemExit as ended:
        if ended.code:
            raise
    print(json.dumps({"seconds": time.monotonic() - started, "megabytes": peak_megabytes()}))


def peak_megabytes() -> float:
    """The most memory this process ever had resident (VmHWM: unlike ru_maxrss it knows no parent)."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


@dataclass
class Home:
    """An installation in a temporary folder."""

    folder: Path
    stand: Stand

    def child(self, *arguments: str) -> dict[str, Any]:
        """Run this file with these arguments and return the last line it prints."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "ARCANA_HOME": str(self.folder),
            "NOTION_TOKEN": DEFAULT_TOKEN,
            "NOTION_BASE_URL": self.stand.base_url,
            "NOTION_REQUESTS_PER_MINUTE": "0",
            "EMBEDDING_PROVIDER": "local-small",
        }
        done = subprocess.run(
            [sys.executable, __file__, *arguments],
            env=environment, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def sync(self, *arguments: str) -> dict[str, Any]:
        """A child that syncs, with its requests."""
        self.stand.control("reset_log")
        measured = self.child(*arguments)
        measured["kinds"] = self.stand.requests()
        measured["requests"] = measured["kinds"].total()
        return measured

    def query(self, statement: str) -> Any:
        """The first value of the first row."""
        with psycopg.connect(lease.server_url(self.folder)) as connection:
            row = connection.execute(statement).fetchone()
        assert row is not None
        return row[0]


@contextlib.contextmanager
def installation(stand: Stand) -> Iterator[Home]:
    """A new one with its own PostgreSQL, in which the workspace is registered."""
    folder = Path(tempfile.mkdtemp(prefix="arcana-bench-"))
    try:
        lease.acquire_lease(folder)
        home = Home(folder, stand)
        home.child("--command", "workspace", "add", SLUG, "--source", "notion", "--json")
        yield home
    finally:
        lease.release_lease(folder)
        lease.wait_until_stopped(folder)
        shutil.rmtree(folder, ignore_errors=True)


# The report


@dataclass
class Report:
    """Lines of a table, and which targets were missed."""

    missed: list[str] = field(default_factory=list)

    def line(self, name: str, value: str, target: str = "", met: bool = True) -> None:
        """One figure; `met` says whether it is where it should be."""
        verdict = "" if not target else "ok" if met else "MISSED"
        print(f"  {name:<44}{value:>28}  {target:<12}{verdict}", flush=True)
        if not met:
            self.missed.append(name)


def measure(pages: int, report: Report, with_command: bool) -> dict[str, float]:
    """All figures for one size of world; returns the peaks by kind of run."""
    print(f"\n{pages:,} pages", flush=True)
    peaks: dict[str, float] = {}
    with stand_in(pages) as stand:
        survey = stand.survey()
        rows = sum(survey.rows)
        report.line("pages / rows among them / data sources", f"{len(survey.pages):,} / {rows:,} / {len(survey.rows)}")
        report.line("unknown ids / property continuations", f"{survey.unknown:,} / {survey.continuations:,}")
        with installation(stand) as home:
            peaks["stages"] = _measure_stages(home, survey, report)
        if with_command:
            with installation(stand) as home:
                peaks["arcana sync"] = _measure_command(home, report)
    return peaks


def _measure_stages(home: Home, survey: Survey, report: Report) -> float:
    full = home.sync("--stages")
    ratio = full["requests"] / survey.requests
    report.line("requests of the first sync / formula", f"{full['requests']:,} / {survey.requests:,}")
    report.line("  ratio", f"{ratio:.4f}", f"<= {MOST_REQUESTS_RATIO}", ratio <= MOST_REQUESTS_RATIO)
    for kind, count in full["kinds"].most_common():
        report.line(f"  {kind}", f"{count:,}")
    _seconds(report, "first sync, stages alone", full["seconds"], len(survey.pages))
    for stage, measured in full["stages"].items():
        report.line(f"  {stage}", f"{measured['seconds']:.1f} s, {measured['megabytes']:.0f} MB so far")
    _memory(report, "peak memory, stages alone", full["megabytes"])
    chunks = home.query("SELECT count(*) FROM document_chunk WHERE deleted_at IS NULL")
    size = home.query("SELECT pg_database_size(current_database())")
    report.line("chunks / size of the database", f"{chunks:,} / {size / 2**20:,.0f} MB")
    _no_op(home, report)
    for count in EDITS:
        _edit(home.stand, survey, count)
        measured = home.sync("--stages")
        # A listing ends at the first page that is no news, a hundred pages an answer; then comes the trash.
        most = count + math.ceil((count + 1) / 100) + 1
        requests = measured["requests"]
        report.line(f"requests after {count} edits", f"{requests}", f"<= {most}", requests <= most)
        _seconds(report, f"  sync of {count} edits", measured["seconds"], count)
    _no_op(home, report)
    return float(full["megabytes"])


def _no_op(home: Home, report: Report) -> None:
    measured = home.sync("--stages")
    requests = measured["requests"]
    report.line("requests of a sync without news", f"{requests}", f"<= {MOST_NO_OP}", requests <= MOST_NO_OP)
    report.line("  its time and peak", f"{measured['seconds']:.2f} s, {measured['megabytes']:.0f} MB")


def _edit(stand: Stand, survey: Survey, count: int) -> None:
    """Edit so many pages within a minute, and let the minute pass."""
    step = max(1, len(survey.plain) // count)
    for at in range(count):
        page = survey.plain[at * step % len(survey.plain)]
        stand.control("append_blocks", parent_id=page, blocks=f"Edit {at} of {count}.")
    stand.control("clock_advance", seconds=LONG_AFTER)


def _measure_command(home: Home, report: Report) -> float:
    full = home.sync("--command", "sync", SLUG, "--json")
    pages = home.query("SELECT count(*) FROM document WHERE deleted_at IS NULL")
    _seconds(report, "first `arcana sync`", full["seconds"], pages)
    _memory(report, "peak memory, `arcana sync`", full["megabytes"])
    idle = home.sync("--command", "sync", SLUG, "--json")
    report.line("`arcana sync` without news", f"{idle['seconds']:.1f} s, {idle['megabytes']:.0f} MB")
    return float(full["megabytes"])


def _seconds(report: Report, name: str, seconds: float, pages: int) -> None:
    report.line(name, f"{seconds:.1f} s, {pages / seconds:,.0f} pages/s")


def _memory(report: Report, name: str, megabytes: float) -> None:
    report.line(name, f"{megabytes:.0f} MB", f"< {MOST_MEGABYTES:.0f} MB", megabytes < MOST_MEGABYTES)


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[1_000, 10_000], help="sizes of worlds (%(default)s)")
    parser.add_argument("--without-command", action="store_true", help="leave `arcana sync` out")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--stages", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        return serve_world(given.serve)
    if given.stages:
        return run_stages()
    if given.command:
        return run_command(given.command)
    print_machine()
    report = Report()
    peaks = {pages: measure(pages, report, not given.without_command) for pages in given.pages}
    if len(peaks) > 1:
        least, most = min(peaks), max(peaks)
        print(f"\n{least:,} -> {most:,} pages")
        for name in peaks[least]:
            growth = peaks[most][name] / peaks[least][name]
            report.line(f"growth of peak memory, {name}", f"{growth:.2f}", f"<= {MOST_GROWTH}", growth <= MOST_GROWTH)
    print(f"\nMissed: {', '.join(report.missed)}" if report.missed else "\nAll targets are met.")
    sys.exit(bool(report.missed))


if __name__ == "__main__":
    main()
