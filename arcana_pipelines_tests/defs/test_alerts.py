"""The sensor that tells people: of our runs, however they were started, and of nobody else's."""

from __future__ import annotations

import dagster as dg
import pytest

from arcana_pipelines.defs.alerts import alerts
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.errors import TokenRevoked
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.harness import Harness


def tick(instance: dg.DagsterInstance) -> None:
    with dg.build_sensor_context(instance=instance, definitions=build_defs()) as context:
        alerts(context)


def causes(installed: Harness) -> list[tuple[str, str, str, bool]]:
    return installed.rows("SELECT cause, workspace, subject, resolved_at IS NULL FROM alert ORDER BY alert_id")


def test_a_failed_run_is_an_alert_until_one_succeeds(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    tokens = set(installed.world.tokens)
    installed.world.tokens.clear()
    for _ in range(2):
        with pytest.raises(TokenRevoked):
            execute(instance, "acme", sync_config(Mode.FULL))
        tick(instance)
    assert causes(installed) == [("failed_run", "acme", "sync", True)]
    ((detail,),) = installed.rows("SELECT detail FROM alert")
    assert "401" in detail and "Traceback" not in detail
    installed.world.tokens |= tokens
    execute(instance, "acme", sync_config(Mode.FULL))
    tick(instance)
    assert causes(installed) == [("failed_run", "acme", "sync", False)]


def test_a_materialize_that_failed_is_an_alert_too(installed: Harness, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    installed.world.tokens.clear()
    job = build_defs().resolve_implicit_global_asset_job_def()
    failed = job.execute_in_process(
        instance=instance, partition_key="acme", raise_on_error=False, asset_selection=[dg.AssetKey("notion_pages")]
    )
    assert not failed.success
    tick(instance)
    assert causes(installed) == [("failed_run", "acme", "sync", True)]


def test_runs_of_others_raise_nothing_even_with_a_partition_of_the_same_name(
    installed: Harness, instance: dg.DagsterInstance
) -> None:
    @dg.op
    def fails() -> None:
        raise RuntimeError("not ours")

    @dg.job(partitions_def=dg.StaticPartitionsDefinition(["acme"]))
    def theirs() -> None:
        fails()

    assert not theirs.execute_in_process(instance=instance, partition_key="acme", raise_on_error=False).success
    tick(instance)
    assert causes(installed) == []
