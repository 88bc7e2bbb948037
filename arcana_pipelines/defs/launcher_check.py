"""What `arcana doctor` says of where runs are started: does the file hear the setting, and does the launcher answer?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from arcana_pipelines.defs.launcher import LauncherOfSetting, launcher_of, make_launcher
from arcana_pipelines.errors import ArcanaError, InvalidSetting, WrongUse
from arcana_pipelines.plugins import optional
from arcana_pipelines.settings import Settings

OURS = f"{LauncherOfSetting.__module__}.{LauncherOfSetting.__name__}"
# Dagster's own, where a file names none.
_DEFAULT_RUNS = 10


def require_heard(settings: Settings, home: Path) -> None:
    """Refuse a `dagster.yaml` that names another launcher than RUN_LAUNCHER does.

    Raises:
        InvalidSetting: it does, with what to write there.
    """
    named, _ = launcher_of(settings)
    said = _said(home)
    there = _launcher_in(said)
    if there == OURS or there.rpartition(".")[2] == named.rpartition(".")[2]:
        return
    if settings.run_launcher == "local":  # who writes another into the file means it
        return
    module, _, name = OURS.rpartition(".")
    raise InvalidSetting(
        f"{home / 'dagster.yaml'} starts runs by {there}, so RUN_LAUNCHER={settings.run_launcher} is not heard: below "
        f"its `run_launcher:` write `module: {module}` and `class: {name}`, or delete the file to get the defaults back"
    )


def looked_at(settings: Settings, home: Path, seconds: float) -> str:
    """Where runs are started, and whether they could be now, in a sentence.

    Args:
        home: Dagster's, with its `dagster.yaml`.
        seconds: what asking may take.

    Raises:
        ArcanaError: they could not.
    """
    require_heard(settings, home)
    said = _said(home)
    there = _launcher_in(said)
    if there != OURS and settings.run_launcher == "local":
        return f"by {there}, as dagster.yaml says"
    return _LOOKS[settings.run_launcher](settings, said, seconds)


def _local(settings: Settings, said: dict[str, Any], seconds: float) -> str:
    return "beside the code"


def _celery(settings: Settings, said: dict[str, Any], seconds: float) -> str:
    with optional("RUN_LAUNCHER=celery", "celery"):
        import redis
        from celery import Celery
    launcher: Any = make_launcher(settings, _config(said))
    client = redis.Redis.from_url(launcher.broker, socket_timeout=seconds / 3, socket_connect_timeout=seconds / 3)
    try:
        memory = client.info("memory")
        app: Celery = launcher.celery
        asks = app.control.inspect(timeout=seconds / 3)
        answers = asks.stats() or asks.stats() or {}  # one whose machine is busy is given a second chance
    except (redis.RedisError, OSError) as error:
        raise ArcanaError(
            f"the broker at CELERY_BROKER_URL does not answer within {seconds / 3:.0f} s ({type(error).__name__})"
        ) from error
    finally:
        client.close()
    if int(memory.get("maxmemory", 0)) and (policy := memory.get("maxmemory_policy")) != "noeviction":
        raise WrongUse(
            f"the broker at CELERY_BROKER_URL forgets runs when it is full ({policy}): it needs a server of its own, "
            "with maxmemory-policy noeviction"
        )
    if not answers:
        raise ArcanaError("the broker answers, and no worker takes runs from it: start `arcana worker` on a machine")
    at_once = sum(int(each.get("pool", {}).get("max-concurrency", 0)) for each in answers.values())
    most_runs = (said.get("concurrency") or {}).get("runs", {}).get("max_concurrent_runs", _DEFAULT_RUNS)
    told = f"by Celery: {len(answers)} {'workers take' if len(answers) > 1 else 'worker takes'} {at_once} runs at once"
    if most_runs > at_once:
        told += (
            f". Advice: dagster.yaml lets {most_runs} begin (max_concurrent_runs), and what no worker takes within "
            "start_timeout_seconds fails"
        )
    return told


def _docker(settings: Settings, said: dict[str, Any], seconds: float) -> str:
    with optional("RUN_LAUNCHER=docker", "docker"):
        import docker
    launcher: Any = make_launcher(settings, _config(said))
    try:
        client = docker.from_env(timeout=int(seconds))
        try:
            version = client.version()["Version"]
        finally:
            client.close()
    except (docker.errors.DockerException, OSError) as error:
        raise ArcanaError(f"Docker does not answer ({type(error).__name__}): DOCKER_HOST says where it is") from error
    image = launcher.image or "the image that the code server names"
    return f"by Docker {version}, in containers of {image}"


def _kubernetes(settings: Settings, said: dict[str, Any], seconds: float) -> str:
    with optional("RUN_LAUNCHER=kubernetes", "kubernetes"):
        from kubernetes.client import ApiException
        from kubernetes.config import ConfigException
        from urllib3.exceptions import HTTPError
    try:
        launcher: Any = make_launcher(settings, _config(said))
        launcher._api_client.batch_api.list_namespaced_job(
            launcher.job_namespace, limit=1, _request_timeout=seconds, _preload_content=False
        )
    except ConfigException as error:
        raise ArcanaError(f"no cluster is known here ({error}): Dagster's daemon has to run in one") from error
    except (ApiException, HTTPError, OSError) as error:
        raise ArcanaError(
            f"Jobs cannot be listed in the namespace {settings.kubernetes_namespace} "
            f"({getattr(error, 'reason', None) or type(error).__name__})"
        ) from error
    return f"by Kubernetes, as Jobs in the namespace {settings.kubernetes_namespace}"


def _said(home: Path) -> dict[str, Any]:
    """What the file says; ours, where there is none yet."""
    from arcana_pipelines.defs.instance import DAGSTER_YAML

    file = home / "dagster.yaml"
    text = (file if file.exists() else DAGSTER_YAML).read_text(encoding="utf-8-sig")
    return yaml.safe_load(text) or {}


def _launcher_in(said: dict[str, Any]) -> str:
    there = said.get("run_launcher") or {"module": "dagster", "class": "DefaultRunLauncher"}
    return f"{there.get('module')}.{there.get('class')}"


def _config(said: dict[str, Any]) -> dict[str, Any]:
    return (said.get("run_launcher") or {}).get("config") or {}


_LOOKS: dict[str, Callable[[Settings, dict[str, Any], float], str]] = {
    "local": _local,
    "celery": _celery,
    "docker": _docker,
    "kubernetes": _kubernetes,
}
