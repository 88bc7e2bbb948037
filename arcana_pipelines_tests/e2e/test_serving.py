"""From nothing to an answer over HTTP, as a person does it at the command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from arcana_pipelines.db.embedded import lease
from arcana_pipelines.testing.notion_server import NotionWorld, seed_world
from arcana_pipelines_tests.e2e.conftest import Arcana

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PROGRAMS = {"search.sh": ("sh", "curl", "jq"), "search.mjs": ("node",)}
SALT = {
    "API_KEY_SALT": "9f8e7d6c5b4a39281706f5e4d3c2b1a0ffee",
    "SECRET_KEY": "0f1e2d3c4b5a69788796a5b4c3d2e1f0aabb",
}


@pytest.fixture
def world() -> NotionWorld:
    return seed_world(pages=1, rows=0)


@pytest.fixture
def registered(arcana: Arcana, tmp_path: Path) -> Arcana:
    """A workspace of one page, which nothing has read yet."""
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / f"Badges {'0' * 31}1.md").write_text("# Badges\n\nA badge opens the door.\n")
    export = ("--source", "notion-export", "--path", str(folder))
    added = arcana.here("workspace", "add", "acme", *export, "--company", "Acme Inc.")
    assert added.returncode == 0, added.stderr
    return arcana


@pytest.fixture
def indexed(registered: Arcana) -> Arcana:
    """The same, indexed."""
    assert registered.here("sync", "acme").returncode == 0
    return registered


def url_of_server(arcana: Arcana) -> str:
    """The database's address for who serves companies."""
    return arcana.environment["DATABASE_URL"].replace(f"{lease.WRITER}@", f"{lease.SERVER}@")


def address_of(server: subprocess.Popen[str]) -> str:
    """Where it says that it serves."""
    assert server.stdout is not None
    found = re.search(r"http://\S+/v1", server.stdout.readline())
    assert found is not None
    return found[0]


def test_a_key_opens_the_workspace_that_it_was_made_for_until_it_is_revoked(indexed: Arcana) -> None:
    made = indexed.json("key", "create", "--workspace", "acme", "--scope", "search", "--scope", "read", **SALT)
    server = indexed.start("serve", "--port", "0", **SALT, DATABASE_URL=url_of_server(indexed))
    try:
        url = f"{address_of(server)}/workspaces/acme/search"
        headers = {"Authorization": f"Bearer {made['key']}"}
        found = httpx.post(url, json={"query": "badge"}, headers=headers, timeout=60, trust_env=False)
        assert found.status_code == 200 and found.json()["hits"][0]["title"] == "Badges"
        listed = indexed.json("key", "list", **SALT)["keys"]
        assert [(key["key_id"], key["state"], key["company"]) for key in listed] == [
            (made["key_id"], "good", "Acme Inc.")
        ]
        assert listed[0]["scopes"] == ["read in acme", "search in acme"]
        assert made["key"][13:] not in str(listed)
        indexed.json("key", "revoke", made["key_id"], **SALT)
        assert httpx.post(url, json={"query": "badge"}, headers=headers, trust_env=False).status_code == 401
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) in (0, -signal.SIGTERM)
    finally:
        server.kill()
        server.communicate()


