"""What may not be imported by each door of the command line: every start would pay for it."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module

import click
import pytest

from arcana_pipelines.cli.main import _COMMANDS, cli
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.file_rules import FileRules
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines_tests.harness import Harness

DAGSTER = "dagster"
HEAVY = {DAGSTER, "sqlalchemy", "alembic", "numpy", "wordllama", "tokenizers", "urllib3", "pandas", "openai"}
# What reads pages and files, cuts them, and finds what is near: nobody needs it who has nothing new.
OF_NEWS = {
    "rapidfuzz",
    "arcana_pipelines.chunking.chunker",
    "arcana_pipelines.documents.contents",
    "arcana_pipelines.classification.nearest",
    "arcana_pipelines.files.parsing.run",
    "arcana_pipelines.files.text",
    "arcana_pipelines.markdown.normalise",
    "arcana_pipelines.pipeline.cutting",
    "arcana_pipelines.taxonomy.drafts",
}
# What a search without filters has no use for.
OF_SOME_SEARCHES = {
    "arcana_pipelines.cli.database_changes",
    "arcana_pipelines.documents.values",
    "arcana_pipelines.retrieval.conditions",
    "arcana_pipelines.retrieval.places",
    "arcana_pipelines.retrieval.whole_document",
    "arcana_pipelines.taxonomy",
}
# Beside those, what needs no database and no settings does without them.
ALL = HEAVY | {"psycopg", "pydantic", "rich"}

_RUN = """
import sys
from arcana_pipelines.cli.main import main
try:
    main(sys.argv[2:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
print("\\n" + ",".join(sorted(set(sys.argv[1].split(",")) & set(sys.modules))))
"""


def imported(forbidden: set[str], *arguments: str) -> str:
    """Those of the modules that a command has imported when it ends."""
    code = [sys.executable, "-c", _RUN, ",".join(forbidden), *arguments]
    return subprocess.run(code, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-v", "--help"]])
def test_what_says_how_to_use_it_needs_nothing_but_click(arguments: list[str]) -> None:
    assert imported(ALL, *arguments) == ""


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    with click.Context(cli) as context:
        assert cli.list_commands(context) == list(_COMMANDS)  # type: ignore[attr-defined]
    for name, said in _COMMANDS.items():
        own = import_module(f"arcana_pipelines.cli.commands.{name}").command.help
        assert said == " ".join(inspect.cleandoc(own).split("\n\n")[0].split())


@pytest.mark.slow
def test_status_needs_neither_dagster_nor_numpy_nor_what_reads_news(
    acme: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
    acme.sync()
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    not_needed = (
        HEAVY | OF_NEWS | {"arcana_pipelines.cli.database_changes", "arcana_pipelines.tickets.summaries.prompt"}
    )
    assert imported(not_needed, "status") == ""
    assert imported(not_needed, "status", "acme", "--json") == ""


@pytest.mark.slow
def test_a_sync_without_news_needs_neither_dagster_nor_what_reads_news(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.files = FileRules()
    acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
    acme.settle()
    acme.sync()
    assert acme.database.settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", acme.database.settings.database_url.get_secret_value())
    monkeypatch.setenv("NOTION_TOKEN", acme.world.token)
    monkeypatch.setenv("NOTION_BASE_URL", acme.server.base_url)
    of_estimates = {"arcana_pipelines.pipeline.chunk_embeddings.estimate"}
    assert imported((HEAVY - {"urllib3"}) | OF_NEWS | of_estimates, "sync", "acme") == ""
    assert acme.rows("SELECT max(generation) FROM sync_generation WHERE finished_at IS NOT NULL") == [(2,)]


@pytest.mark.slow
def test_a_search_with_the_small_model_needs_no_library_and_nothing_of_other_searches(
    acme: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.world.add_page("Harbour", blocks=[blocks.paragraph("A grey heron.")])
    acme.sync()
    assert acme.database.settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", acme.database.settings.database_url.get_secret_value())
    assert imported(HEAVY | OF_NEWS | OF_SOME_SEARCHES, "search", "acme", "heron") == ""
