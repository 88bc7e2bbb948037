"""A plug-in's parts are used as ours are, and what is wrong with one is said."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from arcana_pipelines import plugins
from arcana_pipelines.alerts.check import check
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.db.engine import Database
from arcana_pipelines.documents.contents import user_id_of
from arcana_pipelines.embedding.catalogue import Model, model_named
from arcana_pipelines.embedding.registry import model_of, probe
from arcana_pipelines.errors import ArcanaError, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.ledger import generations
from arcana_pipelines.operations.embedding_provider import embedder_problem
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.document_content import process_contents
from arcana_pipelines.pipeline.source_pages import sync_pages
from arcana_pipelines.retrieval.searcher import Searcher
from arcana_pipelines.settings import Settings, load_settings
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import open_source, out_of_reach, platform_named
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.conformance.conftest import PLUGIN


def test_its_names_are_values_of_the_settings(plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_PROVIDER", "words")
    monkeypatch.setenv("RERANKER", "shared-words")
    settings = load_settings()
    assert model_of(settings) == ("word-counts", 32)
    probe(settings, *model_of(settings))


def test_without_it_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_PROVIDER", "words")
    with pytest.raises(WrongUse, match="EMBEDDING_PROVIDER: must be 'local' or 'local-small' or 'onnx' or 'openai'"):
        load_settings()
    monkeypatch.delenv("EMBEDDING_PROVIDER")
    assert platform_named("ticket_desk") is None
    said = out_of_reach("ticket_desk", {})
    assert said is not None and said.startswith("The platform 'ticket_desk' is not installed. Install the plug-in")
    with pytest.raises(WrongUse, match=r"'desk': The platform 'ticket_desk' is not installed\. Install the plug-in"):
        open_source("ticket_desk", {}, None, "desk", Database(Settings()))
    assert model_named("word-counts") == Model(name="word-counts")


def test_its_source_has_an_option_of_its_name(plugin: None, tickets: Path) -> None:
    from arcana_pipelines.cli.commands.workspace import _platform, _source_options

    source = _platform(None, None, "ticket-desk")  # type: ignore[arg-type]
    assert _source_options("desk", source, None, tickets, {}) == ({"path": str(tickets)}, None)
    with pytest.raises(WrongUse, match="needs --path: the file of tickets"):
        _source_options("desk", source, None, None, {})


def test_a_source_without_trash_and_containers_is_listed_read_and_loses_pages(
    plugin: None, tickets: Path, database: Database
) -> None:
    _register_desk(database, tickets)

    def synced() -> tuple[int, int, int, bool]:
        with database.connection() as connection:
            workspace = workspaces.find(connection, "desk")
            source = open_source("ticket_desk", workspace.source_config, None, "desk", database)
            report = sync_pages(connection, workspace, source, Mode.INCREMENTAL)
            generation = generations.current(connection, workspace.workspace_id)
            assert generation is not None
            return report.listed, report.fetched, report.removed, report.listing_complete

    assert synced() == (3, 3, 0, True)
    assert synced() == (3, 0, 0, True)
    tickets.write_text(_without_first(tickets.read_text()))
    assert synced() == (2, 0, 1, True)


def test_who_edited_its_pages_is_known_by_the_ids_that_it_gives(
    plugin: None, tickets: Path, database: Database
) -> None:
    _register_desk(database, tickets)
    with database.connection() as connection:
        workspace = workspaces.find(connection, "desk")
        source = open_source("ticket_desk", workspace.source_config, None, "desk", database)
        sync_pages(connection, workspace, source, Mode.FULL)
        generation = generations.current(connection, workspace.workspace_id)
        assert generation is not None
        process_contents(connection, generation)
        editors = connection.execute("SELECT contents->>'external_id', user_id FROM document_content ORDER BY 1")
        assert editors.fetchall() == [
            ("T-1", user_id_of("ticket_desk", "kim@desk.example")),
            ("T-2", None),
            ("T-3", None),
        ]


@pytest.mark.parametrize(
    ("left", "named"),
    [
        ({}, ["'word-counts'", "No installed plug-in brings", "install it again", "OPENAI_API_KEY"]),
        (
            {("model", "word-counts"): Model(name="word-counts", provider="words", dimensions=32)},
            ["'word-counts'", "'words', which is not installed", "Install the plug-in"],
        ),
    ],
    ids=["model gone", "provider gone"],
)
def test_where_the_model_of_an_index_went_with_its_plugin_search_doctor_and_the_alert_say_so(
    left: dict[tuple[str, str], Model],
    named: list[str],
    tickets: Path,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plugins, "_all_installed", lambda: left)
    _register_desk(database, tickets)
    with pytest.raises(ArcanaError) as refused, Searcher("desk", database=database) as searcher:
        searcher.search("heating")
    with click.Context(doctor.command):
        ((name, ok, detail),) = doctor._models(database)
    assert (name, ok) == ("model word-counts", False) and detail.startswith("default of desk: ")
    with database.connection() as connection:
        alert = embedder_problem(connection, database.settings)
    assert alert is not None
    for said in (str(refused.value), detail, alert):
        assert [word for word in named if word not in said] == []


def test_where_a_source_went_with_its_plugin_a_monitor_is_not_told_to_give_another_path(
    tickets: Path, database: Database
) -> None:
    _register_desk(database, tickets)
    with database.connection() as connection:
        (cause,) = check(connection, None, [])
    assert "'ticket_desk' is not installed" in cause.detail
    assert cause.next_step.startswith("install the plug-in") and "--path" not in cause.next_step


def test_ours_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    false = Model(name="text-embedding-3-small", dimensions=1)
    monkeypatch.setattr(plugins, "_all_installed", lambda: {("model", false.name): false})
    assert model_named(false.name).dimensions == 1536


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("broken = a_module_that_is_not_there:PARTS", "'broken' (a_module_that_is_not_there:PARTS) of guest 1.0"),
        ("number = math:pi", "brings a float"),
        ("one = ticket_desk:PARTS", "brought by two plug-ins"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said(
    plugin: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, points: str, said: str
) -> None:
    folder = tmp_path / "guest-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{points}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(WrongUse) as refused:
        platform_named("anything")
    assert said in str(refused.value)


def test_a_source_that_nobody_has_is_refused_with_those_there_are(plugin: None) -> None:
    from arcana_pipelines.cli.commands.workspace import command

    done = CliRunner().invoke(command, ["add", "acme", "--source", "confluence"])
    assert done.exit_code == 2
    assert (
        "'confluence' is not one of 'notion', 'notion-export', 'freshdesk', 'sample-helpdesk', 'ticket-desk'."
        in done.output
    )


def test_an_installation_without_unknown_names_looks_for_no_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(group: str) -> None:
        raise AssertionError("plug-ins were looked for")

    plugins._all_installed.cache_clear()
    monkeypatch.setattr(plugins, "entry_points", never)
    assert platform_named("notion") is not None
    assert model_of(Settings()) == ("wordllama-l2-supercat", 256)


def _register_desk(database: Database, tickets: Path) -> None:
    index = IndexSettings("word-counts", 32, ChunkerSettings())
    registration.register(
        database, "desk", "ticket_desk", index, lambda _: None, lambda _: None, source_config={"path": str(tickets)}
    )


def _without_first(text: str) -> str:
    import json

    return json.dumps(dict(list(json.loads(text).items())[1:]))


@pytest.mark.slow
def test_the_examples_of_the_docs_run_as_they_stand(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
    (suite,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "test_tickets.py" in block]
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "test_tickets.py").write_text(suite, encoding="utf-8")
    shutil.copy(PLUGIN / "ticket_desk.py", tmp_path)
    (tmp_path / "tickets.json").write_text(shown, encoding="utf-8")
    source = "from ticket_desk import *; print(len(Tickets(Path('tickets.json'), TicketSettings())._tickets()))"
    for command, said in ((["-c", source], "2"), (["-m", "pytest", "-q", "-p", "no:cacheprovider"], "passed")):
        done = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and said in done.stdout, done.stdout + done.stderr
