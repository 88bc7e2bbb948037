"""Runs in containers of Docker's (RUN_LAUNCHER=docker), one of which is killed in the middle.

    python benchmarks/docker_runs.py                                    # ten minutes or so
    python benchmarks/docker_runs.py --image arcana-pipelines:0.1.0     # of a Docker that DOCKER_HOST names

Without --image it starts a Docker of its own in a temporary folder, with an image that is nearly empty: its containers
see this machine's programs and this environment, read-only. Dagster's daemon asks for the first sync of a workspace;
when some of its pages are stored, the run's container is killed. It ends when the workspace has what its source shows,
and tells how many containers there were, and how long that took after the kill. Needs root and `dockerd`: without them
it says so and does nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import docker
import psycopg
import two_machines
import yaml
from docker.errors import APIError, DockerException
from machine import print_machine
from two_machines import LONGEST, Measured, Notion, daemon, is_over, postgresql, started, until

from arcana_pipelines.db import schema
from arcana_pipelines.db.engine import Database
from arcana_pipelines.defs.registration import register
from arcana_pipelines.settings import load_settings

# Containers have this machine's network.
HERE = "127.0.0.1"
IMAGE = "arcana-of-this-machine:1"
# Of this machine, in containers: its programs, and the environment that this script runs in.
SEEN = (
    "/usr",
    "/etc",
    sys.prefix,
    sys.base_prefix,
    str(Path(sys.prefix).parent),
    str(Path(__file__).resolve().parents[1]),
)


def main() -> int:
    """Run and report; 1 when something is lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=300, help="pages of the workspace (%(default)s)")
    parser.add_argument("--image", help="an image of ours, which the Docker at DOCKER_HOST has")
    options = parser.parse_args()
    reason = why_not(options.image)
    if reason is not None:
        print(f"Not run: {reason}.")
        return 0
    print_machine()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    folder = Path(tempfile.mkdtemp(prefix="arcana-docker-"))
    try:
        with contextlib.ExitStack() as stack:
            client = stack.enter_context(engine(folder, options.image))
            return 0 if measure(stack, folder, client, options) else 1
    except EngineMissing as error:
        print(f"Not run: {error}.")
        return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class EngineMissing(Exception):
    """Docker does not start here."""


def why_not(image: str | None) -> str | None:
    """Why there can be no containers here."""
    if os.geteuid() != 0:
        return "a Docker of one's own needs root"
    if image is None and shutil.which("dockerd") is None:
        return "there is no dockerd"
    return None


@contextlib.contextmanager
def engine(folder: Path, image: str | None) -> Iterator[docker.DockerClient]:
    """A client of Docker: of that of DOCKER_HOST where an image is named, else of one that is started here."""
    if image is not None:
        yield docker.from_env()
        return
    place = folder / "docker.sock"
    os.environ["DOCKER_HOST"] = f"unix://{place}"
    command = ["dockerd", "--host", f"unix://{place}", "--data-root", folder / "data", "--exec-root", folder / "exec"]
    command += ["--pidfile", folder / "pid", "--bridge=none", "--iptables=false", "--ip6tables=false"]
    command += ["--storage-driver=vfs"]
    log = folder / "dockerd.log"
    with started(command, log) as process:
        deadline = time.monotonic() + 60
        while True:
            try:
                client = docker.from_env()
                break
            except DockerException as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text().strip().splitlines()[-1:]
                    raise EngineMissing(f"dockerd does not start ({''.join(said)[-300:]})") from error
                time.sleep(0.2)
        repository, tag = IMAGE.split(":")
        path = f"ENV PATH={sys.prefix}/bin:/usr/sbin:/usr/bin"
        client.api.import_image_from_data(nearly_empty(), repository=repository, tag=tag, changes=[path])
        yield client
        client.close()