def test_what_a_server_answered_that_was_killed_can_be_judged_at_the_next_and_is_reported(indexed: Arcana) -> None:
    scopes = ("--scope", "search", "--scope", "feedback")
    made = indexed.json("key", "create", "--workspace", "acme", *scopes, **SALT)
    headers = {"Authorization": f"Bearer {made['key']}"}

    def begin() -> tuple[subprocess.Popen[str], str]:
        server = indexed.start("serve", "--port", "0", **SALT, DATABASE_URL=url_of_server(indexed))
        return server, address_of(server)

    killed, address = begin()
    try:
        url = f"{address}/workspaces/acme/search"
        answer = httpx.post(url, json={"query": "badge"}, headers=headers, timeout=60, trust_env=False).json()
        until = time.monotonic() + 30
        while not indexed.json("usage", "purge", "--workspace", "acme", "--older-than", "0")["answers"]:
            assert time.monotonic() < until, "it was not noted"
    finally:
        killed.kill()
        killed.communicate()
    server, address = begin()
    try:
        hit = answer["hits"][0]
        said = {"request_id": answer["request_id"], "verdict": "helpful", "document_id": hit["document_id"],
                "position": hit["position"]}  # fmt: skip
        judged = httpx.post(f"{address}/feedback", json=said, headers=headers, timeout=60, trust_env=False)
        assert judged.status_code == 204
    finally:
        server.kill()
        server.communicate()
    (page,) = indexed.json("report", "pages")["rows"]
    assert (page["title"], page["shown"], page["helpful"]) == ("Badges", 1, 1)
    (drafted,) = indexed.json("eval", "acme", "--suggest", "--from-feedback")["questions"]
    assert drafted["query"] == "badge"
    checks = {check["name"]: check for check in json.loads(indexed.here("doctor", "--json").stdout)["checks"]}
    assert checks["health"]["ok"] and "api on " in checks["health"]["detail"]
    assert indexed.json("usage", "purge", "--key", made["key_id"], "--yes", **SALT)["questions"] == 1
    assert indexed.json("eval", "acme", "--suggest", "--from-feedback")["questions"] == []


@contextmanager
def served(arcana: Arcana, *options: str, **variables: str) -> Iterator[str]:
    """The address of a server that has both of the database's, the application's and that of who serves."""
    server = arcana.start(
        "serve", "--port", "0", *options, **SALT, SERVE_DATABASE_URL=url_of_server(arcana), **variables
    )
    try:
        yield address_of(server)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) in (0, -signal.SIGTERM)
    finally:
        server.kill()
        server.communicate()


class TestAnotherLanguage:
    """What the documents tell to run in languages other than Python, run as they tell it."""

    @pytest.mark.parametrize("example", PROGRAMS)
    def test_finds_and_reads(self, indexed: Arcana, example: str) -> None:
        if missing := [program for program in PROGRAMS[example] if shutil.which(program) is None]:
            pytest.skip(f"NOT RUN: docs/examples/{example} needs {', '.join(missing)}, which are not on this machine")
        made = indexed.json("key", "create", "--workspace", "acme", "--scope", "search", "--scope", "read", **SALT)
        with served(indexed) as address:

            def run(workspace: str, key: str) -> subprocess.CompletedProcess[str]:
                return subprocess.run(
                    [PROGRAMS[example][0], str(EXAMPLES / example), workspace, "badge \"문\" & door"],
                    env={"PATH": os.environ["PATH"], "ARCANA_URL": address.removesuffix("/v1"), "ARCANA_KEY": key},
                    capture_output=True, text=True, timeout=60, check=False,
                )  # fmt: skip

            found = run("acme", made["key"])
            assert found.returncode == 0, found.stderr
            assert "Badges" in found.stdout and "A badge opens the door." in found.stdout
            unknown, locked_out = run("nowhere", made["key"]), run("acme", "arc_wrong")
        assert unknown.returncode != 0 and "no workspace of this name" in unknown.stdout + unknown.stderr
        assert locked_out.returncode != 0 and "opens nothing" in locked_out.stdout + locked_out.stderr


