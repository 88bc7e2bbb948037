"""`.env`: from our own folders, our own variables, and never a way to send a secret elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from arcana_pipelines import environment
from arcana_pipelines.environment import read_anew, read_env_files
from arcana_pipelines.errors import InvalidSetting, MissingToken
from arcana_pipelines.installation_secrets import make
from arcana_pipelines.settings import load_settings, take_anew, token_from_environment


@pytest.fixture(autouse=True)
def _restored_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    take_anew({})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ARCANA_HOME; the package lies in no checkout, and the current directory is elsewhere."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere, tmp_path / "site" / "arcana_pipelines"):
        folder.mkdir(mode=0o755, parents=True)
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "site" / "arcana_pipelines" / "environment.py"))
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("ARCANA_HOME", str(home))
    return home


def write(folder: Path, text: str, mode: int = 0o600, name: str = ".env") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_file_in_arcana_home_is_read_and_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_SIZE", "7")
    write(home, "BATCH_SIZE=8\nRETENTION_DAYS=9\nGLOBEX_TOKEN=ntn_글로벡스\nOPENAI_API_KEY=\n")
    assert [file.path for file in read_env_files()] == [home / ".env"]
    settings = load_settings()
    assert (settings.batch_size, settings.retention_days) == (7, 9)
    assert os.environ["GLOBEX_TOKEN"] == "ntn_글로벡스" and "OPENAI_API_KEY" not in os.environ


def test_a_file_in_the_current_directory_is_not_read(home: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", "NOTION_TOKEN=x\nNOTION_BASE_URL=http://127.0.0.1:1\n")
    assert read_env_files() == []
    assert "NOTION_BASE_URL" not in os.environ


def test_a_checkouts_own_file_is_read_and_may_say_where_arcana_home_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "site"
    (checkout / ".env.example").touch()
    (checkout / "pyproject.toml").touch()
    monkeypatch.delenv("ARCANA_HOME")
    write(checkout, f"ARCANA_HOME={home}\nBATCH_SIZE=8\nRETENTION_DAYS=8\n")
    write(home, "BATCH_SIZE=9\n")
    assert len(read_env_files()) == 2
    settings = load_settings()
    assert (settings.home, settings.batch_size, settings.retention_days) == (home, 9, 8)


def test_variables_that_are_not_ours_are_left_out_and_named(home: Path) -> None:
    write(
        home, "LD_PRELOAD=/tmp/x.so\nPYTHONPATH=/tmp\nHTTPS_PROXY=http://x\nPATH=/tmp\nBATCH_SIZE=9\nSSL_CERT_FILE=/x\n"
    )
    (file,) = read_env_files()
    assert file.left_out == ("HTTPS_PROXY", "LD_PRELOAD", "PATH", "PYTHONPATH", "SSL_CERT_FILE")
    assert load_settings().batch_size == 9
    assert "LD_PRELOAD" not in os.environ and os.environ["PATH"] != "/tmp"


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o646])
def test_a_file_that_others_can_write_is_refused_and_why_is_said(home: Path, mode: int) -> None:
    path = write(home, "BATCH_SIZE=9\n", mode)
    (file,) = read_env_files()
    assert file.refused == f"others can write {path}: chmod go-w {path}"
    assert load_settings().batch_size != 9


def test_a_file_in_a_folder_that_others_can_write_is_refused(home: Path) -> None:
    write(home, "BATCH_SIZE=9\n")
    home.chmod(0o777)
    (file,) = read_env_files()
    assert file.refused and "others can write" in file.refused


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(home: Path) -> None:
    os.chown(write(home, "BATCH_SIZE=9\n"), 12345, 12345)
    (file,) = read_env_files()
    assert file.refused and "belongs to another user" in file.refused


def test_a_file_that_others_can_read_is_known(home: Path) -> None:
    write(home, "BATCH_SIZE=9\n", 0o644)
    assert read_env_files()[0].is_readable_by_others


def test_bytes_that_are_no_text_are_told(home: Path) -> None:
    path = write(home, "")
    path.write_bytes(b"\xff\xfeB\x00")
    (file,) = read_env_files()
    assert file.refused and "cannot be read" in file.refused


def test_a_link_to_a_file_in_a_folder_that_others_can_write_is_refused(home: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (home / ".env").symlink_to(write(there, "BATCH_SIZE=9\n"))
    assert read_env_files()[0].refused is None
    there.chmod(0o777)
    assert f"others can write {there}" in (read_env_files()[0].refused or "")


def test_values_are_read_as_they_were_written(home: Path) -> None:
    write(
        home,
        "\ufeffA_TOKEN='x#y z'\r\nB_TOKEN=x#y\r\nC_TOKEN=x # of C\r\n"
        'export D_TOKEN="q\\"r"\r\nE_TOKEN=$HOME${A_TOKEN}\r\n'
        "F_TOKEN='never ends\r\nG_TOKEN=g",
    )
    (file,) = read_env_files()
    found = {name: os.environ.get(f"{name}_TOKEN") for name in "ABCDEFG"}
    assert found == {"A": "x#y z", "B": "x#y", "C": "x", "D": 'q"r', "E": "$HOME${A_TOKEN}", "F": None, "G": "g"}
    assert file.unread_lines == (6,)


class TestLayers:
    """`.env.{ARCANA_ENV}`, then `.env.local`, then `.env`."""

    def test_win_in_their_order_and_each_says_what_it_set(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(home, "BATCH_SIZE=1\nRETENTION_DAYS=1\nOPENAI_TIMEOUT=1\nOPENAI_MAX_RETRIES=1\n")
        write(home, "BATCH_SIZE=2\nRETENTION_DAYS=2\nOPENAI_TIMEOUT=2\n", name=".env.local")
        write(home, "BATCH_SIZE=3\nRETENTION_DAYS=3\n", name=".env.production")
        write(home, "BATCH_SIZE=4\n", name=".env.staging")
        monkeypatch.setenv("ARCANA_ENV", "production")
        monkeypatch.setenv("BATCH_SIZE", "9")
        files = read_env_files()
        assert [(file.path.name, file.taken) for file in files] == [
            (".env.production", ("RETENTION_DAYS",)),
            (".env.local", ("OPENAI_TIMEOUT",)),
            (".env", ("OPENAI_MAX_RETRIES",)),
        ]
        settings = load_settings()
        assert (settings.batch_size, settings.retention_days) == (9, 3)
        assert (settings.openai_timeout, settings.openai_max_retries) == (2, 1)

    def test_those_of_arcana_home_win_over_the_projects_which_may_name_it_in_any(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        checkout = tmp_path / "site"
        (checkout / ".env.example").touch()
        (checkout / "pyproject.toml").touch()
        monkeypatch.delenv("ARCANA_HOME")
        write(checkout, "ARCANA_HOME=/nowhere\nBATCH_SIZE=1\n")
        write(checkout, f"ARCANA_HOME={home}\nBATCH_SIZE=2\nRETENTION_DAYS=2\n", name=".env.local")
        write(home, "BATCH_SIZE=3\n")
        assert [file.path for file in read_env_files()] == [
            home / ".env", checkout / ".env.local", checkout / ".env"
        ]  # fmt: skip
        settings = load_settings()
        assert (settings.home, settings.batch_size, settings.retention_days) == (home, 3, 2)

    @pytest.mark.parametrize("name", [".env.local", ".env.production"])
    def test_are_each_trusted_as_the_file_itself_is(
        self, home: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARCANA_ENV", "production")
        write(home, "BATCH_SIZE=1\n")
        path = write(home, "BATCH_SIZE=2\n", 0o666, name)
        refused, read = read_env_files()
        assert refused.refused == f"others can write {path}: chmod go-w {path}" and read.taken == ("BATCH_SIZE",)

    @pytest.mark.parametrize("name", [".env.local", ".env.production"])
    def test_of_the_current_directory_are_not_read(
        self, home: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARCANA_ENV", "production")
        write(tmp_path / "elsewhere", "BATCH_SIZE=1\n", name=name)
        assert read_env_files() == []

    @pytest.mark.parametrize("stage", ["../x", "a/b", "local", "example", "A", ".", "x" * 40, "a\n", " "])
    def test_have_names_that_lead_nowhere_else(self, home: Path, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ARCANA_ENV", stage)
        with pytest.raises(InvalidSetting, match="ARCANA_ENV"):
            read_env_files()

    def test_are_not_read_beside_a_file_that_is_named(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(home, "BATCH_SIZE=1\n", name=".env.local")
        only = write(tmp_path, "RETENTION_DAYS=2\n", name="only")
        monkeypatch.setenv("ARCANA_ENV_FILE", str(only))
        assert [file.path for file in read_env_files()] == [only]


def test_a_file_does_not_say_which_files_are_read_nor_what_came_from_one(home: Path) -> None:
    write(
        home,
        "ARCANA_ENV=production\nARCANA_ENV_FILE=/x\nARCANA_FROM_ENV_FILE=NOTION_TOKEN\nNOTION_TOKEN_FILE=/etc/hostname\n"
        "OPENAI_API_KEY_FILE=/etc/hostname\n",
    )
    (file,) = read_env_files()
    assert len(file.left_out) == 5 and file.taken == ()


def test_a_secrets_file_that_the_environment_names_wins_over_the_secret_in_a_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = write(tmp_path, "ntn_of_the_secret\n", name="secret")
    monkeypatch.setenv("NOTION_TOKEN_FILE", str(secret))
    write(home, "NOTION_TOKEN=ntn_of_env\nOPENAI_API_KEY=sk-x\n")
    assert read_env_files()[0].taken == ("OPENAI_API_KEY",)
    assert token_from_environment("NOTION_TOKEN", "acme", "Notion").get_secret_value() == "ntn_of_the_secret"


def test_a_token_that_is_missing_is_told_with_the_rule_of_names_only_where_the_name_breaks_it(home: Path) -> None:
    for name in ("NOTION_TOKEN", "FRESHDESK_API_KEY", "ACME_SUPPORT_TOKEN"):
        with pytest.raises(MissingToken, match=rf"which is not set\. Set {name} in the environment or in \.env\.$"):
            token_from_environment(name, "acme", "its source")
    for name in ("ACME_API_KEY", "acme_token"):
        write(home, f"{name}=x\n")
        assert read_env_files()[0].left_out == (name,)
        with pytest.raises(MissingToken, match=r"from a file \.env it is not taken, as its name does not hold TOKEN"):
            token_from_environment(name, "acme", "its source")


class TestAnAddressInAFile:
    """Alone it gets no secret of the environment."""

    @pytest.mark.parametrize(
        ("address", "secret"),
        [
            ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
            ("RERANKER_URL", "RERANKER_API_KEY"),
            ("SUMMARY_BASE_URL", "SUMMARY_API_KEY"),
            ("QDRANT_URL", "QDRANT_API_KEY"),
            ("MILVUS_HOST", "MILVUS_PASSWORD"),
            ("FILE_TRANSCRIPTION_URL", "FILE_TRANSCRIPTION_API_KEY"),
            ("S3_ENDPOINT_URL", "S3_SECRET_KEY"),
            ("DATABASE_URL", "PGPASSWORD"),
        ],
    )
    def test_gets_no_key_of_the_environment(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, address: str, secret: str
    ) -> None:
        value = "postgresql://127.0.0.1:1/x" if address == "DATABASE_URL" else "http://127.0.0.1:1/v1"
        monkeypatch.setenv(secret, "hunter2")
        write(home, f"{address}={value}\n")
        read_env_files()
        with pytest.raises(InvalidSetting, match=address) as refused:
            load_settings()
        assert "hunter2" not in str(refused.value)

    def test_gets_no_token_of_the_environment_even_with_another_beside_it(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GLOBEX_TOKEN", "hunter2")
        write(home, "NOTION_BASE_URL=http://127.0.0.1:1\nNOTION_TOKEN=theirs\n")
        read_env_files()
        with pytest.raises(InvalidSetting, match="NOTION_BASE_URL"):
            token_from_environment("GLOBEX_TOKEN", "globex", "Notion", "NOTION_BASE_URL")
        assert (
            token_from_environment("NOTION_TOKEN", "acme", "Notion", "NOTION_BASE_URL").get_secret_value() == "theirs"
        )

    @pytest.mark.parametrize("name", [".env", ".env.local", ".env.production"])
    def test_of_any_layer_gets_no_token_that_a_file_of_the_environments_holds(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("ARCANA_ENV", "production")
        monkeypatch.setenv("GLOBEX_TOKEN_FILE", str(write(tmp_path, "hunter2", name="secret")))
        write(home, "NOTION_BASE_URL=http://127.0.0.1:1\nGLOBEX_TOKEN=theirs\nARCANA_FROM_ENV_FILE=GLOBEX_TOKEN_FILE\n",
              name=name)  # fmt: skip
        read_env_files()
        with pytest.raises(InvalidSetting, match="NOTION_BASE_URL"):
            token_from_environment("GLOBEX_TOKEN", "globex", "Notion", "NOTION_BASE_URL")

    def test_is_remembered_by_processes_that_are_started_with_its_variables(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(home, "NOTION_BASE_URL=http://127.0.0.1:1\n")
        read_env_files()
        (home / ".env").unlink()
        read_env_files()  # a child: all is in the environment now
        monkeypatch.setenv("NOTION_TOKEN", "hunter2")
        with pytest.raises(InvalidSetting, match="NOTION_BASE_URL"):
            token_from_environment("NOTION_TOKEN", "acme", "Notion", "NOTION_BASE_URL")


class TestWhatIsReadAnew:
    """By what `arcana up` has started, at each tick and by each run."""

    def test_is_a_token_that_is_put_into_the_file_changed_there_and_taken_out(self, home: Path) -> None:
        read_env_files()  # `arcana up`, before there is a file
        for name in ("NOTION_TOKEN", "FRESHDESK_API_KEY", "GLOBEX_TOKEN"):
            for token in ("one", "다른-것".encode().hex()):
                write(home, f"{name}={token}\n")
                read_anew()
                assert token_from_environment(name, "acme", "its source").get_secret_value() == token
            (home / ".env").unlink()
            read_anew()
            with pytest.raises(MissingToken):
                token_from_environment(name, "acme", "its source")

    def test_is_what_sources_and_summaries_are_set_with_and_nothing_that_binds_processes(self, home: Path) -> None:
        write(home, "FRESHDESK_DOMAIN=acme\nSUMMARY_MODEL=m\nBATCH_SIZE=7\n")
        read_env_files()
        write(home, f"FRESHDESK_DOMAIN=globex\nENCRYPTION_KEY={make()}\nBATCH_SIZE=8\n")
        read_anew()
        settings = load_settings()
        assert (settings.freshdesk_domain, settings.summary_model, settings.batch_size) == ("globex", None, 7)
        assert settings.encryption_key is not None

    def test_does_not_win_over_the_environment_nor_over_a_secrets_file_that_it_names(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTION_TOKEN", "of-the-environment")
        monkeypatch.setenv("GLOBEX_TOKEN_FILE", str(write(tmp_path, "of-the-secret", name="secret")))
        read_env_files()
        write(home, "NOTION_TOKEN=of-the-file\nGLOBEX_TOKEN=of-the-file\n")
        read_anew()
        assert token_from_environment("NOTION_TOKEN", "acme", "Notion").get_secret_value() == "of-the-environment"
        assert token_from_environment("GLOBEX_TOKEN", "globex", "Notion").get_secret_value() == "of-the-secret"

    def test_is_no_address_for_a_token_of_the_environment(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTION_TOKEN", "hunter2")
        read_env_files()
        write(home, "NOTION_BASE_URL=http://127.0.0.1:1\n")
        read_anew()
        with pytest.raises(InvalidSetting, match="NOTION_BASE_URL"):
            token_from_environment("NOTION_TOKEN", "acme", "Notion", "NOTION_BASE_URL")

    def test_is_nothing_where_nobody_read_the_files_at_the_start(self, home: Path) -> None:
        write(home, "NOTION_TOKEN=of-the-file\n")
        read_anew()
        with pytest.raises(MissingToken):
            token_from_environment("NOTION_TOKEN", "acme", "Notion")

    def test_stands_in_a_file_that_was_named_from_another_folder(
        self, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ARCANA_ENV_FILE", "only")
        write(tmp_path / "elsewhere", "NOTION_TOKEN=x\n", name="only")
        read_env_files()
        monkeypatch.chdir(home)
        write(tmp_path / "elsewhere", "NOTION_TOKEN=y\n", name="only")
        read_anew()
        assert token_from_environment("NOTION_TOKEN", "acme", "Notion").get_secret_value() == "y"
