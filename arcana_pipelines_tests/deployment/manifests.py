"""What `deploy/` says of Kubernetes, and what must hold of every pod in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
VALUES = ROOT / "deploy" / "helm" / "values.yaml"
KUBERNETES = ROOT / "deploy" / "kubernetes"
FOLDERS = ("first", "migrate", "services")

Document = dict[str, Any]


def values() -> Document:
    """Our values for Dagster's chart."""
    return yaml.safe_load(VALUES.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def chart_version() -> str:
    """The release of the chart that the values are for."""
    (version,) = set(re.findall(r"--version (\S+)", VALUES.read_text(encoding="utf-8")))
    return version


def instance(ours: Document) -> Document:
    """The parts of `dagster.yaml` that the values write themselves: who starts runs, and when."""
    daemon = ours["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    return {"run_coordinator": daemon, "run_launcher": ours["runLauncher"]["config"]["customRunLauncher"]}


def documents() -> list[Document]:
    """All of our own manifests, without what kustomize changes in them."""
    files = [file for folder in FOLDERS for file in sorted((KUBERNETES / folder).glob("*.yaml"))]
    found = [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return [each for each in found if each["kind"] != "Kustomization"]


def of_chart(ours: Document) -> list[Document]:
    """The Deployments that the chart makes of the values, as far as the values decide."""
    (code,) = ours["dagster-user-deployments"]["deployments"]
    parts = {"webserver": ours["dagsterWebserver"], "daemon": ours["dagsterDaemon"], "code": code}
    ports = {"webserver": parts["webserver"]["service"]["port"], "code": code["port"]}
    return [_deployment(name, part, ports.get(name)) for name, part in parts.items()]


def _deployment(name: str, part: Document, port: int | None) -> Document:
    container = {
        "name": name,
        "image": f"{part['image']['repository']}:{part['image']['tag']}",
        "env": part["env"],
        "envFrom": [
            *({"configMapRef": each} for each in part.get("envConfigMaps", [])),
            *({"secretRef": each} for each in part.get("envSecrets", [])),
        ],
        "volumeMounts": part["volumeMounts"],
    }
    for key in ("securityContext", "resources", "readinessProbe", "livenessProbe", "startupProbe"):
        if key in part:
            container[key] = part[key]
    if port:
        container["ports"] = [{"name": "http", "containerPort": port}]
    pod = {"securityContext": part["podSecurityContext"], "containers": [container], "volumes": part["volumes"]}
    template = {"metadata": {"labels": part["labels"]}, "spec": pod}
    return {"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": template}}


def workloads(found: Iterable[Document]) -> Iterator[Document]:
    """Those of them that make pods."""
    return (each for each in found if each["kind"] in ("Deployment", "StatefulSet", "Job"))


def part(workload: Document) -> str:
    """The label by which the network policies know its pods; "" without one."""
    return workload["spec"]["template"]["metadata"].get("labels", {}).get("arcana-part", "")  # type: ignore[no-any-return]


def faults(workload: Document) -> list[str]:
    """What a workload lacks of what all of ours have."""
    pod = workload["spec"]["template"]["spec"]
    name = workload["metadata"]["name"]
    said = list(_of_pod(pod))
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        said += [f"{container['name']}: {each}" for each in _of_container(container, pod)]
    if workload["kind"] != "Job":
        said += [f"{each['name']}: {fault}" for each in pod["containers"] for fault in _of_probes(each)]
    return [f"{name}: {each}" for each in said]


def _of_pod(pod: Document) -> Iterator[str]:
    security = pod.get("securityContext", {})
    if not security.get("runAsNonRoot") or security.get("runAsUser", 0) < 100:
        yield "may run as root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    if any("hostPath" in volume for volume in pod.get("volumes", [])) or pod.get("hostNetwork"):
        yield "sees its node"
    for volume in pod.get("volumes", []):
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"may fill its node ({volume['name']})"


def _of_container(container: Document, pod: Document) -> Iterator[str]:
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if not security.get("readOnlyRootFilesystem"):
        yield "writes into its image"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "has capabilities"
    resources = container.get("resources", {})
    if not resources.get("limits", {}).get("memory") or set(resources.get("requests", {})) != {"cpu", "memory"}:
        yield "has no limit of memory, or asks for nothing"
    if not re.search(r"(:v?\d[\w.-]*|@sha256:[0-9a-f]{64})$", container["image"]):
        yield f"its image is not pinned ({container['image']})"
    mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
    if unknown := mounted - {volume["name"] for volume in pod.get("volumes", [])}:
        yield f"mounts what is no volume of the pod ({', '.join(sorted(unknown))})"


def _of_probes(container: Document) -> Iterator[str]:
    if "livenessProbe" not in container:
        yield "is not started again when it hangs"
    if container.get("ports") and "readinessProbe" not in container:
        yield "is asked before it answers"
