"""The sensor that tells people: of our runs, however they were started, and of nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import dagster as dg
import pytest

from arcana_pipelines.defs import backups
from arcana_pipelines.defs.alerts import alerts
from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import sync_config
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines.defs.run import execute
from arcana_pipelines.errors import ModelMissing, TokenRevoked
from arcana_pipelines.sources.notion.source import NotionSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines_tests.alerts.conftest import Mailbox, Receiver
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


@pytest.mark.parametrize(
    ("failing", "purpose", "succeeding"),
    [
        ("audit_workspace", "sync", "sync_workspace"),
        ("retry_pages", "sync", "audit_workspace"),
        ("stage_workspace", "stage", "stage_workspace"),
    ],
)
def test_a_failure_is_made_good_by_a_job_that_was_to_do_the_same(
    failing: str, purpose: str, succeeding: str, installed: Harness, instance: dg.DagsterInstance
) -> None:
    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    tokens = set(installed.world.tokens)
    installed.world.tokens.clear()
    with pytest.raises(TokenRevoked):
        execute(instance, "acme", sync_config(Mode.FULL), failing)
    tick(instance)
    assert causes(installed) == [("failed_run", "acme", purpose, True)]
    with installed.database.connection() as connection:
        connection.execute("UPDATE alert SET subject = 'as an older release called it'")
    tick(instance)
    assert [(subject, is_open) for _, _, subject, is_open in causes(installed)] == [
        ("as an older release called it", False), (purpose, True)
    ]  # fmt: skip
    installed.world.tokens |= tokens
    execute(instance, "acme", sync_config(Mode.FULL), succeeding)
    tick(instance)
    assert [is_open for *_, is_open in causes(installed)] == [False, False]


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


class TestJobsOfTheWholeInstallation:
    def run(self, instance: dg.DagsterInstance, job: str) -> bool:
        return build_defs().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False).success

    @pytest.mark.parametrize(
        ("job", "broken"),
        [
            ("maintenance", "arcana_pipelines.defs.maintenance.prune"),
            ("check_installation", "arcana_pipelines.defs.checks.drift"),
        ],
    )
    def test_one_that_fails_is_an_alert_of_the_installation_until_it_succeeds(
        self, installed: Harness, instance: dg.DagsterInstance, job: str, broken: str
    ) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError("the disk is full")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(broken, fails)
            for _ in range(2):
                assert not self.run(instance, job)
                tick(instance)
        assert causes(installed) == [("failed_run", "", job, True)]
        assert installed.rows("SELECT detail FROM alert") == [("the disk is full",)]
        assert self.run(instance, job)
        tick(instance)
        assert causes(installed) == [("failed_run", "", job, False)]

    def test_a_check_that_fails_in_a_run_that_succeeds_is_one_too(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        with installed.database.connection() as connection:
            connection.execute("ALTER TABLE document ADD COLUMN theirs text")
        assert self.run(instance, "check_installation")
        tick(instance)
        assert causes(installed) == [("failed_run", "", "check_installation", True)]
        assert installed.rows("SELECT detail, next_step FROM alert") == [("schema_has_not_drifted", "arcana doctor")]
        tick(instance)
        assert len(causes(installed)) == 1, "it is the same at the next tick"
        with installed.database.connection() as connection:
            connection.execute("ALTER TABLE document DROP COLUMN theirs")
        assert self.run(instance, "check_installation")
        tick(instance)
        assert causes(installed) == [("failed_run", "", "check_installation", False)]

    def test_a_backup_that_fails_or_that_is_not_equal_is_one_too(
        self, installed: Harness, instance: dg.DagsterInstance, tmp_path: Path
    ) -> None:
        def fails(*_: object) -> None:
            raise RuntimeError("the disk is full")

        drilled = SimpleNamespace(
            backup_id="b1", at=datetime.now(UTC).isoformat(), restore_seconds=1.0, tables=1, rows=1, searches=20,
            files=0, differences=["chunk: 1 row"],
        )  # fmt: skip
        manifest = SimpleNamespace(backup_id="b1", kind="logical", kept=1, seconds=1.0, objects=0, missing=[])
        made = SimpleNamespace(is_encrypted=True, manifest=manifest)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BACKUP_TO", str(tmp_path))
            patch.setattr(backups, "create", fails)
            assert not self.run(instance, "back_up")
            tick(instance)
            assert causes(installed) == [("failed_run", "", "back_up", True)]
            for name, value in {
                "create": lambda *_: made, "open_vault": MagicMock(), "prune": lambda *_: None,
                "_kind": lambda *_: "logical", "is_proven": lambda *_: False, "drill": lambda *_: None,
                "drills": lambda _: [drilled],
            }.items():  # fmt: skip
                patch.setattr(backups, name, value)
            assert self.run(instance, "back_up")
            tick(instance)
        assert causes(installed) == [("failed_run", "", "back_up", True)]
        assert installed.rows("SELECT detail FROM alert") == [("backup_is_proven",)]
        assert self.run(instance, "back_up")  # nobody wants one any more
        tick(instance)
        assert causes(installed) == [("failed_run", "", "back_up", False)]

    def test_a_stale_workspace_is_told_by_its_own_alert_alone(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        with installed.database.connection() as connection:
            connection.execute("UPDATE workspace SET created_at = now() - interval '27 hours', polled_at = NULL")
        assert self.run(instance, "check_installation")
        tick(instance)
        assert causes(installed) == [("stale", "acme", "", True)]

    def test_a_job_of_somebody_else_s_with_the_same_name_raises_nothing(
        self, installed: Harness, instance: dg.DagsterInstance
    ) -> None:
        @dg.op
        def fails() -> None:
            raise RuntimeError("not ours")

        @dg.job(name="maintenance")
        def theirs() -> None:
            fails()

        assert not theirs.execute_in_process(instance=instance, raise_on_error=False).success
        tick(instance)
        assert causes(installed) == []


def test_whether_the_embedding_provider_answers_is_told_to_health(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick(instance)
    installed.rows("UPDATE system_health SET at = at - interval '2 minutes' RETURNING 1")
    monkeypatch.setattr("arcana_pipelines.operations.embedding_provider.embedder_problem", lambda *_: "it is away")
    for _ in range(2):
        tick(instance)
    assert installed.rows("SELECT component, state, detail FROM system_health ORDER BY at") == [
        ("embedding provider", "ok", ""),
        ("embedding provider", "down", "it is away"),
    ]


def test_a_tick_tells_each_receiver_by_itself_and_says_which_failed(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        with dg.build_sensor_context(instance=instance, definitions=build_defs()) as context:
            result = alerts(context)
        assert isinstance(result, dg.SensorResult) and isinstance(result.skip_reason, dg.SkipReason)
        return result.skip_reason.skip_message or ""

    installed.rows("UPDATE workspace SET poll_failures = 3, poll_problem = 'it answered 503' RETURNING 1")
    assert "No one is told" in told()
    with Receiver() as slack, Mailbox() as box:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", slack.url.get_secret_value())
        monkeypatch.setenv("ALERT_EMAIL_TO", "ops@acme.example")
        monkeypatch.setenv("ALERT_EMAIL_FROM", "arcana@acme.example")
        monkeypatch.setenv("ALERT_SMTP_URL", f"smtp://127.0.0.1:{box.port}")
        slack.status = 500
        said = told()
        assert "1 causes are open. email: 1 told. webhook: 0 told." in said
        assert "answered 500" in said and "secret-path" not in said
        slack.status = 200
        assert told() == "1 causes are open. email: 0 told. webhook: 1 told."
        assert len(box.letters) == len(slack.texts) == 1
        installed.rows("UPDATE workspace SET poll_failures = 0, poll_problem = NULL RETURNING 1")
        assert told() == "0 causes are open. email: 1 told. webhook: 1 told."
        box.shutdown()


def test_the_reason_of_a_failed_run_is_in_our_words_where_there_are_some(
    installed: Harness, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        reason = FileNotFoundError(2, "No such file", "l2.safetensors")
        raise ModelMissing("The model's file is gone: `pip install …`.") from reason

    instance.add_dynamic_partitions(str(workspaces.name), ["acme"])
    monkeypatch.setattr(NotionSource, "enumerate", fail)
    with pytest.raises(ModelMissing):
        execute(instance, "acme", sync_config(Mode.FULL))
    tick(instance)
    assert installed.rows("SELECT detail, next_step FROM alert") == [
        ("The model's file is gone: `pip install …`.", "arcana doctor")
    ]
