"""An installation of every release becomes one of this release, with its rows, and goes back one step."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.db.models import Base
from arcana_pipelines.db.query import scalar
from arcana_pipelines.documents.contents import user_id_of
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.testing.notion_server import NotionServer, NotionWorld
from arcana_pipelines_tests.db import rows_of_releases
from arcana_pipelines_tests.db.rows_of_releases import World
from arcana_pipelines_tests.harness import Harness

VERSIONS = schema.MIGRATIONS / "versions"
RELEASED = Path(__file__).with_name("released_migrations.sha256")

REVISIONS = sorted(path.stem.split("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


@pytest.fixture
def held(world: NotionWorld) -> World:
    """The pages of an installation, and the world that still has them."""
    held = World(world)
    world.clock.advance(600)
    return held


@pytest.fixture
def acme(empty_database: Database, world: NotionWorld, server: NotionServer) -> Harness:
    """The workspace that the rows are of."""
    return Harness(empty_database, world, server, "acme")


def _installed(acme: Harness, revision: str, held: World) -> None:
    """Make `acme`'s database one of the release that ended with this revision."""
    schema.upgrade(acme.database, revision)
    with acme.database.connection() as connection, connection.transaction():
        rows_of_releases.insert(connection, rows_of_releases.rows(held))


def _assert_rows_are_whole(acme: Harness, held: World) -> None:
    """What an installation had is there, and says in this release's words what it said in its own."""
    assert schema.drift(acme.database) == []
    assert acme.rows("SELECT slug, status, generation, declared_by FROM workspace") == [("acme", "active", 1, None)]
    assert acme.rows("SELECT external_id FROM source_page WHERE is_container") == [(held.tasks,)]
    assert acme.rows("SELECT external_id, title FROM source_page WHERE NOT is_container AND state = 'unchanged'") == [
        (page, title) for page, (_, title, _) in held.pages.items() if page != held.removed
    ]
    assert acme.rows("SELECT external_id FROM source_page WHERE removed_at IS NOT NULL") == [(held.removed,)]
    assert acme.rows("SELECT count(*), count(latest_content_id), count(deleted_at) FROM document") == [(4, 4, 1)]
    assert acme.rows(
        "SELECT k.document_content_id = d.latest_content_id, k.position, k.deleted_at IS NULL, count(*) "
        "FROM document_chunk k JOIN document_content USING (document_content_id) JOIN document d USING (document_id) "
        "GROUP BY 1, 2, 3 ORDER BY 3"
    ) == [(True, 0, False, 1), (True, 0, True, 3)]
    assert acme.rows("SELECT storage_uri FROM rag_indexes") == [(f"postgresql:chunk_b{rows_of_releases.ACTIVE_BUILD}",)]
    assert acme.rows("SELECT contents->>'text' FROM document_content ORDER BY contents->>'text' DESC LIMIT 1") == [
        (rows_of_releases.KOREAN,)
    ]
    assert acme.rows(
        "SELECT name, text, number, starts::date::text, ends::date::text FROM document_property "
        "WHERE name <> 'Name' ORDER BY name"
    ) == [
        ("Due", "2026-02-10", None, "2026-02-10", "2026-02-11"),
        ("Hours", "3", 3, None, None),
        ("Status", "Done", None, None, None),
    ]
    assert acme.rows(
        "SELECT state, ann, ann_effort, (CASE state WHEN 'active' THEN promoted_at ELSE retired_at END) IS NOT NULL "
        "FROM rag_index_build ORDER BY state"
    ) == [("active", "none", 0, True), ("retired", "hnsw", 400, True)]
    assert [hit.title for hit in acme.search("How many days of vacation?", k=1)] == ["Vacation policy"]


def _some(revisions: Sequence[tuple[str, ...]]) -> list[Any]:
    """The newest, and of those before every sixth: an upgrade of one goes through all that came after it."""
    newest = len(revisions) - 4
    marked = [[] if at >= newest or at % 6 == 0 else [pytest.mark.long] for at in range(len(revisions))]
    return [pytest.param(*each, marks=marks) for each, marks in zip(revisions, marked, strict=True)]


@pytest.mark.parametrize("revision", _some([(revision,) for revision in REVISIONS]))
def test_an_installation_of_each_release_keeps_its_rows_and_goes_on(revision: str, acme: Harness, held: World) -> None:
    _installed(acme, revision, held)
    schema.upgrade(acme.database)
    _assert_rows_are_whole(acme, held)
    acme.sync()
    acme.fill()
    acme.sync()
    acme.assert_matches_world()


