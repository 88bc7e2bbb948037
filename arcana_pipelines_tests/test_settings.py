"""Settings: documented, validated with the variable's name, and silent about values."""

from __future__ import annotations

import base64
import os
import re
import secrets
from pathlib import Path

import pytest
from pydantic import SecretStr

from arcana_pipelines import installation_secrets, trusted_files
from arcana_pipelines.embedding.openai.client import OpenAIClient
from arcana_pipelines.errors import InvalidSetting, MissingToken
from arcana_pipelines.settings import Settings, load_settings, refuse_to_send, token_from_environment

EXAMPLE = Path(__file__).parents[1] / ".env.example"


def test_every_variable_is_documented_once_in_the_example() -> None:
    names = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name.upper() for name in Settings.model_fields}
    assert documented <= set(names)
    assert len(names) == len(set(names))


def test_the_defaults_are_those_of_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMBEDDING_PROVIDER")
    written = re.findall(r"^# ([A-Z][A-Z0-9_]+)=(.+)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    said = {name.lower(): value for name, value in written if name.lower() in Settings.model_fields}
    assert len(said) >= 15
    for name, value in said.items():
        assert getattr(Settings.model_validate({name: value}), name) == getattr(Settings(), name), name  # type: ignore[call-arg]


def test_a_request_to_openai_is_tried_four_times_and_may_pause_for_thirty_seconds() -> None:
    settings = Settings(openai_api_key=SecretStr("sk-x"))
    assert (settings.openai_max_retries, settings.openai_timeout) == (3, 30.0)
    client = OpenAIClient(settings, patience=60.0)
    assert client.sdk.timeout == 30.0 and client.sdk.max_retries == 0
    assert client._retries == 3


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("BATCH_SIZE", "")
    assert load_settings().database_url is None


def test_all_bad_variables_are_named_at_once_without_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "hunter2")
    monkeypatch.setenv("OPENAI_TIMEOUT", "-1")
    with pytest.raises(InvalidSetting) as error:
        load_settings()
    assert "BATCH_SIZE" in str(error.value)
    assert "OPENAI_TIMEOUT" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    monkeypatch.setenv("NOTION_TOKEN", "ntn_hunter2")
    assert "hunter2" not in repr(load_settings())


class TestTheInstallationsOwnSecrets:
    @pytest.mark.parametrize("name", installation_secrets.PURPOSES)
    def test_are_not_needed_until_something_asks_for_one_and_then_the_command_that_makes_it_is_named(
        self, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, "")
        with pytest.raises(InvalidSetting, match=f"^{name} is not set; it .+ `arcana config init` makes it.$"):
            load_settings().require(name)
        monkeypatch.setenv(name, made := installation_secrets.make())
        assert load_settings().require(name).get_secret_value() == made

    @pytest.mark.parametrize("name", installation_secrets.PURPOSES)
    @pytest.mark.parametrize(
        "value",
        ["hunter2", "a" * 64, "ab" * 32, "change-me-change-me-change-me-0123456789abc", "0123456789abcdef" * 2 + " x",
         "your-256-bit-secret-goes-here-1234567890", "암호를" * 20, "0123456789abcdef\n0123456789abcdef"],
    )  # fmt: skip
    def test_are_refused_when_they_are_short_or_an_examples_and_not_shown(
        self, name: str, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSetting, match=f"^{name}: must ") as refused:
            load_settings()
        assert value not in str(refused.value) and value not in repr(refused.value.__context__)

    def test_are_values_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        same = installation_secrets.make()
        monkeypatch.setenv("SECRET_KEY", same)
        monkeypatch.setenv("JWT_SECRET", same)
        with pytest.raises(InvalidSetting, match=r"^JWT_SECRET is the same as SECRET_KEY") as refused:
            load_settings()
        assert same not in str(refused.value)

    def test_an_encryption_key_is_32_bytes_however_it_is_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        key = bytes(range(200, 232))
        written = [key.hex(), key.hex().upper(), base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode()]
        for text in [*written, written[2].rstrip("="), f"  {written[0]}\n"]:
            monkeypatch.setenv("ENCRYPTION_KEY", text)
            found = load_settings().require("ENCRYPTION_KEY").get_secret_value()
            assert installation_secrets.key_bytes(found) == key
        for text in [key[:31].hex(), (key + b"x").hex(), base64.b64encode(key[:31]).decode(), "z" * 64, "=" * 44]:
            monkeypatch.setenv("ENCRYPTION_KEY", text)
            with pytest.raises(InvalidSetting, match="ENCRYPTION_KEY: must be 32 bytes"):
                load_settings()

    def test_each_that_is_made_is_another_one_and_taken(self) -> None:
        made = [installation_secrets.make() for _ in range(1000)]
        assert len(set(made)) == 1000
        for each in made:
            assert installation_secrets.require_strong(each) == each
            assert installation_secrets.key_bytes(each).hex() == each


