"""A `dagster.yaml` that Dagster could not use is one sentence with the line, which repeats nothing secret."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from arcana_pipelines.defs.instance import DAGSTER_YAML
from arcana_pipelines.defs.instance_file import fault


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("foo: [bar", 1, "expected ',' or ']'"),
        ("foo: [bar\n\nbaz: 1\n", 3, "begins in line 1"),
        ("nux: {}\ntelemetry:\n enabled: true\n  more: 1\n", 4, "mapping values are not allowed"),
        ("nux: {}\n\ttelemetry: {}\n", 2, "cannot start any token"),
        ("nux: {}\nstorage: *SECRET\n", 2, "quotes"),
        ("nux: {}\nstorage: !SECRET x\n", 2, "quotes"),
        ("nux: {}\nx: \x01\n", 2, "control character"),
        ("nux: {}\nsensors:\n  ? [a]\n  : b\n", 3, "unhashable"),
        ("- a\n", 1, "mapping"),
        ("SECRET", 1, "mapping"),
        ("1: 2\n", 1, "'1' is not a setting"),
        ("nux: {}\nno_such_setting: SECRET\n", 2, "'no_such_setting' is not a setting"),
        ("nux: {}\none: 1\ntwo: 2\n", 2, "'one' is not a setting"),
        ("run_monitoring:\n  enabled: true\n  no_such: 1\n", 3, "'no_such' is not a setting of 'run_monitoring'"),
        ("run_monitoring:\n  enabled: SECRET\n", 2, "'run_monitoring.enabled' has to be true or false"),
        ("run_monitoring: SECRET\n", 1, "mapping of settings"),
        ("nux: {}\nstorage: SECRET\n", 2, "'storage' has to be a mapping"),
        ("nux: {}\nconcurrency: 5\n", 2, "'concurrency' has to be a mapping"),
        ("python_logs:\n  managed_python_loggers:\n    - a\n    - [SECRET]\n", 4, "has to be a text"),
        ("concurrency:\n  pools:\n    granularity: nope\n", 3, "granularity"),
        ("nux: {}\nrun_queue: {}\nrun_coordinator: {}\n", 3, "incompatible"),
        ("storage:\n  postgres:\n    postgres_db:\n      hostname: SECRET\n", 3, "lacks 'db_name' and 'username'"),
        ("storage:\n  postgres:\n    postgres_url:\n      env: NO_SUCH\n", 3, "the variable NO_SUCH, which is not set"),
        ("storage:\n  sqlite:\n    base_dir: [SECRET]\n", 3, "has to be one value or"),
        ("run_launcher:\n  module: dagster\n", 1, "lacks 'class'"),
        ("run_launcher:\n  module: dagster\n  class: NoSuch\n", 3, "dagster has no NoSuch"),
        ("compute_logs:\n  module: no_such_module\n  class: X\n", 2, "no_such_module"),
        (
            "run_coordinator:\n  module: dagster\n  class: QueuedRunCoordinator\n  config:\n"
            "    dequeue_interval_seconds: SECRET\n", 5, "a whole number",
        ),
        (
            DAGSTER_YAML.read_text().replace("dequeue_num_workers: 4", "nope: 1"), 14,
            "'nope' is not a setting of 'run_coordinator.config'",
        ),
    ],
)  # fmt: skip
def test_the_line_and_what_is_wrong_there_are_said(
    text: str, line: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCANA_DAGSTER_PG_URL", "postgresql+psycopg2:///")
    (tmp_path / "dagster.yaml").write_text(text)
    found = fault(tmp_path / "dagster.yaml")
    assert found is not None and found.startswith(f"line {line}: ") and said in found, found
    assert "SECRET" not in found and len(found.splitlines()) == 1
    # It is not stricter than Dagster, but for what Dagster opens later.
    if not text.startswith(("run_launcher", "run_coordinator", "compute_logs", "# Written")):
        with pytest.raises(Exception):  # noqa: B017  # whatever it is: it is no instance
            dg.DagsterInstance.from_config(str(tmp_path))


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_bytes("nux: {}\n# 설정\n".encode("cp949"))
    assert fault(tmp_path / "dagster.yaml") == "line 2: it is not UTF-8"


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "telemetry:\n  enabled: false\n",
     DAGSTER_YAML.read_text(),
     # Commands start no run by these two; the process that does may have more installed and set.
     "run_launcher:\n  module: dagster_k8s_not_here\n  class: K8sRunLauncher\n"],
)  # fmt: skip
def test_a_file_that_dagster_can_use_has_no_fault(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCANA_DAGSTER_PG_URL", "postgresql+psycopg2:///")
    (tmp_path / "dagster.yaml").write_text(text)
    assert fault(tmp_path / "dagster.yaml") is None


def test_no_file_has_no_fault(tmp_path: Path) -> None:
    assert fault(tmp_path / "dagster.yaml") is None
