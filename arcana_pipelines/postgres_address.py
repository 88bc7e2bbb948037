"""The database's address: read by libpq, which uses it, and shown without any secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

_SECRETS = ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
# libpq ends host, port and database where it meets the next of these, so none of these can be part of them.
_RESERVED = frozenset("/@#?:")
# SQLAlchemy names the driver, too; which one Arcana uses is its own affair.
_SCHEME = re.compile(r"^postgres(?:ql)?(?:\+\w+)?://")
_ENCODE = "In a password each of / @ : # ? % has to be written percent-encoded (@ as %40, # as %23)"


class InvalidAddress(ValueError):
    """The address cannot be used. The message shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A libpq address and its parts, as libpq reads them. Both hold the password.

    Attributes:
        url: begins with `postgresql://`, however it was spelled.
        parts: libpq's keywords with what the address says for them (`host`, `port`, `dbname` …); what it does not name
            is not there.
    """

    url: str
    parts: dict[str, str]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read `postgresql://…`, or as SQLAlchemy spells it (`postgresql+psycopg://…`).

        Raises:
            InvalidAddress: libpq cannot read it, or reads something else than was meant.
        """
        url = _SCHEME.sub("postgresql://", url)
        if not url.startswith("postgresql://"):
            raise InvalidAddress("must look like postgresql://user:password@host:5432/database")
        try:
            parts = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        except psycopg.Error:
            raise InvalidAddress(
                f"cannot be read as postgresql://user:password@host:5432/database, or has an option that libpq does "
                f"not know (it knows sslmode=require, not ssl=require). {_ENCODE}"
            ) from None
        ports = parts.get("port", "").split(",")
        if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536) for port in ports):
            raise InvalidAddress(f"has a port that is not a number from 1 to 65535. {_ENCODE}")
        hosts = parts.get("host", "").split(",")
        if any(_RESERVED & set(host) for host in hosts if not host.startswith("/") and host.count(":") < 2):
            raise InvalidAddress(f"has a host that is not a possible name. {_ENCODE}")
        if _RESERVED & set(parts.get("dbname", "")):
            raise InvalidAddress(f"has a database name with one of / @ : # ? in it. {_ENCODE}")
        return cls(url, parts)

    @property
    def shown(self) -> str:
        """The whole address but for secrets: for people to read, and for libpq to use."""
        parts = {name: value for name, value in self.parts.items() if name not in _SECRETS}
        user = f"{quote(parts.pop('user'), safe='')}@" if "user" in parts else ""
        database = quote(parts.pop("dbname", ""), safe="")
        hosts, ports = parts.get("host", "").split(","), parts.get("port", "").split(",")
        places = ""
        # The folder of a socket cannot stand before the database's name; then no host and no port does.
        if hosts != [""] and not any(host.startswith("/") for host in hosts) and len(ports) in (1, len(hosts)):
            ports = ports * len(hosts) if len(ports) == 1 else ports
            places = ",".join(f"{_place(host)}:{port}".rstrip(":") for host, port in zip(hosts, ports, strict=True))
            parts = {name: value for name, value in parts.items() if name not in ("host", "port")}
        options = "&".join(f"{name}={quote(value, safe='/,:')}" for name, value in parts.items())
        return f"postgresql://{user}{places}/{database}{'?' if options else ''}{options}"

    @property
    def secrets(self) -> dict[str, str]:
        """The parts that may be shown to no one."""
        return {name: value for name, value in self.parts.items() if name in _SECRETS and value}

    def without_secrets(self, text: str) -> str:
        """A message of the server or of libpq, in case it repeats a secret."""
        for secret in self.secrets.values():
            text = text.replace(secret, "***")
        return text

    def sqlalchemy(self, driver: str, options: str, defaults: Mapping[str, str] | None = None) -> str:
        """The address for SQLAlchemy, with more of libpq's `options`, and `defaults` for what it does not name."""
        from sqlalchemy import URL

        parts = {**(defaults or {}), **self.parts}
        parts["options"] = f"{parts['options']} {options}" if "options" in parts else options
        user = parts.pop("user", None)
        return URL.create(
            f"postgresql+{driver}",
            username=user,
            # Without a user there is no place for it but among the options.
            password=parts.pop("password", None) if user else None,
            database=parts.pop("dbname", None),
            # Hosts and ports too: there may be several, and a host may be a socket's folder.
            query=parts,
        ).render_as_string(hide_password=False)


def _place(host: str) -> str:
    encoded = quote(host, safe=":")
    return f"[{encoded}]" if ":" in host else encoded
