"""The Job that Dagster's launcher makes of our values, as the API of a cluster gets it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.launcher import LaunchRunContext
from dagster._core.launcher.base import WorkerStatus
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster_k8s import K8sRunLauncher

from arcana_pipelines.settings import LauncherSettings
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines_tests.deployment.chart_check import RELEASES
from arcana_pipelines_tests.deployment.manifests import ROOT, documents, faults, instance, part, values

# Half a second each: Dagster writes what it does into files.
pytestmark = pytest.mark.slow

IMAGE = "registry.example.com/arcana-pipelines:0.1.0"
TAG = "dagster-k8s/config"


@dataclass
class Cluster:
    """A stand-in of the API: it takes Jobs, has a pod of each, and refuses what the launcher's Role does not allow."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, method: str, path: str, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """The status and the document."""
        resource, name = _resource(path)
        verb = {"POST": "create", "DELETE": "delete", "GET": "get" if name else "list"}[method]
        self.asked.append((verb, resource))
        if (verb, resource) not in ALLOWED:
            return 403, {"kind": "Status", "message": f"may not {verb} {resource}"}
        if verb == "create":
            self.jobs.append(sent)
            return 200, sent
        if resource == "jobs/status":
            return 200, {"status": {"active": 1}}
        if resource == "pods" and verb == "list":
            ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
            state = {
                "name": "dagster",
                "image": IMAGE,
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": ended,
            }
            pod = {"spec": {"containers": [{"name": "dagster"}]}, "status": {"containerStatuses": [state]}}
            return 200, {"items": [{"metadata": {"name": "its-pod"}, **pod}]}
        return 200, {"items": []} if verb == "list" else {"kind": "Status", "status": "Success"}


