"""A step that fails or is interrupted in the middle of a transaction leaves nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import pytest

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.defs import partitions
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.run import execute
from arcana_pipelines.indexes.targets.pgvector import publish
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


def served(installed: Harness) -> tuple[int, int]:
    """(chunks that searches can reach, chunks that are counted)."""
    ((table,),) = installed.rows("SELECT 'chunk_b' || active_build_id FROM rag_indexes")
    ((chunks,),) = installed.rows(f"SELECT count(*) FROM {table} WHERE deleted_at IS NULL")
    ((counted,),) = installed.rows("SELECT vector_count FROM rag_indexes")
    return chunks, counted


def fail(connection: Connection) -> None:
    raise RuntimeError("the code is wrong here")


def interrupt(connection: Connection) -> None:
    raise KeyboardInterrupt


def interrupt_a_statement(connection: Connection) -> None:
    def wait(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("psycopg.connection.waiting.wait", wait)
        connection.execute("SELECT 1")


@pytest.mark.parametrize("what", [fail, interrupt, interrupt_a_statement])
def test_half_a_publish_is_never_committed_and_the_next_sync_publishes_all(
    installed: Harness,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    what: Callable[[Connection], None],
) -> None:
    def meddle(connection: Connection, *arguments: object) -> None:
        what(connection)

    partitions.add(instance, "acme")
    with monkeypatch.context() as patch:
        patch.setattr(publish, "_move_counts", meddle)
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            execute(instance, "acme", sync_config(Mode.FULL))
    assert served(installed) == (0, 0)
    if what is interrupt_a_statement:
        assert "Traceback" not in capfd.readouterr().err, "nobody uses the connection that the interrupt ended"
    execute(instance, "acme", sync_config(Mode.FULL))
    chunks, counted = served(installed)
    assert chunks == counted > 0
