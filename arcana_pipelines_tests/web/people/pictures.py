"""Makes the pictures of the page in docs/images: `python -m arcana_pipelines_tests.web.people.pictures`.

It takes some minutes, most of them for the embeddings, and needs Chromium, fonts with Hangul and emoji, and the weights
of the multilingual model.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from arcana_pipelines.alerts.causes import find_causes
from arcana_pipelines.alerts.records import record
from arcana_pipelines.alerts.severity import OF_OUR_ROWS
from arcana_pipelines.cli.commands.up import DEMO_SOURCE
from arcana_pipelines.cli.sample_taxonomy import add_sample_taxonomy
from arcana_pipelines.db.engine import Database
from arcana_pipelines.settings import load_settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.people.chromium import Tab, browser

IMAGES = Path(__file__).parents[3] / "docs" / "images"
WIDE = (1200, 860)


def main() -> None:
    """Make them all."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ARCANA_HOME"] = f"{folder}/home"
        _fill(Path(folder))
        granted = [f"--scope={scope}" for scope in ("search", "read", "feedback", "review", "admin")]
        key = json.loads(_arcana("key", "create", "--company", "default", *granted, "--json"))["key"]
        with _served() as url, browser() as tab:
            _take(tab, url, key)


def _fill(folder: Path) -> None:
    """The sample handbook, and a workspace that something is the matter with."""
    _arcana("config", "init")
    _arcana("workspace", "add", "handbook", "--source", "notion-export", "--path", str(DEMO_SOURCE),
            "--name", "Haneul Robotics Handbook")  # fmt: skip
    _arcana("sync", "handbook")
    with closing(Database(load_settings())) as database, database.connection() as connection:
        add_sample_taxonomy(connection, workspaces.find(connection, "handbook"))
    _arcana("sync", "handbook", "--mode", "full")
    wiki = folder / "wiki"
    wiki.mkdir()
    pages = [wiki / f"제품 {number} {number:032x}.md" for number in range(1, 81)]
    for number, page in enumerate(pages, start=1):
        page.write_text(f"# 제품 {number}\n\n제품 {number}의 설명서입니다.\n", encoding="utf-8")
    os.environ["EMBEDDING_PROVIDER"] = "local-small"
    _arcana("workspace", "add", "products", "--source", "notion-export", "--path", str(wiki), "--name", "제품 위키")
    del os.environ["EMBEDDING_PROVIDER"]
    _arcana("sync", "products")
    for page in pages[:64]:
        page.unlink()
    for _ in range(2):
        _arcana("sync", "products", "--mode", "full", codes=(0, 3))
    with closing(Database(load_settings())) as database, database.connection() as connection:
        record(connection, find_causes(connection, None, []), OF_OUR_ROWS, 30)


def _arcana(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run([sys.executable, "-m", "arcana_pipelines.cli", *arguments], capture_output=True, text=True)
    assert done.returncode in codes, done.stdout + done.stderr
    return done.stdout


@contextmanager
def _served() -> Iterator[str]:
    command: list[Any] = [sys.executable, "-m", "arcana_pipelines.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        found = re.search(r"(http://\S+)/v1", server.stderr.readline())
        assert found is not None
        try:
            yield found[1]
        finally:
            server.terminate()


def _take(tab: Tab, url: str, key: str) -> None:
    tab.ask("Emulation.setScrollbarsHidden", hidden=True)
    tab.size(*WIDE)
    tab.go(f"{url}/log-in")
    tab.wait("document.activeElement.id === 'key'")
    tab.type(key)
    tab.press("Enter")
    tab.wait("document.activeElement.id === 'query'")

    def show(query: str, more: str = "") -> None:
        tab.go(f"{url}/?workspace=handbook&query={quote(query)}{more}")

    show("How many vacation days carry over?")
    tab.picture(IMAGES / "page-search.png")
    show("How many days may I be away?", "&topic=People")
    tab.picture(IMAGES / "page-topics.png")
    tab.go(f"{url}/review?workspace=handbook")
    tab.picture(IMAGES / "page-review.png")
    show("swollen battery")
    while tab.run("document.activeElement.tagName") != "SUMMARY":
        tab.press("Tab")
    tab.press("Enter")
    tab.press("Tab")
    tab.picture(IMAGES / "page-keyboard.png")
    show("부풀어 오른 배터리", "&lang=ko")
    tab.picture(IMAGES / "page-korean.png")
    tab.size(1200, 960)
    tab.go(f"{url}/state?lang=en")
    tab.picture(IMAGES / "page-state.png")
    tab.size(400, 860, scale=2, dark=True)
    show("How many vacation days carry over?")
    tab.picture(IMAGES / "page-narrow.png")
    tab.go(f"{url}/review?workspace=handbook&lang=ko")
    tab.picture(IMAGES / "page-review-narrow.png")


if __name__ == "__main__":
    main()
