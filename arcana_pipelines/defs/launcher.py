"""Where runs are started: `RUN_LAUNCHER` says it, and `dagster.yaml` names this module alone.

So the file of an installation stays the same whatever the setting is, and holds no password. What stands in the file
below `run_launcher: config:` is given to the launcher besides, and wins.

https://docs.dagster.io/deployment/execution/run-launchers
"""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from dagster import DagsterRun
from dagster._config import process_config, resolve_to_config_type
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from arcana_pipelines.defs.instance_file import told
from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.plugins import optional
from arcana_pipelines.settings import LauncherSettings, is_ours, load_launcher_settings

# As long as `run_monitoring: max_runtime_seconds` lets a run go on: until then Redis hands it to nobody else.
LONGEST_RUN_SECONDS = 43_200
# How long an answer of the broker is waited for.
BROKER_SECONDS = 10
_RESULTS = "arcana_pipelines.defs.celery_results:Results"
# Of docker-compose.yml: by them PostgreSQL's roles are made, its superuser among them.
_OF_ROLES = ("POSTGRES_PASSWORD", "ARCANA_DB_PASSWORD", "ARCANA_DAGSTER_DB_PASSWORD", "ARCANA_SERVER_DB_PASSWORD")
# Of this machine: containers have their own, and read no file `.env`.
_NOT_HANDED_ON = frozenset(
    {"ARCANA_HOME", "ARCANA_FROM_ENV_FILE", *_OF_ROLES, *(name.upper() for name in LauncherSettings.model_fields)}
)


class LauncherOfSetting(RunLauncher, ConfigurableClass):
    """Stands in `dagster.yaml`, and makes the launcher that the environment names. There is no object of this class."""

    @classmethod
    def config_type(cls) -> Any:
        """Anything: it is checked by the launcher that gets it."""
        return dict

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Any:
        """The launcher.

        Raises:
            InvalidSetting: a variable is malformed, or the launcher does not take what the file says.
        WrongUse: the launcher's package is not installed.
        """
        return make_launcher(load_launcher_settings(), config_value, inst_data)

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """See `ConfigurableClass`."""
        raise NotImplementedError

    def launch_run(self, context: LaunchRunContext) -> None:
        """See `RunLauncher`."""
        raise NotImplementedError

    def terminate(self, run_id: str) -> bool:
        """See `RunLauncher`."""
        raise NotImplementedError


class _KnowsItsOwn(RunLauncher):
    """What each launcher lacks: it is asked for the health of all runs, and calls those dead that it did not launch."""

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """See `RunLauncher`. A run of the command line is alive: `runs.report_dead_runs` looks after these."""
        if run.remote_job_origin is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return super().check_run_worker_health(run)


def make_launcher(
    settings: LauncherSettings, besides: Mapping[str, Any], inst_data: ConfigurableClassData | None = None
) -> RunLauncher:
    """The launcher that the settings name.

    Args:
        besides: of its configuration what the settings do not say; what both say is taken from here.

    Raises:
        WrongUse: its package is not installed.
        InvalidSetting: it does not take this configuration.
    """
    named, config = launcher_of(settings)
    module, _, name = named.rpartition(".")
    with optional(f"RUN_LAUNCHER={settings.run_launcher}", settings.run_launcher):
        launcher: type[Any] = getattr(importlib.import_module(module), name)
    read = process_config(resolve_to_config_type(launcher.config_type()), {**config, **besides})
    if not read.success:
        raise InvalidSetting(
            f"RUN_LAUNCHER={settings.run_launcher}: {'; '.join(told(read.errors or (), ('run_launcher', 'config')))}. "
            f"dagster.yaml gives {name} what stands there."
        )
    kind: Any = type(launcher.__name__, (_KnowsItsOwn, launcher), {})
    made: RunLauncher = kind.from_config_value(inst_data, read.value)
    return made


def launcher_of(settings: LauncherSettings) -> tuple[str, dict[str, Any]]:
    """The launcher's class, and what of its configuration the settings say."""
    return _LAUNCHERS[settings.run_launcher](settings)


def _local(settings: LauncherSettings) -> tuple[str, dict[str, Any]]:
    return "dagster.DefaultRunLauncher", {}


def _celery(settings: LauncherSettings) -> tuple[str, dict[str, Any]]:
    assert settings.celery_broker_url is not None
    url = settings.celery_broker_url.get_secret_value()
    return "dagster_celery.launcher.CeleryRunLauncher", {
        "broker": url,
        "backend": f"{_RESULTS}+{url}",
        "config_source": celery_config(),
    }


def celery_config() -> dict[str, Any]:
    """What the daemon, which sends runs, and the workers, which take them, have in common."""
    return {
        # A worker takes a run when it can begin it, and has it until its end: what it took and did not begin would wait
        # behind a long one, and be failed after `start_timeout_seconds`.
        "worker_prefetch_multiplier": 1,
        "task_acks_late": True,
        "broker_transport_options": {
            "visibility_timeout": LONGEST_RUN_SECONDS,
            "socket_connect_timeout": 5,
            # One that stands still, or that is gone without a word, keeps no other run from being handed over.
            "socket_timeout": BROKER_SECONDS,
            # A link that was cut is noticed by who waits for runs within a minute, and not never.
            "socket_keepalive": True,
            "socket_keepalive_options": {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3},
        },
        # A broker that is started again is waited for.
        "task_publish_retry_policy": {"max_retries": 4, "interval_start": 0, "interval_step": 2, "interval_max": 5},
        "redis_socket_connect_timeout": 5,
        "redis_socket_timeout": BROKER_SECONDS,
        "broker_connection_retry_on_startup": True,
    }


def _docker(settings: LauncherSettings) -> tuple[str, dict[str, Any]]:
    config: dict[str, Any] = {"env_vars": variables_of_runs(), "container_kwargs": {"auto_remove": True}}
    if settings.docker_image is not None:
        config["image"] = settings.docker_image
    if settings.docker_network is not None:
        config["network"] = settings.docker_network
    return "dagster_docker.DockerRunLauncher", config


def variables_of_runs() -> list[str]:
    """The names of the variables of this process that a run elsewhere needs, too: ours, and tokens of workspaces."""
    return sorted(name for name in os.environ if is_ours(name) and name not in _NOT_HANDED_ON)


# What the tag `dagster-k8s/config` of a run may say of its pod: where it is, and how large. Who may start a run could
# else give it an image, an account, a Secret or a folder of the node.
_OF_TAGS = {
    "container_config": {"resources": True},
    "pod_spec_config": {"node_selector": True, "tolerations": True, "affinity": True},
}


def _kubernetes(settings: LauncherSettings) -> tuple[str, dict[str, Any]]:
    config: dict[str, Any] = {
        "job_namespace": settings.kubernetes_namespace,
        "service_account_name": settings.kubernetes_service_account,
        "instance_config_map": settings.kubernetes_config_map,
        "dagster_home": os.environ.get("DAGSTER_HOME", "/var/lib/arcana/dagster"),
        "env_secrets": settings.env_secrets,
        "env_config_maps": settings.env_config_maps,
        "only_allow_user_defined_k8s_config_fields": _OF_TAGS,
    }
    if settings.kubernetes_image is not None:
        config["job_image"] = settings.kubernetes_image
    return "dagster_k8s.K8sRunLauncher", config


_LAUNCHERS: dict[str, Callable[[LauncherSettings], tuple[str, dict[str, Any]]]] = {
    "local": _local,
    "docker": _docker,
    "kubernetes": _kubernetes,
    "celery": _celery,
}
