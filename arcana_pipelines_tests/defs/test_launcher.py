"""Where runs are started: `RUN_LAUNCHER` says it, and `dagster.yaml` stays the same."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import DefaultRunLauncher
from dagster_celery.launcher import CeleryRunLauncher
from dagster_docker import DockerRunLauncher

from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.launcher import launcher_of, make_launcher
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.settings import LauncherSettings, Settings, load_launcher_settings, load_settings

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
        assert type(instance.run_launcher) is kind


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


def test_a_run_elsewhere_gets_our_variables_and_tokens_and_nothing_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NOTION_TOKEN", "TOKEN_OF_ACME", "DATABASE_URL", "ARCANA_DAGSTER_PG_URL", "LD_PRELOAD", "ARCANA_HOME"):
        monkeypatch.setenv(name, "a value")
    _, config = launcher_of(LauncherSettings(run_launcher="docker"))
    assert {"NOTION_TOKEN", "TOKEN_OF_ACME", "DATABASE_URL", "ARCANA_DAGSTER_PG_URL"} <= set(config["env_vars"])
    assert {"ARCANA_HOME", "LD_PRELOAD", "CELERY_BROKER_URL", "RUN_LAUNCHER"}.isdisjoint(config["env_vars"])


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

    @pytest.mark.parametrize("launcher", ["docker", "kubernetes", "celery"])
    def test_the_embedded_server_is_refused_in_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch, launcher: str
    ) -> None:
        monkeypatch.setenv("RUN_LAUNCHER", launcher)
        monkeypatch.setenv("CELERY_BROKER_URL", BROKER)
        monkeypatch.setenv("DATABASE_URL", "")
        with pytest.raises(InvalidSetting, match="do not reach the embedded PostgreSQL"):
            load_settings()

    def test_a_daemon_needs_nothing_else_of_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RUN_LAUNCHER", "docker")
        monkeypatch.setenv("DATABASE_URL", "")
        monkeypatch.setenv("BATCH_SIZE", "no number")
        assert load_launcher_settings().run_launcher == "docker"
        assert set(LauncherSettings.model_fields) < set(Settings.model_fields)
