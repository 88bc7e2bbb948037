"""How an account is named, opened and checked: settings, options of a workspace, and where a key is never sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from arcana_pipelines.cli.commands import workspace as workspace_commands
from arcana_pipelines.credentials.store import STORED
from arcana_pipelines.db.engine import Database
from arcana_pipelines.embedding.registry import model_of
from arcana_pipelines.errors import ArcanaError, InvalidSetting, MissingToken, TokenRevoked, WrongUse
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.operations.source_tokens import token_checks
from arcana_pipelines.pipeline import registration
from arcana_pipelines.settings import Settings, note_from_file
from arcana_pipelines.sources.freshdesk.domain import domain_of, normalise_domain
from arcana_pipelines.sources.freshdesk.source import FreshdeskSource
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.sources.registry import (
    Opening,
    changed_config,
    check_source,
    open_source,
    platform_named,
    reads_more,
    source_config,
    source_options,
)
from arcana_pipelines.testing.freshdesk_server import FreshdeskServer, Plan
from arcana_pipelines_tests.freshdesk.conftest import listed


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FreshdeskServer]:
    with FreshdeskServer() as server:
        monkeypatch.setenv("FRESHDESK_API_KEY", server.world.key)
        yield server


@pytest.fixture
def settings(arcana_settings: Settings, server: FreshdeskServer) -> Settings:
    return arcana_settings.model_copy(update={"freshdesk_domain": "acme", "freshdesk_base_url": server.url})


def opened(database: Database, config: dict[str, Any] | None = None, hurried: bool = False) -> FreshdeskSource:
    source = open_source("freshdesk", config or {}, None, "acme", database, hurried)
    assert isinstance(source, FreshdeskSource)
    return source


class TestDomain:
    @pytest.mark.parametrize(
        "given",
        [
            "acme", "ACME.freshdesk.com", "https://acme.freshdesk.com", "https://acme.freshdesk.com/a/tickets/1?x#y",
            " acme ", "acme.freshdesk.com.",
        ],
    )  # fmt: skip
    def test_what_people_paste_is_the_name_of_the_account(self, given: str) -> None:
        assert normalise_domain(given) == "acme"

    @pytest.mark.parametrize(
        "given",
        [
            "", "evil.example", "https://evil.example/acme.freshdesk.com", "acme.freshdesk.com.evil.example",
            "acme@evil.example", "https://acme.freshdesk.com@evil.example", "http://acme.freshdesk.com", "a b", "-acme",
            "acme.freshdesk.com:8080", "acme\nx", "acme_x", "고객", "x.acme.freshdesk.com", "a" * 64,
        ],
    )  # fmt: skip
    def test_a_key_is_sent_to_no_other_host(self, given: str) -> None:
        with pytest.raises(WrongUse):
            normalise_domain(given)
        with pytest.raises(WrongUse):
            check_source("freshdesk", {"domain": given or " "}, "FRESHDESK_API_KEY", "acme")

    def test_a_workspace_s_own_wins_over_the_installation_s(self) -> None:
        assert domain_of({"domain": "https://other.freshdesk.com"}, "acme") == "other"
        assert domain_of({}, "acme.freshdesk.com") == "acme"
        with pytest.raises(InvalidSetting, match="FRESHDESK_DOMAIN is not set"):
            domain_of({}, None)
        with pytest.raises(InvalidSetting, match="FRESHDESK_DOMAIN: "):
            domain_of({}, "evil.example")

    def test_a_workspace_without_an_account_is_refused_before_anything_is_begun(
        self, server: FreshdeskServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(InvalidSetting, match="FRESHDESK_DOMAIN is not set"):
            check_source("freshdesk", {}, "FRESHDESK_API_KEY", "acme")
        monkeypatch.setenv("FRESHDESK_DOMAIN", "acme")
        check_source("freshdesk", {}, "FRESHDESK_API_KEY", "acme")

    def test_the_address_of_the_api_is_that_of_the_account(self, arcana_settings: Settings, server: object) -> None:
        with closing(Database(arcana_settings.model_copy(update={"freshdesk_domain": "acme"}))) as database:
            assert opened(database).api.base_url == "https://acme.freshdesk.com"
            other = opened(database, {"domain": "other"})
            assert (other.api.base_url, other.identity()) == ("https://other.freshdesk.com", "other")

    @pytest.mark.parametrize("variable", ["FRESHDESK_BASE_URL", "FRESHDESK_DOMAIN"])
    def test_a_file_alone_does_not_say_where_a_key_is_sent(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "evil")
        monkeypatch.setenv("SUPPORT_TOKEN", "key")
        note_from_file([variable])
        for credential in (None, "SUPPORT_TOKEN"):
            with pytest.raises(InvalidSetting, match=variable):
                open_source("freshdesk", {}, credential, "acme", database)


class TestOpening:
    def test_a_workspace_is_read_with_the_installation_s_key(self, database: Database, server: FreshdeskServer) -> None:
        server.world.add_ticket("A", "B")
        refs, listing = listed(opened(database))
        assert listing.complete and set(refs) == {"1"}
        assert server.log[0].status == 200

    def test_a_workspace_may_name_another_variable(
        self, database: Database, server: FreshdeskServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("FRESHDESK_API_KEY")
        with pytest.raises(MissingToken, match="Freshdesk token from FRESHDESK_API_KEY"):
            open_source("freshdesk", {}, None, "acme", database)
        monkeypatch.setenv("SUPPORT_TOKEN", server.world.key)
        source = open_source("freshdesk", {}, "SUPPORT_TOKEN", "acme", database)
        assert source.enumerate(Mode.FULL, None, lambda refs: []).problems == []

    def test_a_key_that_is_refused_is_told_with_the_variable_of_the_workspace(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SUPPORT_TOKEN", "x" * 20)
        source = open_source("freshdesk", {}, "SUPPORT_TOKEN", "acme", database)
        assert isinstance(source, FreshdeskSource)
        with pytest.raises(TokenRevoked, match=r"profile settings, put it into SUPPORT_TOKEN, and sync again"):
            source.api.get("agents/me")
        stored = Opening(slug="acme", config={}, token=None, database=database, credential=STORED)
        assert stored.token_goes == "give it to `arcana workspace set acme --token-stdin`"

    @pytest.mark.parametrize(("files", "lists"), [("on", True), ("off", False)])
    def test_options_become_capabilities(self, settings: Settings, files: str, lists: bool) -> None:
        with closing(Database(settings.model_copy(update={"files": files}))) as database:
            plain = opened(database).capabilities
            full = opened(database, {"private_notes": True, "articles": True}).capabilities
        assert (plain.has_companions, plain.has_containers, plain.lists_files) == (False, False, lists)
        assert (full.has_companions, full.has_containers, full.lists_files) == (True, True, lists)

    @pytest.mark.parametrize(("said", "account"), [(None, 800), (100, 100), (0, 0)])
    def test_a_number_of_requests_that_is_set_is_kept_to(
        self, settings: Settings, server: FreshdeskServer, said: int | None, account: int
    ) -> None:
        server.set_plan(Plan("large", 1000))
        limited = settings.model_copy(update={"freshdesk_requests_per_minute": said})
        with closing(Database(limited)) as database, database.connection() as connection:
            opened(database).api.get("agents/me")
            rows = connection.execute("SELECT per_minute FROM source_limit").fetchall()
        assert rows == [(account,)]

    def test_doctor_tells_whose_tickets_the_key_sees(self, database: Database, server: FreshdeskServer) -> None:
        platform = platform_named("freshdesk")
        assert platform is not None and platform.owner is not None
        world = server.world
        for agent, said in ((world.agent, "all tickets"), (world.group_agent, "only tickets of its groups")):
            token = SecretStr(world.agents[agent].key)
            told = platform.owner(Opening(slug="doctor", config={}, token=token, database=database, hurried=True))
            assert told == f"an agent of 'acme' who sees {said}"

    def test_doctor_asks_for_the_token_of_each_workspace_equal_ones_once_and_within_its_time(
        self, database: Database, server: FreshdeskServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def register(slug: str, variable: str | None, platform: str = "freshdesk", **config: Any) -> None:
            index = IndexSettings.of_model(*model_of(database.settings))
            registration.register(
                database, slug, platform, index, lambda _: None, lambda _: None,
                source_config=config, credential_ref=variable, company=slug,
            )  # fmt: skip

        def found() -> dict[str, str]:
            said = {}
            for name, check in token_checks(database, 3):
                try:
                    said[name] = check()
                except ArcanaError as error:
                    said[name] = f"{type(error).__name__}: {error}"
            return said

        whose = "belongs to an agent of 'acme' who sees all tickets"
        assert found() == {"freshdesk": f"the token of FRESHDESK_API_KEY {whose}"}
        monkeypatch.setenv("WRONG_TOKEN", "not-the-key")
        register("desk", None)
        register("desk2", "FRESHDESK_API_KEY", private_notes=True)
        register("wrong", "WRONG_TOKEN")
        register("unset", "UNSET_TOKEN", platform="notion")
        server.reset_log()
        said = found()
        assert said.pop("freshdesk of desk, desk2") == f"the token of FRESHDESK_API_KEY {whose}"
        assert said.pop("freshdesk of wrong").startswith("TokenRevoked: ")
        assert "UNSET_TOKEN, which is not set" in said.pop("notion of unset")
        assert not said and len(server.log) == 2


class TestOptions:
    def test_options_of_sources_have_names_of_their_own_and_say_what_they_do(self) -> None:
        options = source_options()
        assert {option.name for option in options} >= {"comments", "domain", "private_notes", "articles"}
        assert len({option.name for option in options}) == len(options) and all(option.about for option in options)

    def test_what_is_at_its_default_is_left_out_and_a_domain_is_put_right(self) -> None:
        freshdesk = platform_named("freshdesk")
        assert freshdesk is not None
        given = {"domain": "https://ACME.freshdesk.com/", "private_notes": True, "articles": False, "comments": False}
        assert source_config(freshdesk, given) == {"domain": "acme", "private_notes": True}

    def test_an_option_of_another_source_is_refused(self) -> None:
        notion, freshdesk = platform_named("notion"), platform_named("freshdesk")
        assert notion is not None and freshdesk is not None
        with pytest.raises(WrongUse, match="--private-notes belongs to --source freshdesk; --source notion has none"):
            source_config(notion, {"private_notes": True})
        with pytest.raises(WrongUse, match="--comments belongs to --source notion"):
            source_config(freshdesk, {"comments": True})
        with pytest.raises(WrongUse, match=r"--domain: .*is not the name of a Freshdesk account"):
            source_config(freshdesk, {"domain": "evil.example"})

    def test_a_changed_option_leaves_the_others(self) -> None:
        freshdesk = platform_named("freshdesk")
        assert freshdesk is not None
        held = {"domain": "acme", "private_notes": True, "relations": {"a": "b"}}
        assert changed_config(freshdesk, held, {"private_notes": False, "articles": True}) == {
            "domain": "acme",
            "articles": True,
            "relations": {"a": "b"},
        }
        assert reads_more(freshdesk, held, {**held, "articles": True})
        assert not reads_more(freshdesk, held, {"domain": "acme"})

    def test_the_command_line_has_them(self) -> None:
        shown = CliRunner().invoke(workspace_commands.command, ["add", "--help"]).output
        assert all(option in shown for option in ("--domain", "--private-notes", "--articles", "--comments"))
        shown = CliRunner().invoke(workspace_commands.command, ["set", "--help"]).output
        assert all(option in shown for option in ("--no-private-notes", "--no-articles", "--domain"))

    def test_requests_over_http_have_them(self) -> None:
        from arcana_pipelines.web.administration import NewWorkspace

        wanted = NewWorkspace.model_validate(
            {"slug": "acme", "source": "freshdesk", "token": "x", "domain": "acme", "private_notes": True}
        )
        assert wanted.source_options() == {
            "comments": False,
            "domain": "acme",
            "private_notes": True,
            "articles": False,
        }
        described = json.dumps(NewWorkspace.model_json_schema())
        assert "Index private notes" in described

    def test_yaml_has_them(self) -> None:
        from arcana_pipelines.components.workspaces import WorkspaceAttributes

        declared = WorkspaceAttributes.model_validate(
            {"slug": "support", "source": {"type": "freshdesk", "domain": "acme", "private_notes": True}}
        )
        assert declared.source.config(Path()) == {"domain": "acme", "private_notes": True}
        with pytest.raises(ValueError, match="not the name of a Freshdesk account"):
            WorkspaceAttributes.model_validate(
                {"slug": "support", "source": {"type": "freshdesk", "domain": "evil.example"}}
            )