def test_an_administrator_s_key_changes_what_is_its_company_s_where_the_server_has_both_addresses(
    registered: Arcana,
) -> None:
    made = registered.json("key", "create", "--company", "Acme Inc.", "--scope", "admin", **SALT)
    wanted = {"slug": "wiki", "source": "notion", "token": "ntn_of_nobody"}
    key = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
    headers = {"Authorization": f"Bearer {made['key']}"}
    with served(registered, ENCRYPTION_KEY=key) as address:
        answer = httpx.post(f"{address}/workspaces", json=wanted, headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 201, answer.text
    (added,) = [each for each in registered.json("workspace", "list")["workspaces"] if each["workspace"] == "wiki"]
    assert added["company"] == "Acme Inc." and added["source"] == "token in the database, encrypted"
    server = registered.start("serve", "--port", "0", **SALT, DATABASE_URL=url_of_server(registered))
    try:
        address = address_of(server)
        answer = httpx.delete(f"{address}/workspaces/wiki", headers=headers, timeout=60, trust_env=False)
        assert answer.status_code == 404, "who may only serve has no such route"
    finally:
        server.kill()
        server.communicate()


def test_a_list_of_keys_says_when_each_ends_and_which_opens_nothing(registered: Arcana) -> None:
    made = registered.json("key", "create", "--workspace", "acme", "--scope", "search", "--expires", "30", **SALT)
    assert f"{made['key_id']}  good until {made['expires_at'][:10]}" in registered("key", "list", **SALT).stdout
    registered.json("workspace", "remove", "acme", "--yes", **SALT)
    assert "opens nothing any more" in registered("key", "list", **SALT).stdout


def test_doctor_says_whether_companies_can_be_served(registered: Arcana) -> None:
    def told(**variables: str | None) -> tuple[bool, str]:
        checks = registered.here("doctor", "--json", **variables).stdout
        (found,) = [each for each in json.loads(checks)["checks"] if each["name"] == "serving"]
        return found["ok"], found["detail"]

    assert told(API_KEY_SALT=None) == (True, "`arcana serve` is not set up: `arcana config init` makes its secrets")
    assert "SERVE_DATABASE_URL is not set" in told(**SALT)[1]
    ok, said = told(**SALT, SERVE_DATABASE_URL=url_of_server(registered))
    assert ok and "'arcana_server' sees nothing but for the company of a key" in said
    ok, said = told(**SALT, SERVE_DATABASE_URL=registered.environment["DATABASE_URL"])
    assert not ok and "reads what is every company's" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scope", "search"), "--workspace SLUG, or --company NAME"),
        (("--scope", "search", "--workspace", "acme", "--company", "Acme Inc."), "not both"),
        (("--scope", "search", "--workspace", "nowhere"), "no workspace 'nowhere'"),
        (("--scope", "search", "--workspace", "acme", "--index", "drafts"), "no index 'drafts'"),
        (("--scope", "search", "--company", "Globex"), "no company 'Globex', only 'Acme Inc.', 'default'"),
        (("--scope", "search", "--company", "Acme Inc.", "--index", "default"), "--index names an index of workspaces"),
        (("--scope", "everything", "--workspace", "acme"), "is not one of 'search'"),
        (("--workspace", "acme"), "Missing option '--scope'"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused(registered: Arcana, options: tuple[str, ...], said: str) -> None:
    done = registered.here("key", "create", *options, **SALT)
    assert done.returncode == 2 and said in " ".join(done.stderr.split())


def test_without_a_salt_no_key_is_made_and_nothing_is_served(registered: Arcana) -> None:
    for command in (("key", "create", "--workspace", "acme", "--scope", "search"), ("serve", "--port", "0")):
        done = registered.here(*command, API_KEY_SALT=None)
        assert done.returncode == 2 and "API_KEY_SALT" in done.stderr and "arcana config init" in done.stderr


def test_without_what_signs_its_cursors_nothing_is_served(registered: Arcana) -> None:
    done = registered.here("serve", "--port", "0", **{**SALT, "SECRET_KEY": None})
    assert done.returncode == 2 and "SECRET_KEY" in done.stderr and "arcana config init" in done.stderr


def test_who_reads_what_is_every_company_s_serves_none(registered: Arcana) -> None:
    done = registered.here("serve", "--port", "0", **SALT)
    assert done.returncode == 2 and "reads what is every company's" in done.stderr and "arcana_server" in done.stderr