def nearly_empty() -> bytes:
    """A root that has no files, but names at which those of this machine are found."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in ("bin", "lib", "lib64", "sbin"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
        for name in ("tmp", "proc", "sys", "dev", "root"):
            place = tarfile.TarInfo(name)
            place.type, place.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            archive.addfile(place)
    return data.getvalue()


def measure(
    stack: contextlib.ExitStack, folder: Path, client: docker.DockerClient, options: argparse.Namespace
) -> bool:
    """The whole course; whether nothing was wrong."""
    two_machines.HUB = HERE
    owner, of_superuser = stack.enter_context(postgresql(folder))
    notion = Notion(1, options.pages)
    stack.callback(notion.close)
    for name in [each for each in os.environ if each.startswith(("ARCANA_", "DATABASE_", "NOTION_", "DAGSTER_"))]:
        del os.environ[name]
    os.environ.update(
        DATABASE_URL=owner, RUN_LAUNCHER="docker", DOCKER_IMAGE=options.image or IMAGE, ARCANA_HOME=str(folder / "hub"),
        NOTION_BASE_URL=notion.address, NOTION_REQUESTS_PER_MINUTE="600", WORKER_PROCESSES="1",
        TOKEN_000="ntn_of_workspace_000", EMBEDDING_PROVIDER="local-small",
    )  # fmt: skip
    write_dagster_yaml(folder / "hub" / "dagster", options.image)
    database = Database(load_settings())
    stack.callback(database.close)
    schema.upgrade(database)
    superuser = stack.enter_context(psycopg.connect(of_superuser, autocommit=True))
    measured = Measured(database, superuser, notion, 1)
    register(database, "w000", "notion", {}, "TOKEN_000")
    stack.callback(remove_containers, client)
    began = time.monotonic()
    stack.enter_context(daemon(folder))
    stored = "SELECT count(*) FROM document_content"
    until(lambda: bool(runs_of(client)), "a container is started", LONGEST)
    until(lambda: 0 < measured.one(stored) < options.pages, "some pages are stored", LONGEST, 0.05)
    (container,) = runs_of(client)
    at_kill = measured.one(stored)
    container.kill()
    killed = time.monotonic()
    print(
        f"{container.short_id} killed after {killed - began:.0f} s, with {at_kill} of {options.pages} pages stored",
        flush=True,
    )
    until(lambda: is_over(measured), "the workspace is as its source", LONGEST, 1.0)
    print(f"all of it is there {time.monotonic() - killed:.0f} s later")
    runs = measured.superuser.execute("SELECT run_id, status FROM dagster.runs ORDER BY id").fetchall()
    containers = measured.one("SELECT count(DISTINCT value) FROM dagster.run_tags WHERE key = 'docker/container_id'")
    print(f"runs by their end: {[status for _, status in runs]}, in {containers} containers")
    amiss = measured.amiss()
    print(f"workspaces that are not as their source: {len(amiss)} {amiss or ''}")
    return not amiss and containers >= 2 and runs[0][1] == "FAILURE"


def runs_of(client: docker.DockerClient) -> list[Any]:
    """The containers of runs that are under way."""
    try:
        found: list[Any] = client.containers.list(filters={"label": "dagster/run_id"})
    except APIError:  # one ended while it was being described
        return []
    return found


def remove_containers(client: docker.DockerClient) -> None:
    """End what is left of runs."""
    for container in client.containers.list(all=True, filters={"label": "dagster/run_id"}):
        with contextlib.suppress(APIError):
            container.remove(force=True)


def write_dagster_yaml(home: Path, image: str | None) -> None:
    """That of an installation, and what containers of this machine need besides."""
    told = yaml.safe_load((files("arcana_pipelines.defs") / "dagster.yaml").read_text(encoding="utf-8"))
    kwargs: dict[str, Any] = {"network_mode": "host", "auto_remove": True}
    if image is None:
        seen = sorted({str(Path(each).resolve()) for each in SEEN} | {sys.prefix})
        kwargs["volumes"] = [f"{each}:{each}:ro" for each in seen if not each.startswith("/usr/")]
    told["run_launcher"]["config"] = {"container_kwargs": kwargs}
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
