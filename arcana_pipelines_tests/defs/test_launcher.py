"""Where runs are started: `RUN_LAUNCHER` says it, and `dagster.yaml` stays the same."""

from __future__ import annotations

import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from celery import Celery
from celery.app.control import Inspect
from celery.result import AsyncResult
from dagster._core.launcher import DefaultRunLauncher, WorkerStatus
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_docker import DockerRunLauncher
from pydantic import SecretStr

from arcana_pipelines.alerts.severity import BROKEN, LEVELS
from arcana_pipelines.cli import check
from arcana_pipelines.defs import launcher as launchers
from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.launcher import launcher_of, make_launcher
from arcana_pipelines.defs.launcher_check import looked_at
from arcana_pipelines.defs.runs import PROCESS_TAG, process_tag
from arcana_pipelines.defs.worker import node_name
from arcana_pipelines.errors import ArcanaError, InvalidSetting, WrongUse
from arcana_pipelines.settings import LauncherSettings, Settings, load_launcher_settings, load_settings
from arcana_pipelines_tests.caching.valkey import Valkey

ROOT = Path(__file__).parents[2]
SECONDS = 3.0
BROKER = "redis://:secret-of-the-broker@broker.invalid:6379/0"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with our `dagster.yaml`, but for where it stores: in files."""
    text = DAGSTER_YAML.read_text(encoding="utf-8")
    before, _, after = text.partition("storage:")
    (tmp_path / "dagster.yaml").write_text(before + after[after.index("\nrun_coordinator") :], encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("launcher", "kind"), [("local", DefaultRunLauncher), ("celery", CeleryRunLauncher), ("docker", DockerRunLauncher)]
)
def test_the_setting_says_which_launcher_the_file_of_an_installation_makes(
    home: Path, monkeypatch: pytest.MonkeyPatch, launcher: str, kind: type
) -> None:
    monkeypatch.setenv("RUN_LAUNCHER", launcher)
    monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.run_launcher, kind)


@pytest.mark.parametrize("launcher", ["celery", "docker"])
def test_a_run_of_the_command_line_is_no_launchers_and_is_not_called_dead(
    home: Path, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    monkeypatch.setenv("RUN_LAUNCHER", launcher)
    monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = dg.DagsterRun("sync_workspace", tags={PROCESS_TAG: process_tag()})
        assert instance.run_launcher.supports_check_run_worker_health
        assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING


def test_what_dagster_shows_of_its_instance_holds_no_password(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUN_LAUNCHER", "celery")
    monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert isinstance(instance.run_launcher, CeleryRunLauncher)
        assert instance.run_launcher.broker == BROKER
        shown = [instance.info_str(), str(instance.get_ref()), repr(load_launcher_settings())]
    assert not [text for text in shown if "secret-of-the-broker" in text]


def test_the_file_says_what_the_settings_do_not_and_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = LauncherSettings(run_launcher="docker", docker_image="arcana:1", docker_network="one")
    launcher = make_launcher(settings, {"network": "other", "container_kwargs": {"mem_limit": "2g"}})
    assert isinstance(launcher, DockerRunLauncher)
    assert (launcher.image, launcher.networks) == ("arcana:1", ["other"])
    assert launcher.container_kwargs == {"mem_limit": "2g"}


def test_what_a_launcher_does_not_take_is_told_by_name_and_without_its_value() -> None:
    with pytest.raises(InvalidSetting, match="'colour' is not a setting") as caught:
        make_launcher(LauncherSettings(run_launcher="docker"), {"colour": "a-password", "network": ["a-password"]})
    assert "'run_launcher.config.network' has to be" in str(caught.value) and "a-password" not in str(caught.value)


class TestBroker:
    """What the daemon asks of it when it starts a run."""

    @pytest.fixture
    def daemon(self, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> Celery:
        """Celery, as the daemon has it; it waits less long."""
        monkeypatch.setattr(launchers, "BROKER_SECONDS", 0.2)
        settings = LauncherSettings(run_launcher="celery", celery_broker_url=SecretStr(valkey.url))
        launcher = make_launcher(settings, {})
        assert isinstance(launcher, CeleryRunLauncher)
        launcher.celery.conf.task_publish_retry = False
        return launcher.celery

    def hand_over(self, daemon: Celery) -> AsyncResult[int]:
        """What `launch_run` does with Celery."""
        return daemon.send_task(TASK_EXECUTE_JOB_NAME, (None,), queue="dagster")

    def test_nobody_listens_for_what_becomes_of_a_run_and_its_state_is_told(
        self, daemon: Celery, valkey: Valkey
    ) -> None:
        run = self.hand_over(daemon)
        assert run.state == "PENDING" and valkey.client().llen("dagster") == 1
        assert valkey.client().pubsub_channels() == []
        daemon.backend.store_result(run.id, 0, "SUCCESS")
        assert daemon.AsyncResult(run.id).state == "SUCCESS"

    def test_one_that_stands_still_keeps_no_other_run_waiting(self, daemon: Celery, valkey: Valkey) -> None:
        self.hand_over(daemon)
        valkey.stop()
        with ThreadPoolExecutor(2) as threads:
            sent = threads.submit(self.hand_over, daemon)
            looked = threads.submit(lambda: daemon.AsyncResult("of another").state)
            errors = sent.exception(30), looked.exception(30)
        valkey.go_on()
        assert [type(error).__name__ for error in errors] == ["OperationalError", "TimeoutError"]


def test_a_run_elsewhere_gets_our_variables_and_tokens_and_nothing_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_roles = re.findall(r"^#? ?(\w+_PASSWORD)=$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    of_roles = [name for name in of_roles if name.lower() not in Settings.model_fields]
    assert "POSTGRES_PASSWORD" in of_roles and len(of_roles) == 4
    given = ("NOTION_TOKEN", "TOKEN_OF_ACME", "DATABASE_URL", "ARCANA_DAGSTER_PG_URL", "LD_PRELOAD", "ARCANA_HOME")
    for name in (*given, *of_roles):
        monkeypatch.setenv(name, "a value")
    _, config = launcher_of(LauncherSettings(run_launcher="docker"))
    assert {"NOTION_TOKEN", "TOKEN_OF_ACME", "DATABASE_URL", "ARCANA_DAGSTER_PG_URL"} <= set(config["env_vars"])
    nothing_of = {"ARCANA_HOME", "LD_PRELOAD", "CELERY_BROKER_URL", "RUN_LAUNCHER", *of_roles}
    assert nothing_of.isdisjoint(config["env_vars"])


def test_kubernetes_takes_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._config import process_config, resolve_to_config_type
    from dagster_k8s import K8sRunLauncher

    monkeypatch.setenv("DAGSTER_HOME", "/var/lib/arcana/dagster")
    settings = LauncherSettings(
        run_launcher="kubernetes", kubernetes_image="arcana:1", kubernetes_env_secrets="arcana-secrets, tokens"
    )
    _, config = launcher_of(settings)
    read = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), config)
    assert read.success and read.value is not None
    assert (read.value["job_image"], read.value["env_secrets"]) == ("arcana:1", ["arcana-secrets", "tokens"])


class TestSettings:
    def test_celery_needs_a_broker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUN_LAUNCHER", "celery")
        with pytest.raises(InvalidSetting, match="CELERY_BROKER_URL is not set"):
            load_launcher_settings()

    @pytest.mark.parametrize("address", ["amqp://u:a-password@h", "http://u:a-password@h", "a-password"])
    def test_a_broker_is_a_redis_and_is_not_shown(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        monkeypatch.setenv("CELERY_BROKER_URL", address)
        with pytest.raises(InvalidSetting, match="CELERY_BROKER_URL: must be an address that begins") as caught:
            load_launcher_settings()
        assert "a-password" not in str(caught.value)

    def test_a_broker_by_tls_says_who_has_to_prove_that_it_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        address = "rediss://:a-password@broker.internal:6379/0"
        monkeypatch.setenv("CELERY_BROKER_URL", address)
        with pytest.raises(InvalidSetting, match=r"CELERY_BROKER_URL: must end in \?ssl_cert_reqs=required") as caught:
            load_launcher_settings()
        assert "a-password" not in str(caught.value)
        monkeypatch.setenv("CELERY_BROKER_URL", f"{address}?ssl_cert_reqs=required")
        monkeypatch.setenv("RUN_LAUNCHER", "celery")
        launcher = make_launcher(load_launcher_settings(), {})
        assert isinstance(launcher, CeleryRunLauncher)
        celery = launcher.celery
        assert celery.connection_for_write().ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
        assert celery.backend.connparams["ssl_cert_reqs"] is ssl.CERT_REQUIRED

    @pytest.mark.parametrize("launcher", ["docker", "kubernetes", "celery"])
    def test_the_embedded_server_is_refused_in_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch, launcher: str
    ) -> None:
        monkeypatch.setenv("RUN_LAUNCHER", launcher)
        monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
        monkeypatch.setenv("DATABASE_URL", "")
        with pytest.raises(InvalidSetting, match="do not reach the embedded PostgreSQL"):
            load_settings()

    def test_tags_of_runs_that_embed_are_texts_or_stand_as_json(self) -> None:
        given = '{"dagster-celery/queue": "embedding", "dagster-k8s/config": {"pod_spec_config": {}}}'
        assert LauncherSettings(embedding_run_tags=given).tags_of_embedding == {
            "dagster-celery/queue": "embedding",
            "dagster-k8s/config": '{"pod_spec_config": {}}',
        }

    @pytest.mark.parametrize("given", ["queue=embedding", "[]", "{"])
    def test_tags_that_are_no_object_are_refused(self, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
        monkeypatch.setenv("EMBEDDING_RUN_TAGS", given)
        with pytest.raises(InvalidSetting, match="EMBEDDING_RUN_TAGS: must be a JSON object of tags"):
            load_launcher_settings()

    def test_a_daemon_needs_nothing_else_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUN_LAUNCHER", "docker")
        monkeypatch.setenv("DATABASE_URL", "")
        monkeypatch.setenv("BATCH_SIZE", "no number")
        assert load_launcher_settings().run_launcher == "docker"
        assert set(LauncherSettings.model_fields) < set(Settings.model_fields)


def by_celery(broker: str, home: Path | None = None) -> Settings:
    return Settings(
        run_launcher="celery", celery_broker_url=SecretStr(broker), database_url=SecretStr("postgresql://h/d"),
        **({"arcana_home": home} if home else {}),
    )  # fmt: skip


class TestMonitor:
    """What `arcana status --check` says of it."""

    def test_that_no_worker_takes_runs_is_a_cause_before_any_run_has_failed(
        self, tmp_path: Path, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(check, "SECONDS", 0.3)
        (cause,) = check._launcher_cause(by_celery(valkey.url, tmp_path))
        assert cause.key == ("runs_not_started", "", "") and "no worker takes runs from it" in cause.detail
        assert LEVELS.get(cause.cause, BROKEN) == BROKEN

    def test_nobody_is_asked_where_runs_begin_beside_the_code(self, tmp_path: Path) -> None:
        assert check._launcher_cause(Settings(arcana_home=tmp_path)) == []

    def test_a_worker_that_answers_late_is_asked_once_more(
        self, tmp_path: Path, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answers = iter([None, {"arcana-1@a": {"pool": {"max-concurrency": 2}}}])
        monkeypatch.setattr(Inspect, "stats", lambda inspect: next(answers))
        assert check._launcher_cause(by_celery(valkey.url, tmp_path)) == []

    def test_no_two_workers_have_one_name_although_they_were_started_alike(self) -> None:
        assert node_name("arcana") != node_name("arcana")


class TestDoctor:
    """`looked_at`: the line `runs` of `arcana doctor`."""

    @pytest.fixture
    def own_file(self, tmp_path: Path) -> Path:
        """A folder whose `dagster.yaml` names a launcher, as one does that an older release wrote."""
        text = "run_launcher:\n  module: dagster\n  class: DefaultRunLauncher\n"
        (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    def test_says_that_runs_start_beside_the_code(self, own_file: Path, home: Path) -> None:
        for folder in (own_file, home, home / "where nothing is yet"):
            assert looked_at(Settings(), folder, SECONDS) == "beside the code"

    def test_a_file_that_names_another_launcher_is_told_with_what_to_write(self, own_file: Path) -> None:
        with pytest.raises(InvalidSetting) as refused:
            looked_at(by_celery(BROKER), own_file, SECONDS)
        assert "RUN_LAUNCHER=celery is not heard" in str(refused.value)
        assert "`module: arcana_pipelines.defs.launcher` and `class: LauncherOfSetting`" in str(refused.value)

    def test_a_launcher_of_the_users_own_is_left_alone_while_the_setting_says_nothing(self, own_file: Path) -> None:
        file = own_file / "dagster.yaml"
        file.write_text("run_launcher: {module: dagster_aws.ecs, class: EcsRunLauncher}", encoding="utf-8")
        assert looked_at(Settings(), own_file, SECONDS) == "by dagster_aws.ecs.EcsRunLauncher, as dagster.yaml says"

    def test_a_broker_that_is_not_there_is_told_without_its_password(self, home: Path, valkey: Valkey) -> None:
        valkey.kill()
        with pytest.raises(ArcanaError, match="does not answer") as refused:
            looked_at(by_celery(valkey.url.replace("//", "//:a-password@")), home, SECONDS)
        assert "a-password" not in str(refused.value)

    def test_a_broker_without_workers_and_one_that_forgets_are_told(self, home: Path, valkey: Valkey) -> None:
        with pytest.raises(ArcanaError, match="no worker takes runs"):
            looked_at(by_celery(valkey.url), home, 0.3)
        valkey.client().config_set("maxmemory", "64mb")
        valkey.client().config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(WrongUse, match="forgets runs when it is full"):
            looked_at(by_celery(valkey.url), home, 0.3)
