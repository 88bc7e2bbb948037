"""What leaves the machine unencrypted is named, and refused where the way is the Internet's; so is where things lie."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.operations import encryption
from arcana_pipelines.operations.encryption import in_public, is_encrypted_volume, ways
from arcana_pipelines.settings import Settings, load_settings


def set_to(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings()


@pytest.mark.parametrize(
    ("variable", "address", "is_encrypted", "instead"),
    [
        ("DATABASE_URL", "postgresql://a:b@db.example:5432/arcana", False, "sslmode=verify-full (it is prefer)"),
        (
            "DATABASE_URL",
            "postgresql://a@db.example/arcana?sslmode=disable",
            False,
            "sslmode=verify-full (it is disable)",
        ),
        (
            "DATABASE_URL",
            "postgresql://a@db.example/arcana?sslmode=require",
            True,
            "sslmode=verify-full (it is require)",
        ),
        ("DATABASE_URL", "postgresql://a@db.example/arcana?sslmode=verify-full", True, None),
        ("REDIS_URL", "redis://:secret@db.example:6379", False, "rediss://"),
        ("REDIS_URL", "rediss://:secret@db.example:6379", True, None),
        (
            "REDIS_URL",
            "rediss://:secret@db.example:6379/0?ssl_cert_reqs=none",
            True,
            "ssl_cert_reqs=required (it is none)",
        ),
        ("REDIS_URL", "rediss://:secret@db.example:6379?ssl_check_hostname=False", True, "ssl_check_hostname=true"),
        ("CELERY_BROKER_URL", "rediss://db.example?ssl_cert_reqs=CERT_REQUIRED", True, None),
        ("S3_ENDPOINT_URL", "http://db.example:9000", False, "https://"),
        ("QDRANT_URL", "https://db.example:6333", True, None),
    ],
)
def test_each_way_to_another_machine_is_encrypted_or_not(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str, is_encrypted: bool, instead: str | None
) -> None:
    found = [way for way in ways(set_to(monkeypatch, **{variable: address}), {}) if way.name == variable]
    assert [(way.host, way.is_encrypted, way.instead) for way in found] == [("db.example", is_encrypted, instead)]


def test_each_of_several_servers_is_a_way_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = set_to(monkeypatch, DATABASE_URL="postgresql://a@one.example,two.example/arcana")
    assert [way.host for way in ways(settings, {}) if way.name == "DATABASE_URL"] == ["one.example", "two.example"]


def test_the_mode_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    settings = set_to(monkeypatch, DATABASE_URL="postgresql://a@db.example/arcana")
    assert all(way.is_encrypted and way.instead is None for way in ways(settings, {}))


@pytest.mark.parametrize(
    "address",
    ["postgresql://a@localhost/arcana", "postgresql:///arcana?host=/run/postgresql", "postgresql://a@[::1]/b"],
)
def test_what_stays_on_this_machine_is_no_way(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert "DATABASE_URL" not in [way.name for way in ways(set_to(monkeypatch, DATABASE_URL=address), {})]


def test_stores_of_targets_are_among_them() -> None:
    found = ways(
        load_settings(), {"target web of acme": "http://milvus.example:19530/arcana_acme", "other": "/data/x.db"}
    )
    assert [(way.name, way.host) for way in found if not way.is_encrypted] == [("target web of acme", "milvus.example")]


def test_through_the_internet_nothing_may_go_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"db.example": "8.8.8.8", "cache.example": "10.0.0.7"}

    def resolved(host: str, port: object) -> list[tuple[object, ...]]:
        if host not in addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (addresses[host], 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    settings = set_to(
        monkeypatch, DATABASE_URL="postgresql://a:secret@db.example/arcana", REDIS_URL="redis://cache.example",
        QDRANT_URL="http://nowhere.example",
    )  # fmt: skip
    assert [way.name for way in in_public(ways(settings, {}), 3)] == ["DATABASE_URL"]
    with pytest.raises(ArcanaError) as refused:
        doctor._encryption(settings, {})
    assert str(refused.value) == (
        "DATABASE_URL goes to db.example, in the Internet, unencrypted: use sslmode=verify-full (it is prefer)"
    )
    said = doctor._encryption(settings.model_copy(update={"database_url": None}), {})
    assert (
        "NOT encrypted, so for networks of your own alone: QDRANT_URL to nowhere.example (instead: https://), " in said
    )
    assert "REDIS_URL to cache.example (instead: rediss://)" in said and "secret" not in said


def test_a_volume_is_as_encrypted_as_all_that_it_lies_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    devices = tmp_path / "block"
    monkeypatch.setattr(encryption, "_BLOCK_DEVICES", devices)
    folder = tmp_path / "home" / "not" / "there"
    assert is_encrypted_volume(folder) is None
    device = tmp_path.stat().st_dev
    volume = devices / f"{os.major(device)}:{os.minor(device)}"
    (volume / "dm").mkdir(parents=True)
    (volume / "dm" / "uuid").write_text("LVM-abc")
    assert is_encrypted_volume(folder) is False
    for name, uuid in (("dm-0", "CRYPT-LUKS2-one"), ("dm-1", "CRYPT-LUKS2-two")):
        (volume / "slaves" / name / "dm").mkdir(parents=True)
        (volume / "slaves" / name / "dm" / "uuid").write_text(uuid)
    assert is_encrypted_volume(folder) is True
    (volume / "slaves" / "sda1").mkdir()
    assert is_encrypted_volume(folder) is False
