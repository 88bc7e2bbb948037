"""The example of docs/tickets.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.catalogue import dimensions_of
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines_tests.evaluation.baseline import SMALL_MODEL

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tickets.md"


def test_the_example_prints_what_stands_below_it_each_time(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the sample, as `make run` makes it, but for the model."""
    index = IndexSettings.of_model(SMALL_MODEL, dimensions_of(SMALL_MODEL))
    registration.register(database, "support", "sample_helpdesk", index, lambda _: None, lambda _: None)
    with workspace_session(database, "support") as session:
        sync(session, SyncRequest())
    monkeypatch.setenv("ARCANA_HOME", str(database.settings.home))
    monkeypatch.setenv("DATABASE_URL", database.url)
    found = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    for earlier in ("", "This was run before.\n"):
        exec(compile(found[1], str(PAGE), "exec"), {"__name__": "__example__"})
        assert capsys.readouterr().out.replace(earlier, "") == found[2]
