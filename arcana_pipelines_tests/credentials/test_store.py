"""Tokens in the database: read with the key that encrypted them, for the workspace they were kept for alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from arcana_pipelines.credentials.cipher import Key, KeyRing, Unreadable
from arcana_pipelines.credentials.store import STORED, encrypt_anew, forget, keep, key_ids, stored_token
from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import CredentialUnreadable, InvalidSetting, WrongUse
from arcana_pipelines.installation_secrets import key_bytes, make
from arcana_pipelines.pipeline.registration import remove
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.registry import check_source, open_source
from arcana_pipelines.workspaces.workspaces import change, find
from arcana_pipelines_tests.harness import Harness

ACME, GLOBEX = UUID(int=1), UUID(int=2)


class TestAKey:
    key = Key(key_bytes(make()))

    def test_reads_what_it_wrote(self) -> None:
        for text in ["ntn_x", "x" * 8192, "토큰"]:
            assert self.key.decrypt(self.key.encrypt(text, ACME), ACME) == text

    def test_writes_the_same_text_in_another_way_each_time(self) -> None:
        sealed = [self.key.encrypt("ntn_hunter2", ACME) for _ in range(100)]
        assert len({each[:12] for each in sealed}) == 100
        assert not [each for each in sealed if b"hunter2" in each]

    def test_notices_every_change(self) -> None:
        sealed = self.key.encrypt("ntn_x", ACME)
        altered = [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed))]
        for each in [*altered, sealed[:-1], sealed[:28], sealed[:5], b"", sealed + b"x"]:
            with pytest.raises(Unreadable):
                self.key.decrypt(each, ACME)

    def test_reads_nothing_that_is_another_workspaces_or_another_keys(self) -> None:
        sealed = self.key.encrypt("ntn_x", ACME)
        with pytest.raises(Unreadable):
            self.key.decrypt(sealed, GLOBEX)
        with pytest.raises(Unreadable):
            Key(key_bytes(make())).decrypt(sealed, ACME)

    def test_is_named_and_not_shown(self) -> None:
        assert self.key.key_id == Key(self.key.secret).key_id != Key(key_bytes(make())).key_id
        assert self.key.secret.hex() not in repr(self.key) + repr(KeyRing(self.key)) + self.key.key_id


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"encryption_key": SecretStr(make())})


def rotated(settings: Settings) -> Settings:
    """The settings with another key, and the one before it."""
    return settings.model_copy(
        update={"encryption_key": SecretStr(make()), "encryption_key_previous": settings.encryption_key}
    )


def held(acme: Harness, settings: Settings, token: str = "ntn_hunter2") -> UUID:
    """Keep a token for the workspace."""
    with acme.database.connection() as connection:
        workspace = find(connection, acme.slug)
        change(connection, workspace, workspace.name, workspace.source_config, STORED)
        keep(connection, settings, workspace.workspace_id, SecretStr(token))
    return workspace.workspace_id


def read(database: Database, settings: Settings, slug: str = "acme") -> str:
    with database.connection() as connection:
        return stored_token(connection, settings, slug).get_secret_value()


def alter(database: Database, statement: LiteralString, *parameters: object) -> None:
    with database.connection() as connection:
        connection.execute(statement, parameters)


class TestAStoredToken:
    def test_is_read_and_the_next_one_takes_its_place(self, acme: Harness, settings: Settings) -> None:
        held(acme, settings)
        assert read(acme.database, settings) == "ntn_hunter2"
        held(acme, settings, "ntn_other")
        assert read(acme.database, settings) == "ntn_other"
        assert acme.rows("SELECT count(*) FROM source_credential") == [(1,)]

    def test_opens_the_source_in_the_place_of_a_variable(self, acme: Harness, settings: Settings) -> None:
        held(acme, settings, acme.world.token)
        database = Database(settings.model_copy(update={"notion_base_url": acme.server.base_url}))
        with database.connection() as connection:
            workspace = find(connection, "acme")
        source = open_source(workspace.platform, {}, workspace.credential_ref, "acme", database)
        try:
            assert source.identity() == acme.source().identity()
        finally:
            source.close()
            database.close()

    def test_is_said_to_be_missing_before_a_run_begins(self, acme: Harness, settings: Settings) -> None:
        workspace_id = held(acme, settings)
        with acme.database.connection() as connection:
            forget(connection, workspace_id)
        with pytest.raises(CredentialUnreadable, match="arcana workspace set acme --token-stdin"):
            check_source("notion", {}, STORED, "acme", acme.database)

    @pytest.mark.parametrize("what", ["no key", "another key", "altered", "of another workspace"])
    def test_that_cannot_be_decrypted_is_one_sentence_without_it(
        self, acme: Harness, another: Callable[[str], Harness], settings: Settings, what: str
    ) -> None:
        held(acme, settings)
        if what == "no key":
            settings = settings.model_copy(update={"encryption_key": None})
        elif what == "another key":
            settings = settings.model_copy(update={"encryption_key": SecretStr(make())})
        elif what == "altered":
            alter(
                acme.database, "UPDATE source_credential SET sealed = set_byte(sealed, 14, 255 - get_byte(sealed, 14))"
            )
        else:
            held(another("globex"), settings, "ntn_of_globex")
            alter(
                acme.database,
                "UPDATE source_credential c SET sealed = o.sealed FROM source_credential o "
                "WHERE o.workspace_id <> c.workspace_id",
            )
        with pytest.raises(WrongUse) as refused:
            read(acme.database, settings)
        said = str(refused.value)
        assert ("arcana config init" if what == "no key" else "arcana workspace set acme --token-stdin") in said
        assert "hunter2" not in said and "globex" not in said

    def test_goes_to_no_address_of_a_file_whose_key_is_not_the_files_own(
        self, acme: Harness, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held(acme, settings)
        assert settings.encryption_key is not None
        monkeypatch.setenv("ENCRYPTION_KEY", settings.encryption_key.get_secret_value())
        monkeypatch.setenv("NOTION_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv("ARCANA_FROM_ENV_FILE", "NOTION_BASE_URL")
        database = Database(settings)
        with pytest.raises(InvalidSetting, match="NOTION_BASE_URL"):
            check_source("notion", {}, STORED, "acme", database)
        monkeypatch.setenv("ARCANA_FROM_ENV_FILE", "ENCRYPTION_KEY,NOTION_BASE_URL")
        check_source("notion", {}, STORED, "acme", database)
        database.close()

    def test_goes_with_its_workspace_and_with_another_place_of_its_token(
        self, acme: Harness, another: Callable[[str], Harness], settings: Settings
    ) -> None:
        held(acme, settings)
        held(another("globex"), settings)
        remove(acme.database, "acme", lambda slug: None)
        assert acme.rows("SELECT slug FROM source_credential JOIN workspace USING (workspace_id)") == [("globex",)]
        with acme.database.connection() as connection:
            workspace = find(connection, "globex")
            change(connection, workspace, "Globex", {}, "GLOBEX_TOKEN")
        assert acme.rows("SELECT * FROM source_credential") == []

    def test_is_not_for_who_searches(self, acme: Harness, settings: Settings) -> None:
        held(acme, settings)
        with acme.reader() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT sealed FROM source_credential")


class TestAnotherKey:
    def test_reads_all_when_they_are_encrypted_anew_and_the_one_before_it_none(
        self, acme: Harness, another: Callable[[str], Harness], settings: Settings
    ) -> None:
        held(acme, settings)
        held(another("globex"), settings, "ntn_globex")
        later = rotated(settings)
        assert read(acme.database, later) == "ntn_hunter2", "until then the key before it does"
        with acme.database.connection() as connection:
            keys = KeyRing.of(later)
            assert encrypt_anew(connection, keys) == 2 and encrypt_anew(connection, keys) == 0
            assert key_ids(connection) == {keys.current.key_id: 2}
        alone = later.model_copy(update={"encryption_key_previous": None})
        assert (read(acme.database, alone), read(acme.database, alone, "globex")) == ("ntn_hunter2", "ntn_globex")
        with pytest.raises(CredentialUnreadable):
            read(acme.database, settings)

    @pytest.mark.parametrize("trouble", ["altered", "a key is missing"])
    def test_changes_all_or_nothing(
        self, acme: Harness, another: Callable[[str], Harness], settings: Settings, trouble: str
    ) -> None:
        held(acme, settings)
        other = held(another("globex"), settings)
        if trouble == "altered":
            alter(
                acme.database, "UPDATE source_credential SET sealed = sealed || '\\x00' WHERE workspace_id = %s", other
            )
        else:
            alter(
                acme.database, "UPDATE source_credential SET key_id = 'feedfeedfeedfeed' WHERE workspace_id = %s", other
            )
        before = acme.rows("SELECT * FROM source_credential ORDER BY 1")
        with acme.database.connection() as connection, pytest.raises(WrongUse):
            encrypt_anew(connection, KeyRing.of(rotated(settings)))
        assert acme.rows("SELECT * FROM source_credential ORDER BY 1") == before
