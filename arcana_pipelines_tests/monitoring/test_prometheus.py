"""Alert rules and the dashboard, by Debian's Prometheus and promtool: what is not installed skips its tests, loudly."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from arcana_pipelines.monitoring.exporter import Figures, listen
from arcana_pipelines.web.metrics import Metrics
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.reference import figures

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RULES_TEST = RULES.with_name("rules_test.yml")
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
_WORDS = re.compile(r"arcana_[a-z_]+")


def installed(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"NO {program.upper()}: rules or dashboard were not tried (Debian: prometheus)")
    return path


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> dict[str, str]:
    """Each expression of the dashboard by its panel, with Grafana's variables as for all workspaces."""
    found = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$__rate_interval", "5m").replace("$workspace", ".*")
            name = f"{panel['title']} {target['refId']}"
            assert name not in found, f"two panels are called {panel['title']}"
            found[name] = expression
    return found


def exported() -> set[str]:
    return {name for name, *_ in figures()}


def named(expression: str) -> set[str]:
    """The figures that an expression names; of a histogram's parts the histogram."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in _WORDS.findall(expression)}


def test_the_rules_are_sound_and_hold_their_tests() -> None:
    promtool = installed("promtool")
    for arguments in (["check", "rules", RULES.name], ["test", "rules", RULES_TEST.name]):
        ran = subprocess.run([promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alert_is_tested_to_be_raised_and_not_to_be() -> None:
    names = [rule["alert"] for rule in rules()]
    tests = [test["name"] for test in yaml.safe_load(RULES_TEST.read_text())["tests"]]
    assert len(names) == len(set(names))
    for name in names:
        for said in ("is raised", "is not raised"):
            assert any(test.startswith(f"{name} {said}") for test in tests), f"{name}: no test that it {said}"


def test_rules_and_dashboard_name_what_is_exported_and_the_dashboard_names_all_of_it() -> None:
    of_rules = set().union(*(named(rule["expr"]) for rule in rules()))
    of_dashboard = set().union(*map(named, expressions().values()))
    assert of_rules | of_dashboard == exported()
    assert exported() - of_dashboard == set()
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "ticket"}


@pytest.fixture
def prometheus(acme: Harness, tmp_path: Path) -> Iterator[Callable[[str, dict[str, str]], Any]]:
    """A real Prometheus, with our rules, that has scraped a workspace that was synced, and a server's own figures."""
    program = installed("prometheus")
    acme.world.add_page("Vacation policy", blocks="Everyone has 30 days.")
    acme.world.add_page("휴가 규정", blocks="휴가 30일.")
    acme.settle()
    acme.sync()
    registry = CollectorRegistry()
    registry.register(Figures(acme.database))
    metrics = Metrics(acme.database)
    metrics.note("/v1/workspaces/{slug}/search", "POST", 200, 0.02)
    metrics.note_cache("searches", "miss")
    told_at = [listen(registry, "127.0.0.1", 0, ""), listen(metrics.registry, "127.0.0.1", 0, "")]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": "arcana", "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in told_at]}]}
        ],
    }
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        program, f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={tmp_path / 'series'}", "--log.level=error",
    ]  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1/", trust_env=False) as client:

        def ask(path: str, parameters: dict[str, str]) -> Any:
            answer = client.get(path, params=parameters).json()
            assert answer["status"] == "success", (parameters, answer)
            return answer["data"]

        with subprocess.Popen(command) as process:
            try:
                scraped = Retrying(
                    retry=retry_if_exception_type((httpx.TransportError, ValueError))
                    | retry_if_result(lambda found: len(found) < 2),
                    stop=stop_after_delay(60), wait=wait_fixed(0.1),
                )  # fmt: skip
                scraped(lambda: ask("query", {"query": "up == 1"})["result"])
                yield ask
            finally:
                process.terminate()
                process.wait(30)


@pytest.mark.e2e
@pytest.mark.slow
def test_a_prometheus_that_scraped_a_synced_workspace_answers_each_expression_of_the_dashboard_and_of_the_rules(
    prometheus: Callable[[str, dict[str, str]], Any],
) -> None:
    assert all(prometheus("query", {"query": text})["resultType"] for text in expressions().values())
    assert all(prometheus("query", {"query": rule["expr"]})["resultType"] for rule in rules())
    assert prometheus("query", {"query": 'arcana_documents{workspace="acme"}'})["result"][0]["value"][1] == "2"
    loaded = [rule for group in prometheus("rules", {})["groups"] for rule in group["rules"]]
    assert len(loaded) == len(rules()) and not [rule for rule in loaded if rule.get("lastError")]
    # What has something to say of an installation that has just been synced says it.
    said = {title for title, text in expressions().items() if prometheus("query", {"query": text})["result"]}
    assert {
        "Database A",
        "Documents A",
        "Chunks A",
        "Pages by state A",
        "Size A",
        "Last known to be as the source A",
    } <= said
