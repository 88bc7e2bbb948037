"""Commands, files and names in docs/kubernetes.md are there."""

from __future__ import annotations

import re
import shlex

import click

from arcana_pipelines.cli.main import cli
from arcana_pipelines_tests.deployment.manifests import ROOT, documents, values

PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SHELL = [text for language, text in BLOCKS if not language]
LINES = [line.split("  #")[0] for block in SHELL for line in block.splitlines()]


def test_files_that_it_names_are_there() -> None:
    named = set(re.findall(r"\bdeploy/(?:kubernetes|helm|postgres)[\w./-]*\w", PAGE))
    assert len(named) > 6
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_what_the_image_is_built_with_is_what_its_file_takes() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    given = re.findall(r"--build-arg (\w+)=(\S+)", " ".join(LINES))
    assert given
    assert {name for name, _ in given} <= set(re.findall(r"^ARG (\w+)=", dockerfile, re.MULTILINE))
    # The client is of the server that docker-compose.yml runs, or a newer one; an encrypted server wants it.
    assert dict(given)["POSTGRES_CLIENT"] == values()["postgresql"]["image"]["tag"].partition("-pg")[2]


def test_every_command_of_arcana_is_one_with_these_options() -> None:
    commands = [shlex.split(line)[2:] for line in LINES if line.startswith("in_code arcana")]
    assert len(commands) > 4
    for words in commands:
        command: click.Command = cli
        while isinstance(command, click.Group):
            name = words.pop(0)
            command = _found(command, name)
        options = {option for each in command.params for option in each.opts}
        assert {word for word in words if word.startswith("--")} <= options, (command.name, words)


def _found(group: click.Group, name: str) -> click.Command:
    found = group.get_command(click.Context(group), name)
    assert found is not None, f"there is no command {name}"
    return found


def test_names_of_the_cluster_are_those_of_the_manifests() -> None:
    ours = {(each["kind"].lower(), each["metadata"]["name"]) for each in documents()}
    named = set(re.findall(r"(?<=\s)(job|deploy|svc)/(?!helm|kubernetes|postgres)([\w-]+)", PAGE)) - {
        ("job", "dagster-run-ID")
    }
    kinds = {"job": "job", "deploy": "deployment", "svc": "service"}
    of_chart = {("deploy", "dagster-daemon"), ("deploy", "dagster-dagster-user-deployments-code"),
                ("svc", "dagster-dagster-webserver")}  # fmt: skip
    assert of_chart <= named
    assert {(kinds[kind], name) for kind, name in named - of_chart} <= ours
    parts = {values()["dagsterDaemon"]["labels"]["arcana-part"], "run", "api"}
    assert set(re.findall(r"arcana-part[=:] ?(\w+)", PAGE)) <= parts


def test_marked_places_are_where_the_page_says() -> None:
    marked = {
        str(file.relative_to(ROOT))
        for folder in ("helm", "kubernetes")
        for file in (ROOT / "deploy" / folder).rglob("*.yaml")
        if "HERE" in file.read_text(encoding="utf-8")
    }
    assert {"deploy/helm/values.yaml", "deploy/kubernetes/first/network-policies.yaml"} <= marked
    assert 'grep -rn "HERE" deploy/helm deploy/kubernetes' in PAGE


def test_the_three_places_of_the_image_are_marked() -> None:
    for path in ("helm/values.yaml", "kubernetes/migrate/kustomization.yaml", "kubernetes/services/kustomization.yaml"):
        assert "# HERE: the image" in (ROOT / "deploy" / path).read_text(encoding="utf-8")
