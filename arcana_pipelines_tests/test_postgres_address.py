"""Addresses of PostgreSQL: libpq's reading of them counts, and no secret is shown."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    ],
)
def test_user_hosts_ports_and_database_are_shown_and_nothing_else(url: str, shown: str) -> None:
    assert Address.parse(url).shown == shown


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


def test_several_hosts_reach_sqlalchemy() -> None:
    address = Address.parse("postgresql://app@one:1,two:2/x?options=-c%20c%3Dd&target_session_attrs=read-write")
    passed = psycopg2.dialect().create_connect_args(make_url(address.sqlalchemy("psycopg2", "-c a=b")))[1]
    assert (passed["host"], passed["port"], passed["options"]) == ("one,two", "1,2", "-c c=d -c a=b")
