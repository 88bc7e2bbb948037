"""Addresses of PostgreSQL: libpq's reading of them counts, and no secret is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.pq import Conninfo
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql import psycopg2

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.postgres_address import Address
from arcana_pipelines.settings import load_settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://app:SECRET@db.example:5433/x", "postgresql://app@db.example:5433/x"),
        ("postgresql://app:SECRET#1@db/x", "postgresql://app@db/x"),
        ("postgresql://app:SECRET?1@db/x", "postgresql://app@db/x"),
        ("postgresql://db/x?user=app&password=SECRET", "postgresql://app@db/x"),
        ("postgresql:///x?host=/run/pg&password=SECRET", "postgresql:///x?host=/run/pg"),
        ("postgresql://app:pw@db/x?sslpassword=SECRET", "postgresql://app@db/x"),
        ("postgresql://app:SECRET@one:1,two:2/x", "postgresql://app@one:1,two:2/x"),
        ("postgresql://app:SECRET@[::1]:5432/x", "postgresql://app@[::1]:5432/x"),
        ("postgres://app:SECRET@/x?host=/a%20b", "postgresql://app@/x?host=/a%20b"),
        ("postgresql://app:SECRET@/x?host=/run/pg&port=5433", "postgresql://app@/x?host=/run/pg&port=5433"),
        ("postgresql://app:SECRET@%2Frun%2Fpg:5433/x", "postgresql://app@/x?host=/run/pg&port=5433"),
        ("postgresql://%2Frun%2Fpg:1,two:2/x", "postgresql:///x?host=/run/pg,two&port=1,2"),
        ("postgresql://db/x?port=5433&hostaddr=::1", "postgresql://db:5433/x?hostaddr=::1"),
        ("postgresql:///x?hostaddr=::1&port=5433", "postgresql:///x?hostaddr=::1&port=5433"),
        ("postgresql://a%2Fb:SECRET@[fe80::1%25eth0]/x", "postgresql://a%2Fb@[fe80::1%25eth0]/x"),
        (
            "postgresql://app:SECRET@db/x?sslmode=verify-full&sslrootcert=/a%20b.pem&options=-c%20a%3Db&sslpassword=SECRET",
            "postgresql://app@db/x?options=-c%20a%3Db&sslmode=verify-full&sslrootcert=/a%20b.pem",
        ),
        ("postgresql://app@db/x?oauth_client_secret=SECRET&scram_client_key=SECRET", "postgresql://app@db/x"),
    ],
)
def test_all_is_shown_but_secrets(url: str, shown: str) -> None:
    assert Address.parse(url).shown == shown


@pytest.mark.parametrize(
    "driver", ["", "+psycopg", "+psycopg2", "+psycopg_async", "+psycopg2cffi", "+asyncpg", "+pg8000"]
)
@pytest.mark.parametrize("name", ["postgresql", "postgres"])
def test_an_address_as_sqlalchemy_spells_it_is_one(name: str, driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = "app:postgres+psycopg%3A%2F%2F@db:5433/x?sslmode=require"
    monkeypatch.setenv("DATABASE_URL", f"{name}{driver}://{rest}")
    url = load_settings().database_url
    assert url is not None and url.get_secret_value() == f"postgresql://{rest}"


@pytest.mark.parametrize(
    "url", ["mysql+psycopg://db/x", "postgresql+://db/x", "jdbc:postgresql://db/x", "postgresql:/db/x"]
)
def test_another_kind_of_address_is_told_how_one_looks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(InvalidSetting, match="must look like postgresql://user:password@host:5432/database"):
        load_settings()


def test_what_libpq_hides_is_a_secret() -> None:
    hidden = [option.keyword.decode() for option in Conninfo.get_defaults() if option.dispchar == b"*"]
    assert {"password", "sslpassword"} <= set(hidden)
    for name in hidden:
        assert "SECRET" not in Address.parse(f"postgresql://db/x?{name}=SECRET").shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:SECRET/x@db:5432/x",
        "postgresql://app:p@ss/SECRET@db:5432/x",
        "postgresql://app:SECRET@SECRET@db/x",
        "postgresql://app:SECRET%x@db/x",
        "postgresql://app:SECRET@db:59999999/x",
        "postgresql://app:SECRET@db:0/x",
        "postgresql://db/x?SECRET=1",
        "mysql://app:SECRET@db/x",
        "host=db password=SECRET",
    ],
)
def test_an_address_that_says_something_else_than_was_meant_is_refused_without_an_echo(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(InvalidSetting, match="DATABASE_URL") as refused:
        load_settings()
    assert "SECRET" not in str(refused.value)


# What libpq itself cannot take in a password, encoded or not: NUL.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@given(user=words, password=words)
def test_any_user_and_password_reach_sqlalchemy_as_they_are(user: str, password: str) -> None:
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@db:5432/x?sslmode=require"
    passed = psycopg2.dialect().create_connect_args(make_url(Address.parse(url).sqlalchemy("psycopg2", "-c a=b")))[1]
    assert passed == {
        "user": user, "password": password, "host": "db", "port": "5432", "dbname": "x", "sslmode": "require",
        "options": "-c a=b",
    }  # fmt: skip


hosts = st.lists(st.sampled_from(["one", "10.0.0.1", "::1", "fe80::1%eth0", "/run/pg", "/a b", ""]), max_size=3)


@given(
    user=words | st.none(),
    hosts=hosts,
    port=st.sampled_from(["", "5433", "1,2", "1,2,3"]),
    others=st.dictionaries(
        st.sampled_from(["options", "sslmode", "sslrootcert", "application_name", "service"]), words
    ),
)
def test_what_is_shown_says_to_libpq_what_the_address_says(
    user: str | None, hosts: list[str], port: str, others: dict[str, str]
) -> None:
    parts = {"user": user, "host": ",".join(hosts), "port": port, **others}
    given = {name: value for name, value in parts.items() if value}
    address = Address.parse(
        "postgresql:///x?password=s&" + "&".join(f"{n}={quote(v, safe='')}" for n, v in given.items())
    )
    again = Address.parse(address.shown).parts
    assert _per_host(again) == _per_host({name: value for name, value in address.parts.items() if name != "password"})


def _per_host(parts: dict[str, str]) -> dict[str, object]:
    """One port is that of all hosts."""
    hosts, ports = parts.get("host", "").split(","), parts.get("port", "").split(",")
    return {**parts, "host": hosts, "port": ports * len(hosts) if len(ports) == 1 else ports}


def test_several_hosts_reach_sqlalchemy() -> None:
    address = Address.parse("postgresql://app@one:1,two:2/x?options=-c%20c%3Dd&target_session_attrs=read-write")
    passed = psycopg2.dialect().create_connect_args(make_url(address.sqlalchemy("psycopg2", "-c a=b")))[1]
    assert (passed["host"], passed["port"], passed["options"]) == ("one,two", "1,2", "-c c=d -c a=b")
