"""What the packaged `dagster.yaml` promises, in an instance that is made of it."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest
import yaml

from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.ledger import removal
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """As the file says, but for where it is stored and who starts its runs."""
    said = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))
    settings = {key: said[key] for key in ("python_logs", "concurrency", "retention", "telemetry")}
    with dg.DagsterInstance.ephemeral(settings=settings) as ephemeral:
        yield ephemeral


def test_our_warnings_are_among_the_events_of_their_run_and_nothing_else_of_ours(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "CAP_PAGES", 1)
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    execute(instance, "acme", sync_config(Mode.FULL))
    for page in list(installed.world.visible_pages())[::2]:
        installed.world.unshare(page)
    installed.settle()
    for _ in range(2):
        execute(instance, "acme", sync_config(Mode.AUDIT), "audit_workspace")
    run = instance.get_runs(dg.RunsFilter(job_name="audit_workspace"))[0]
    written = [entry.user_message for entry in instance.all_logs(run.run_id) if not entry.is_dagster_event]
    assert [line for line in written if "are gone" in line], written
    assert len(written) < 5, "each line is an INSERT"