class TestASecretInAFileThatTheEnvironmentNames:
    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "run" / "secrets"
        folder.mkdir(parents=True, mode=0o755)
        file = folder / "openai"
        file.touch(mode=0o600)
        monkeypatch.setenv("OPENAI_API_KEY_FILE", str(file))
        return file

    @pytest.mark.parametrize("content", ["sk-1#'\"$x", "sk-1#'\"$x\n", "\ufeffsk-1#'\"$x\r\n", "  sk-1#'\"$x  \n\n"])
    def test_is_its_whole_text_without_the_line_break_at_its_end(self, file: Path, content: str) -> None:
        file.write_text(content, encoding="utf-8")
        settings = load_settings()
        assert settings.openai_api_key == SecretStr("sk-1#'\"$x")
        assert "sk-1" not in os.environ.values(), "what is started gets the file's name, not the secret"

    def test_every_secret_can_stand_in_one_and_no_other_setting(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        values = {
            "DATABASE_URL": "postgresql://u:p@127.0.0.1/x", "NOTION_TOKEN": "ntn_x", "NOTION_WEBHOOK_TOKEN": "secret_x",
            "RERANKER_API_KEY": "r", "ALERT_WEBHOOK_URL": "https://alerts.example/x", "OPENAI_API_KEY": "sk-x",
            **{name: secrets.token_hex(32) for name in installation_secrets.PURPOSES},
        }  # fmt: skip
        for name, value in {**values, "BATCH_SIZE": "7"}.items():
            path = file.with_name(name)
            path.touch(mode=0o600)
            path.write_text(value)
            monkeypatch.setenv(f"{name}_FILE", str(path))
        settings = load_settings()
        found = {name: getattr(settings, name.lower()) for name in values}
        assert {name: value.get_secret_value() for name, value in found.items()} == values
        assert settings.batch_size == 100

    def test_gives_way_to_the_variable_itself(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file.write_text("of-the-file")
        monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
        assert load_settings().openai_api_key == SecretStr("of-the-environment")
        monkeypatch.setenv("OPENAI_API_KEY", "")
        assert load_settings().openai_api_key == SecretStr("of-the-file")

    def test_that_others_can_read_is_refused_with_what_mends_it(self, file: Path) -> None:
        file.write_text("hunter2")
        file.chmod(0o644)
        with pytest.raises(InvalidSetting, match=f"OPENAI_API_KEY_FILE: {file}.+chmod 600") as refused:
            load_settings()
        assert "hunter2" not in str(refused.value)

    def test_that_is_mounted_read_only_is_read_whoever_owns_it(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.write_text("sk-x")
        file.chmod(0o444)
        if os.geteuid() == 0:
            os.chown(file, 12345, 12345)

        class ReadOnly:
            f_flag = os.ST_RDONLY

        monkeypatch.setattr(trusted_files.os, "fstatvfs", lambda descriptor: ReadOnly)
        assert load_settings().openai_api_key == SecretStr("sk-x")

    @pytest.mark.parametrize("mode", [0o602, 0o620])
    def test_that_others_can_write_is_refused(self, file: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trusted_files, "_is_private_group", lambda status: False)
        file.write_text("hunter2")
        file.chmod(mode)
        with pytest.raises(InvalidSetting, match="others can write"):
            load_settings()

    def test_behind_a_link_is_judged_where_it_lies(self, file: Path, tmp_path: Path) -> None:
        open_to_all = tmp_path / "open"
        open_to_all.mkdir()
        real = open_to_all / "openai"
        real.touch(mode=0o600)
        real.write_text("sk-x")
        file.unlink()
        file.symlink_to(real)
        assert load_settings().openai_api_key == SecretStr("sk-x")
        open_to_all.chmod(0o777)
        with pytest.raises(InvalidSetting, match=f"others can write {open_to_all}"):
            load_settings()

    @pytest.mark.parametrize(
        "what", ["missing", "empty", "a folder", "a pipe", "no text", "huge", "endless", "relative"]
    )
    def test_that_is_none_is_told_in_one_sentence(self, file: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
        if what in ("missing", "a folder", "a pipe"):
            file.unlink()
        if what == "a folder":
            file.mkdir()
        elif what == "a pipe":
            os.mkfifo(file)
        elif what == "no text":
            file.write_bytes(b"\xff\xfehunter2")
        elif what == "huge":
            file.write_bytes(b"x" * (1 << 20) + b"x")
        elif what == "endless":
            monkeypatch.setenv("OPENAI_API_KEY_FILE", "/dev/zero")
        elif what == "relative":
            monkeypatch.setenv("OPENAI_API_KEY_FILE", "secrets/openai")
        with pytest.raises(InvalidSetting, match=r"^OPENAI_API_KEY_FILE: .+\. Correct the environment") as refused:
            load_settings()
        assert "hunter2" not in str(refused.value)

    def test_may_be_the_token_of_a_workspace(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GLOBEX_FILE", str(file))
        file.write_text("ntn_글로벡스\n")
        with pytest.raises(MissingToken, match="GLOBEX"):
            token_from_environment("GLOBEX", "globex", "Notion")
        file.write_text("ntn_globex\n")
        assert token_from_environment("GLOBEX", "globex", "Notion") == SecretStr("ntn_globex")
        file.chmod(0o604)
        with pytest.raises(InvalidSetting, match="GLOBEX_FILE"):
            token_from_environment("GLOBEX", "globex", "Notion")

    def test_is_sent_to_no_address_of_a_file(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file.write_text("hunter2")
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
        refuse_to_send("OPENAI_API_KEY", "OPENAI_BASE_URL")
        monkeypatch.setenv("ARCANA_FROM_ENV_FILE", "OPENAI_BASE_URL")
        with pytest.raises(InvalidSetting, match="OPENAI_API_KEY_FILE in the environment") as refused:
            load_settings()
        assert "hunter2" not in str(refused.value)


class TestReceiversOfAlerts:
    SMTP = "smtps://arcana%40acme.example:p%40ss@mail.example"

    @pytest.mark.parametrize(
        ("said", "problem"),
        [
            ({"ALERT_EMAIL_TO": "ops@acme.example"}, "ALERT_SMTP_URL is not set"),
            ({"ALERT_ROUTES": "ops@acme.example broken"}, "ALERT_SMTP_URL is not set"),
            ({"ALERT_EMAIL_TO": "a@b.example", "ALERT_SMTP_URL": "smtp://mail.example"}, "ALERT_EMAIL_FROM is not set"),
            ({"ALERT_EMAIL_TO": "a@b.example, ops"}, "ALERT_EMAIL_TO: 'ops' is no e-mail address"),
            ({"ALERT_EMAIL_TO": "a@b.example\r\nBcc:x@y.z"}, "is no e-mail address"),
            ({"ALERT_EMAIL_FROM": "a@b.example,c@d.example"}, "ALERT_EMAIL_FROM: must be one e-mail address"),
            ({"ALERT_SMTP_URL": "https://u:hunter2@mail.example"}, "ALERT_SMTP_URL: must be an address like smtp://"),
            ({"ALERT_SMTP_URL": "smtp://u:hunter2@mail.example:x"}, "a port that is a number"),
            ({"ALERT_SMTP_URL": "smtp://u:hunter2%0d%0a@mail.example"}, "no control characters"),
            ({"ALERT_ROUTES": "pagerduty broken"}, "ALERT_ROUTES names pagerduty, and ALERT_PAGERDUTY_KEY is not set"),
            ({"ALERT_ROUTES": "pager"}, "ALERT_ROUTES: 'pager' is neither"),
            ({"ALERT_PAGERDUTY_URL": "http://events.example"}, "ALERT_PAGERDUTY_URL: must be an address"),
        ],
    )
    def test_one_that_could_not_be_told_is_refused(
        self, said: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(InvalidSetting) as refused:
            load_settings()
        assert problem in str(refused.value) and "hunter2" not in str(refused.value)

    def test_are_those_that_are_set_and_the_addresses_of_routes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load_settings().alert_receivers == frozenset()
        monkeypatch.setenv("ALERT_WEBHOOK_URL", "https://alerts.example/x")
        monkeypatch.setenv("ALERT_SMTP_URL", self.SMTP)
        monkeypatch.setenv("ALERT_ROUTES", "webhook; ops@acme.example * acme")
        settings = load_settings()
        assert settings.alert_receivers == {"webhook", "ops@acme.example"}
        assert settings.alert_sender == "arcana@acme.example"
        server = settings.mail_server
        assert server is not None and (server.host, server.port, server.is_tls) == ("mail.example", 465, True)
        assert server.password.get_secret_value() == "p@ss" and "p@ss" not in repr(server) + repr(settings)

    def test_a_key_is_not_sent_where_a_file_alone_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALERT_PAGERDUTY_KEY", "hunter2")
        monkeypatch.setenv("ALERT_PAGERDUTY_URL", "https://events.example")
        monkeypatch.setenv("ARCANA_FROM_ENV_FILE", "ALERT_PAGERDUTY_URL")
        with pytest.raises(InvalidSetting, match="ALERT_PAGERDUTY_URL is set in a file"):
            load_settings()