def test_versions_of_before_their_editors_were_known_are_nobody_s_until_they_are_read(
    acme: Harness, held: World
) -> None:
    _installed(acme, "0018", held)
    schema.upgrade(acme.database)
    users = "SELECT DISTINCT user_id::text FROM document_content"
    assert acme.rows(users) == [(None,)]
    acme.sync()
    latest = "document_content_id IN (SELECT latest_content_id FROM document WHERE deleted_at IS NULL)"
    assert acme.rows(f"{users} WHERE {latest}") == [(str(user_id_of("notion", held.editor)),)]
    schema.downgrade(acme.database, "0018")
    assert acme.rows(users) == [(rows_of_releases.USER,)]


@pytest.mark.parametrize(("before", "revision"), _some(list(itertools.pairwise(REVISIONS))))
def test_each_migration_goes_down_and_up_again_with_rows(
    before: str, revision: str, acme: Harness, held: World
) -> None:
    _installed(acme, revision, held)
    schema.downgrade(acme.database, before)
    with acme.database.connection() as connection, connection.transaction():
        assert scalar(connection, "SELECT version_num FROM alembic_version") == before
    schema.upgrade(acme.database)
    _assert_rows_are_whole(acme, held)


def test_views_of_users_over_chunks_read_versions_and_keep_who_may_read_them(acme: Harness, held: World) -> None:
    _installed(acme, "0021", held)
    with acme.database.connection() as connection:
        connection.execute(
            "CREATE VIEW handbook_chunk WITH (security_barrier = true) AS "
            "SELECT c.version, k.*, 'at 12:30'::text AS said FROM document_chunk k "
            "JOIN document_content c USING (document_content_id) WHERE k.deleted_at IS NULL"
        )
        connection.execute("CREATE VIEW handbook_text AS SELECT position, chunk_content FROM handbook_chunk")
        connection.execute("GRANT SELECT ON handbook_text TO arcana_reader")
    schema.upgrade(acme.database)
    acme.sync()
    acme.fill()
    acme.world.append_blocks(held.leave, "Ask your lead first.")
    acme.settle()
    acme.sync()
    wanted = acme.rows(
        "SELECT k.position, k.chunk_content FROM document_chunk k JOIN rag_index_build b USING (rag_index_build_id) "
        "WHERE k.deleted_at IS NULL ORDER BY 2"
    )
    with acme.reader() as connection:
        assert connection.execute("SELECT * FROM handbook_text ORDER BY 2").fetchall() == wanted
    assert any("Ask your lead" in text for _, text in wanted)
    assert acme.rows("SELECT max(version) > 1 FROM handbook_chunk") == [(True,)]
    schema.downgrade(acme.database, "0021")
    with acme.reader() as connection:
        assert connection.execute("SELECT * FROM handbook_text ORDER BY 2").fetchall() == wanted


def test_a_materialized_view_over_chunks_is_named_before_anything_changes(acme: Harness, held: World) -> None:
    _installed(acme, "0021", held)
    with acme.database.connection() as connection:
        connection.execute("CREATE MATERIALIZED VIEW kept AS SELECT chunk_content FROM document_chunk")
    with pytest.raises(WrongUse, match="kept is a materialized view"):
        schema.upgrade(acme.database)
    assert schema.current_revision(acme.database) == "0021"
    with acme.database.connection() as connection:
        connection.execute("DROP MATERIALIZED VIEW kept")
    schema.upgrade(acme.database)
    _assert_rows_are_whole(acme, held)


def test_every_table_has_a_row_of_before_and_every_column_of_a_row_is_one(held: World) -> None:
    rows = rows_of_releases.rows(held)
    assert set(rows) == set(Base.metadata.tables), "a table of the models has no row in rows_of_releases.py"
    for name, table in Base.metadata.tables.items():
        known = {column.name for column in table.columns} | rows_of_releases.DROPPED.get(name, set())
        assert {column for row in rows[name] for column in row} <= known


def test_who_was_told_of_an_alert_is_not_told_again_by_another_release(acme: Harness, held: World) -> None:
    _installed(acme, "0044", held)
    schema.upgrade(acme.database, "0045")
    assert acme.rows("SELECT receiver, told_at IS NOT NULL FROM alert_delivery") == [("webhook", True)]
    schema.downgrade(acme.database, "0044")
    assert acme.rows("SELECT told_at IS NOT NULL FROM alert") == [(True,)]


def test_a_migration_that_is_released_is_never_changed() -> None:
    released = dict(reversed(line.split("  ")) for line in RELEASED.read_text(encoding="utf-8").splitlines())
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(VERSIONS.glob("[0-9]*"))}
    changed = [name for name, digest in released.items() if found.get(name) != digest]
    assert not changed, f"{changed} ran in installations as it was: write a new migration instead"
    missing = [f"{found[name]}  {name}" for name in found.keys() - released.keys()]
    assert not missing, f"new migrations: add to {RELEASED.name} " + ", ".join(missing)
