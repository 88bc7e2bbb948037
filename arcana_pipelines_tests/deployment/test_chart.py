"""Dagster's chart with our values, where helm, kubectl and the chart can be had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import yaml

from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.instance_file import fault
from arcana_pipelines_tests.deployment import chart_check
from arcana_pipelines_tests.deployment.manifests import ROOT

pytestmark = pytest.mark.long


def test_changes_of_ones_own_are_laid_over_ours(tmp_path: Path) -> None:
    """As docs/kubernetes.md has it."""
    if missing := chart_check.lacks():
        pytest.skip(missing)
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    mine = page.partition("```yaml\napiVersion: kustomize")[2].partition("```")[0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kustomization.yaml").write_text(f"apiVersion: kustomize{mine}", encoding="utf-8")
    shutil.copytree(ROOT / "deploy", tmp_path / "arcana-pipelines" / "deploy")
    written = {each["kind"] + each["metadata"]["name"]: each for each in chart_check.kustomized(tmp_path / "mine")}
    (to,) = written["NetworkPolicydatabase"]["spec"]["egress"][0]["to"]
    assert to == {"ipBlock": {"cidr": "10.1.2.3/32"}}
    assert written["ConfigMaparcana-settings"]["data"]["BACKUP_TO"] == "s3://backups/arcana"


@pytest.fixture(scope="module")
def chart() -> Path:
    named = os.environ.get("DAGSTER_CHART")
    if missing := chart_check.lacks():
        pytest.skip(missing)
    if not named:
        pytest.skip("DAGSTER_CHART does not name Dagster's chart (docs/kubernetes.md)")
    return Path(named)


def test_everything_that_is_written_out_is_valid_and_as_closed_as_ours(chart: Path) -> None:
    names, wrong = chart_check.check(chart)
    assert wrong == []
    kinds = {name.split()[0] for name in names}
    assert {"Deployment", "Job", "NetworkPolicy", "Role", "HorizontalPodAutoscaler", "PodDisruptionBudget"} <= kinds
    assert len(names) > 40


def test_dagster_can_use_the_file_that_the_chart_writes(
    chart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = chart_check.dagster_yaml(chart)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(written), encoding="utf-8")
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "x")
    assert fault(tmp_path / "dagster.yaml") is None
    ours = yaml.safe_load(DAGSTER_YAML.read_text(encoding="utf-8"))
    for same in ("run_coordinator", "concurrency", "sensors", "schedules", "python_logs", "telemetry", "nux"):
        assert written[same] == ours[same], same
    assert ours["run_monitoring"].items() <= written["run_monitoring"].items()
    for ticks in ("schedule", "sensor"):
        purged, wanted = (each["retention"][ticks]["purge_after_days"] for each in (written, ours))
        assert purged == wanted or wanted.items() <= purged.items()
