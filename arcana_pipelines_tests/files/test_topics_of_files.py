"""`arcana file add --topic`: a file is added with its topics, all at once or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner

from arcana_pipelines.audit.record import by_key
from arcana_pipelines.cli import one_workspace
from arcana_pipelines.cli.commands import file as file_command
from arcana_pipelines.errors import TaxonomyNodeNotFoundError, TaxonomyRefused, UnknownTaxonomyVersion
from arcana_pipelines.pipeline import added_files
from arcana_pipelines.taxonomy.by_properties import give_missing
from arcana_pipelines.taxonomy.counts import classified_since
from arcana_pipelines.taxonomy.given import topics_of, unassign
from arcana_pipelines.taxonomy.labels import spell_path
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.taxonomy.planted import plant, tree_of


@pytest.fixture
def acme(acme: Harness, monkeypatch: pytest.MonkeyPatch) -> Harness:
    for module in (file_command, one_workspace):
        monkeypatch.setattr(module, "open_database", lambda: acme.database)
    return acme


@pytest.fixture
def planted(acme: Harness) -> UUID:
    with acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        plant(connection, workspace_id, "1.0.0", tree_of(["AI/RAG", "Law/Leases", "법무/계약"]))
    return workspace_id


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    file = tmp_path / "lease.txt"
    file.write_text("The lease of the office ends in March.")
    return file


def add(file: Path, *topics: str, code: int = 0) -> Any:
    options = [each for topic in topics for each in ("--topic", topic)]
    done = CliRunner().invoke(file_command.command, ["add", "acme", str(file), *options, "--no-sync", "--json"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.output)["files"][0]


def topics(acme: Harness, workspace_id: UUID, file: Any) -> dict[str, str]:
    with acme.database.connection() as connection:
        found = topics_of(connection, workspace_id, [UUID(file["document_id"])])
    return {spell_path(topic.path): topic.origin for held in found.values() for topic in held}


def test_it_has_them_at_once_and_after_the_sync_that_reads_it(acme: Harness, planted: UUID, lease: Path) -> None:
    file = add(lease, "Law/Leases", "법무/계약")
    given = {"Law/Leases": "given", "법무/계약": "given"}
    assert topics(acme, planted, file) == given
    acme.sync()
    assert topics(acme, planted, file) == given
    assert acme.rows("SELECT DISTINCT reason, confidence, hitl_required FROM doc_taxonomy") == [
        ("added with it", 1.0, False)
    ]
    assert acme.rows("SELECT action, details->>'origin' FROM audit_logs ORDER BY audit_log_id DESC LIMIT 2") == [
        ("topic.assigned", "given"), ("file.added", None),
    ]  # fmt: skip


def test_added_again_with_others_it_has_those_and_without_any_it_keeps_its_own(
    acme: Harness, planted: UUID, lease: Path
) -> None:
    add(lease, "Law/Leases")
    file = add(lease, "AI")
    assert file["outcome"] == "same" and topics(acme, planted, file) == {"AI": "given"}
    lease.write_text("Other bytes.")
    assert add(lease)["outcome"] == "changed"
    assert topics(acme, planted, file) == {"AI": "given"}


@pytest.mark.parametrize(
    ("topic", "refused"),
    [("Law/Leasse", TaxonomyNodeNotFoundError), ("Law//Leases", TaxonomyRefused), ("", TaxonomyRefused)],
)
def test_one_that_is_not_there_refuses_the_file_and_nothing_is_kept(
    acme: Harness, planted: UUID, lease: Path, topic: str, refused: type[Exception]
) -> None:
    with pytest.raises(refused):
        add(lease, "Law", topic)
    assert acme.rows("SELECT (SELECT count(*) FROM source_file), (SELECT count(*) FROM document)") == [(0, 0)]
    kept = acme.database.settings.home.rglob("*")
    assert not [file for file in kept if file.is_file() and file.read_bytes() == lease.read_bytes()]
    assert acme.rows("SELECT count(*) FROM audit_logs WHERE action <> 'workspace.registered'") == [(0,)]


def test_without_a_taxonomy_there_are_no_topics(acme: Harness, lease: Path) -> None:
    with pytest.raises(UnknownTaxonomyVersion, match="arcana taxonomy import acme"):
        add(lease, "Law")


def test_one_that_goes_while_the_bytes_are_kept_refuses_the_file_too(
    acme: Harness, planted: UUID, lease: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = added_files.put_bytes

    def and_promote(*asked: Any) -> None:
        put(*asked)
        with acme.database.connection() as connection:
            plant(connection, planted, "2.0.0", tree_of(["AI"]))

    monkeypatch.setattr(added_files, "put_bytes", and_promote)
    with pytest.raises(TaxonomyNodeNotFoundError, match=r"version 2\.0\.0"):
        add(lease, "Law")
    assert acme.rows("SELECT (SELECT count(*) FROM source_file), (SELECT count(*) FROM document)") == [(0, 0)]


def test_who_gives_again_what_was_taken_away_means_it(acme: Harness, planted: UUID, lease: Path) -> None:
    file = add(lease, "Law")
    with acme.database.connection() as connection:
        unassign(connection, planted, UUID(file["document_id"]), [("Law",)], by_key("mira1234"))
        give_missing(connection, planted)
    assert topics(acme, planted, file) == {}, "no machine gives it again"
    add(lease, "Law")
    assert topics(acme, planted, file) == {"Law": "given"}


def test_a_later_version_finds_them_by_their_nodes(acme: Harness, planted: UUID, lease: Path) -> None:
    file = add(lease, "Law")
    with acme.database.connection() as connection:
        ((node,),) = connection.execute("SELECT node_id FROM taxonomy_nodes WHERE label = 'Law'").fetchall()
        plant(connection, planted, "2.0.0", [replace(each, node_id=node) for each in tree_of(["Rights"])])
        assert give_missing(connection, planted).given == 1
        assert give_missing(connection, planted).given == 0
    assert topics(acme, planted, file) == {"Rights": "given"}


def test_people_are_told_what_it_is_about_now_whether_it_was_there_or_not(
    acme: Harness, planted: UUID, lease: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(lease, "AI/RAG")
    told: list[str] = []
    monkeypatch.setattr(file_command, "say", lambda markup, *texts: told.append(markup.format(*texts)))
    CliRunner().invoke(file_command.command, ["add", "acme", str(lease), "--topic", "Law/Leases"])
    assert "They are about 'Law/Leases' now." in told


def test_a_sync_is_told_how_many_documents_were_looked_at_for_topics(acme: Harness, planted: UUID) -> None:
    with acme.database.connection() as connection:
        began = connection.execute("SELECT now()").fetchone()
    assert began is not None
    acme.world.add_page("Vacation policy", blocks="25 days a year.")
    acme.settle()
    acme.sync()
    with acme.database.connection() as connection:
        assert classified_since(connection, planted, began[0]) == 1
    acme.sync()
    with acme.database.connection() as connection:
        now = connection.execute("SELECT now()").fetchone()
        assert now is not None and classified_since(connection, planted, now[0]) == 0