ALLOWED = {
    (verb, resource)
    for document in documents()
    if document["kind"] == "Role"
    for rule in document["rules"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
}


def _resource(path: str) -> tuple[str, str]:
    """What a path of the API is of, with its part after a slash; and the name, "" for all of a kind."""
    _, _, below = path.partition("/namespaces/arcana/")
    resource, name, part, *_ = [*below.split("/"), "", ""]
    return f"{resource}/{part}".rstrip("/"), name


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, Path]]:
    """A stand-in on loopback, and the file by which programs find it."""
    cluster = Cluster()

    class Api(AnsweringServer):
        def answer(self, request: Request) -> Answer:
            path = request.target.partition("?")[0]
            status, document = cluster.answer(request.method, path, json.loads(request.body or "{}"))
            return Answer(status, json.dumps(document).encode())

    with Api() as server:
        file = tmp_path_factory.mktemp("cluster") / "kubeconfig"
        found = {
            "clusters": [{"name": "it", "cluster": {"server": server.address}}],
            "users": [{"name": "it", "user": {}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        }
        file.write_text(yaml.safe_dump(found), encoding="utf-8")
        yield cluster, file


@pytest.fixture(scope="module")
def dagster(served: tuple[Cluster, Path]) -> Iterator[dg.DagsterInstance]:
    """An instance whose launcher is that of our values, but for where it finds the cluster."""
    launcher = instance(values())["run_launcher"]
    launcher["config"] |= {"load_incluster_config": False, "kubeconfig_file": str(served[1])}
    with dg.instance_for_test(overrides={"run_launcher": launcher}) as made:
        with pytest.MonkeyPatch.context() as environment:
            for each in values()["dagsterDaemon"]["env"]:
                environment.setenv(each["name"], each["value"])
            assert isinstance(made.run_launcher, K8sRunLauncher)
        yield made


@pytest.fixture
def cluster(served: tuple[Cluster, Path]) -> Cluster:
    """The stand-in, which has been asked nothing yet."""
    served[0].asked.clear()
    served[0].jobs.clear()
    return served[0]


@dg.op
def nothing() -> None:
    """What the run would do."""


@dg.job(executor_def=dg.in_process_executor)
def sync_workspace() -> None:
    """In the place of ours, which would need the database."""
    nothing()


def _launch(dagster: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    here = ModuleCodePointer(__name__, sync_workspace.name)
    code = RepositoryPythonOrigin(sys.executable, here, IMAGE, DEFAULT_DAGSTER_ENTRY_POINT)
    location = GrpcServerCodeLocationOrigin(host="code", port=4000, location_name="arcana_pipelines")
    run = dagster.create_run_for_job(
        sync_workspace,
        tags=tags,
        job_code_origin=JobPythonOrigin(sync_workspace.name, code),
        remote_job_origin=RemoteRepositoryOrigin(location, "__repository__").get_job_origin(sync_workspace.name),
        status=dg.DagsterRunStatus.STARTING,
    )
    dagster.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
    return run


def _container(job: dict[str, Any]) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return container  # type: ignore[no-any-return]


def test_a_run_is_a_job_of_our_image_as_closed_as_all_our_pods(cluster: Cluster, dagster: dg.DagsterInstance) -> None:
    run = _launch(dagster)
    (job,) = cluster.jobs
    assert cluster.asked == [("create", "jobs")]
    assert faults(job) == [] and part(job) == "run"
    pod, container = job["spec"]["template"]["spec"], _container(job)
    assert container["image"] == IMAGE
    assert container["args"][:3] == ["dagster", "api", "execute_run"] and run.run_id in container["args"][3]
    assert pod["automountServiceAccountToken"] is False and pod["serviceAccountName"] == "arcana-run"
    assert pod["restartPolicy"] == "Never" and job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"] == 86400


def test_its_secrets_are_named_and_stand_nowhere_in_it(
    cluster: Cluster, dagster: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTION_TOKEN", "DATABASE_URL", "DAGSTER_PG_PASSWORD"):
        monkeypatch.setenv(name, "a-secret-of-the-daemon")
    _launch(dagster)
    (job,) = cluster.jobs
    container = _container(job)
    assert [each["secretRef"]["name"] for each in container["envFrom"] if "secretRef" in each] == [
        "arcana-owner",
        "arcana-sources",
    ]
    said = {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
    assert said["DAGSTER_PG_PASSWORD"] == {
        "secretKeyRef": {"key": "postgresql-password", "name": "arcana-dagster-database"}
    }
    assert said["DAGSTER_HOME"] == "/var/lib/arcana/dagster" and said["ARCANA_HOME"] == "/var/lib/arcana"
    assert "a-secret-of-the-daemon" not in json.dumps(job)


def test_dagsters_file_is_mounted_into_the_home_that_the_run_is_told(
    cluster: Cluster, dagster: dg.DagsterInstance
) -> None:
    _launch(dagster)
    (job,) = cluster.jobs
    mounts = _container(job)["volumeMounts"]
    paths = [each["mountPath"] for each in mounts]
    assert len(paths) == len(set(paths)), "the cluster refuses two volumes at one place"
    (file,) = [each for each in mounts if each["mountPath"] == "/var/lib/arcana/dagster/dagster.yaml"]
    volumes = {each["name"]: each for each in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes[file["name"]]["configMap"] == {"name": "dagster-instance"}
    assert len(volumes) == len(job["spec"]["template"]["spec"]["volumes"])


def test_the_tags_of_runs_that_embed_put_them_on_other_nodes_with_other_resources(
    cluster: Cluster, dagster: dg.DagsterInstance
) -> None:
    """As docs/kubernetes.md has it."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    written = yaml.safe_load(page[page.index("EMBEDDING_RUN_TAGS: >-") :].partition("```")[0])["EMBEDDING_RUN_TAGS"]
    _launch(dagster, LauncherSettings(embedding_run_tags=written).tags_of_embedding)
    (job,) = cluster.jobs
    assert job["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "embedding"}
    assert _container(job)["resources"]["limits"] == {"memory": "12Gi"}
    assert faults(job) == []


def test_a_run_of_a_command_in_the_code_server_is_not_called_dead(dagster: dg.DagsterInstance) -> None:
    """No Job is its own."""
    run = dagster.create_run_for_job(sync_workspace, status=dg.DagsterRunStatus.STARTED)
    assert dagster.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING


@pytest.mark.parametrize(
    "config",
    [
        {"container_config": {"image": "elsewhere.example.com/other:1"}},
        {"container_config": {"security_context": {"privileged": True}}},
        {"container_config": {"env_from": [{"secret_ref": {"name": "another-secret"}}]}},
        {"pod_spec_config": {"service_account_name": "dagster"}},
        {"pod_spec_config": {"volumes": [{"name": "node", "host_path": {"path": "/"}}]}},
        {"pod_template_spec_metadata": {"labels": {"arcana-part": "daemon"}}},
    ],
    ids=lambda config: "-".join(next(iter(config.values()))),
)
def test_a_runs_tag_changes_nothing_else(cluster: Cluster, dagster: dg.DagsterInstance, config: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="violated the allowed list"):
        _launch(dagster, {TAG: json.dumps(config)})
    assert cluster.jobs == []


def test_nor_does_it_where_the_settings_alone_say_how_runs_are_started(
    cluster: Cluster, served: tuple[Cluster, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = {"module": "arcana_pipelines.defs.launcher", "class": "LauncherOfSetting"}
    found = {"load_incluster_config": False, "kubeconfig_file": str(served[1])}
    monkeypatch.setenv("RUN_LAUNCHER", "kubernetes")
    monkeypatch.setenv("KUBERNETES_NAMESPACE", "arcana")
    with dg.instance_for_test(overrides={"run_launcher": {**file, "config": found}}) as made:
        with pytest.raises(Exception, match="violated the allowed list"):
            _launch(made, {TAG: json.dumps({"pod_spec_config": {"service_account_name": "dagster"}})})
        assert cluster.jobs == []
        _launch(made, {TAG: json.dumps({"pod_spec_config": {"node_selector": {"pool": "embedding"}}})})
        assert cluster.jobs[0]["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "embedding"}


def test_a_run_is_looked_at_explained_and_ended_with_the_rights_of_the_role(
    cluster: Cluster, dagster: dg.DagsterInstance
) -> None:
    run = _launch(dagster)
    launcher = dagster.run_launcher
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    assert "OOMKilled" in str(launcher.get_run_worker_debug_info(run))
    assert launcher.terminate(run.run_id)
    assert {("create", "jobs"), ("get", "jobs/status"), ("delete", "jobs"), ("delete", "pods")} <= set(cluster.asked)
    assert set(cluster.asked) <= ALLOWED
    # The one that is left explains a Job that never had a pod.
    assert ALLOWED - set(cluster.asked) == {("list", "jobs")}


@pytest.mark.long
def test_its_command_runs_where_there_is_no_token_and_no_api(cluster: Cluster, dagster: dg.DagsterInstance) -> None:
    """As in its pod: the launcher that the command is told of could not be made there."""
    run = _launch(dagster)
    (job,) = cluster.jobs
    *words, told = _container(job)["args"]
    assert words == ["dagster", "api", "execute_run"]
    as_there = told.replace("load_incluster_config: false", "load_incluster_config: true")
    assert as_there != told
    without_file = re.sub(r"kubeconfig_file: [^\\]*\\n", "", as_there)
    assert "kubeconfig" not in without_file
    there = {name: value for name, value in os.environ.items() if not name.startswith("KUBERNETES_")}
    done = subprocess.run([sys.executable, "-m", *words, without_file], cwd=ROOT, env=there, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    ended = dagster.get_run_by_id(run.run_id)
    assert ended is not None and ended.status == dg.DagsterRunStatus.SUCCESS
    assert cluster.asked == [("create", "jobs")]


@pytest.mark.skipif(importlib.util.find_spec("kubernetes_validate") is None, reason="kubernetes-validate is not there")
def test_the_job_is_valid_in_old_and_new_releases(cluster: Cluster, dagster: dg.DagsterInstance) -> None:
    import kubernetes_validate

    _launch(dagster)
    (job,) = cluster.jobs
    for release in RELEASES:
        kubernetes_validate.validate(job, release, strict=True)
