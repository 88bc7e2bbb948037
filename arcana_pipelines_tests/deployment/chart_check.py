"""Dagster's chart with our values and our manifests, written out by helm and kubectl and validated strictly.

`make kubernetes CHART=…` runs it, with the chart as a folder or an archive. It needs `helm` and `kubectl` on the path
(or in HELM and KUBECTL) and the Python package kubernetes-validate, which has the schemas. Nothing is asked of a
cluster or of a network: the chart's own schema names its definitions by an address, in whose place those of that
package are put.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from arcana_pipelines_tests.deployment.manifests import FOLDERS, KUBERNETES, VALUES, faults, part, workloads

# The oldest release that knows all that is used (a pause before a stop), and the newest there is a schema of.
RELEASES = ("1.30", "1.37")
_DEFINITIONS = "kubernetes-json-schema/master/v1.19.0/_definitions.json"


def lacks() -> str | None:
    """What is not there and has to be, in a sentence."""
    for program in ("helm", "kubectl"):
        if shutil.which(_program(program)) is None:
            return f"{program} is not there: put it on the path, or its file into {program.upper()}"
    if importlib.util.find_spec("kubernetes_validate") is None:
        return "the schemas are not there: pip install kubernetes-validate"
    return None


def check(chart: Path) -> tuple[list[str], list[str]]:
    """Everything that is written out, by kind and name, and all that is wrong with it.

    Raises:
        RuntimeError: helm or kubectl cannot write it out, or a value is none of the chart's.
    """
    with tempfile.TemporaryDirectory() as folder:
        rendered = _of_chart(chart, Path(folder))
    for name in FOLDERS:
        rendered += kustomized(KUBERNETES / name)
    rendered += yaml.safe_load_all((KUBERNETES / "secrets.example.yaml").read_text(encoding="utf-8"))
    wrong = [each for document in rendered for each in _invalid(document)]
    for workload in workloads(rendered):
        wrong += faults(workload)
        if not part(workload):
            wrong.append(f"{workload['metadata']['name']}: no network policy lets it do anything")
    return [f"{each['kind']} {each['metadata']['name']}" for each in rendered], wrong


def dagster_yaml(chart: Path) -> dict[str, Any]:
    """The `dagster.yaml` that the chart writes of our values."""
    with tempfile.TemporaryDirectory() as folder:
        rendered = _of_chart(chart, Path(folder))
    (found,) = [each for each in rendered if each["metadata"]["name"] == "dagster-instance"]
    return yaml.safe_load(found["data"]["dagster.yaml"])  # type: ignore[no-any-return]


def kustomized(folder: Path) -> list[dict[str, Any]]:
    """What kubectl writes out of a folder with a `kustomization.yaml`."""
    return _documents(_run(_program("kubectl"), "kustomize", str(folder)))


def _program(name: str) -> str:
    return os.environ.get(name.upper()) or name


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed: {done.stderr.strip()}")
    return done.stdout


def _documents(text: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each]


def _of_chart(chart: Path, folder: Path) -> list[dict[str, Any]]:
    unpacked = folder / "dagster"
    if chart.is_dir():
        shutil.copytree(chart, unpacked)
    else:
        with tarfile.open(chart) as archive:
            archive.extractall(folder, filter="data")
    definitions = folder / "definitions.json"
    definitions.write_text(json.dumps(_definitions()), encoding="utf-8")
    for schema in unpacked.rglob("values.schema.json"):
        text = schema.read_text(encoding="utf-8")
        addresses = {word for word in text.split('"') if _DEFINITIONS in word}
        for address in {each.partition("#")[0] for each in addresses}:
            text = text.replace(address, definitions.as_uri())
        schema.write_text(text, encoding="utf-8")
    told = [_program("helm"), "template", "dagster", str(unpacked), "--namespace", "arcana", "--values", str(VALUES)]
    return _documents(_run(*told))


def _definitions() -> dict[str, Any]:
    """Those of the package, in the form in which the chart's schema asks for them."""
    import kubernetes_validate

    schemas = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    text = (schemas / f"v{RELEASES[0]}.0-local" / "_definitions.json").read_text(encoding="utf-8")
    found = json.loads(text.replace("#/$defs/", "#/definitions/"))
    return {"definitions": found["$defs"]}


def _invalid(document: dict[str, Any]) -> Iterator[str]:
    import kubernetes_validate

    for release in RELEASES:
        try:
            kubernetes_validate.validate(document, release, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{document['kind']} {document['metadata']['name']} ({release}): {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield f"{document['kind']} {document['metadata']['name']} ({release}): Kubernetes has no such kind"


def main() -> int:
    """Print what was looked at and what is wrong; 1 where something is."""
    missing = lacks() or ("" if len(sys.argv) == 2 else "which chart? make kubernetes CHART=dagster-….tgz")
    if missing:
        print(missing, file=sys.stderr)
        return 2
    try:
        names, wrong = check(Path(sys.argv[1]))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(names)} objects, each against Kubernetes {' and '.join(RELEASES)}: {len(wrong)} faults")
    for each in wrong:
        print(f"  {each}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
