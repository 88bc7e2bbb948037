"""What is encrypted on its way to other machines and where it lies: so settings and the kernel say. Nothing is sent."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from arcana_pipelines.net.asked import asked
from arcana_pipelines.net.outside import is_public
from arcana_pipelines.postgres_address import Address
from arcana_pipelines.settings import Settings

# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
_PROVEN = ("verify-ca", "verify-full")
_BLOCK_DEVICES = Path("/sys/dev/block")
# How device mapper names what dm-crypt encrypts, LUKS among it.
_ENCRYPTED = "CRYPT-"


@dataclass(frozen=True, slots=True)
class Way:
    """Where something of ours goes, on another machine.

    Attributes:
        name: of the variable, or of the target.
        host: without port.
        is_encrypted: it is always; where TLS is only preferred, whoever is on the way can prevent it.
        instead: what to set, where that is not so, or where nobody proves who answers.
    """

    name: str
    host: str
    is_encrypted: bool
    instead: str | None = None


def ways(settings: Settings, targets: Mapping[str, str]) -> list[Way]:
    """All that leaves this machine by an address of the settings, in the order of their names, and by those of targets.

    `targets`: where each is, by what it is called.
    """
    found: list[Way] = []
    for name in sorted(type(settings).model_fields.keys() - _LINKS):
        value = getattr(settings, name)
        address = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(address, str) and "://" in address:
            found += _by_address(name.upper(), address)
    for name, location in targets.items():
        found += _by_address(name, location)
    return [way for way in found if not _is_here(way.host)]


# People follow them; nothing is sent there.
_LINKS = {"arcana_ui_url", "file_cdn_base_url"}
# By scheme: what to set instead; None: it is encrypted. A mail server elsewhere is spoken to by TLS or STARTTLS alone.
_INSTEAD = {
    "https": None, "rediss": None, "smtps": None, "smtp": None, "http": "https://", "redis": "rediss://",
}  # fmt: skip


def _by_address(name: str, address: str) -> Iterator[Way]:
    if address.startswith("postgresql://"):
        yield from _to_postgres(name, address)
        return
    parts = urlsplit(address)
    if parts.hostname and parts.scheme in _INSTEAD:
        instead = _INSTEAD[parts.scheme]
        yield Way(name, parts.hostname, instead is None, instead or _unproven(parts))


def _unproven(parts: SplitResult) -> str | None:
    """What to set where an address says that nobody has to prove who answers; None: it does not."""
    said = {name: values[-1].lower().removeprefix("cert_") for name, values in parse_qs(parts.query).items()}
    if parts.scheme == "rediss" and (mode := said.get("ssl_cert_reqs", "required")) != "required":
        return f"ssl_cert_reqs=required (it is {mode})"
    if parts.scheme == "rediss" and said.get("ssl_check_hostname", "true") in ("0", "f", "false", "n", "no"):
        return "ssl_check_hostname=true"
    return None


def _to_postgres(name: str, address: str) -> Iterator[Way]:
    parts = Address.parse(address).parts
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE") or "prefer"
    hosts = (parts.get("hostaddr") or parts.get("host") or os.environ.get("PGHOST") or "").split(",")
    for host in hosts:
        if host and not host.startswith(("/", "@")):
            is_encrypted = mode in ("require", *_PROVEN)
            instead = None if mode in _PROVEN else f"sslmode=verify-full (it is {mode})"
            yield Way(name, host, is_encrypted, instead)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def in_public(found: list[Way], seconds: float) -> list[Way]:
    """Those of the ways that lead through the Internet unencrypted: the address of their host is a public one.

    A name that is not resolved in so many seconds counts as private.
    """
    answers = [(way, asked(partial(_is_public, way.host))) for way in found if not way.is_encrypted]
    in_time, _ = wait([answer for _, answer in answers], seconds)
    return [way for way, answer in answers if answer in in_time and answer.result()]


def _is_public(host: str) -> bool:
    try:
        return any(is_public(str(each[4][0])) for each in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):  # no such name
        return False


def is_encrypted_volume(path: Path) -> bool | None:
    """Whether the device below a folder's file system is encrypted by the kernel (dm-crypt).

    None: the kernel does not tell which device that is, as in a container or on another machine's file system.
    """
    folder = next(each for each in (path, *path.parents) if each.exists())
    device = folder.stat().st_dev
    block = _BLOCK_DEVICES / f"{os.major(device)}:{os.minor(device)}"
    return _is_encrypted_device(block) if block.exists() else None


def _is_encrypted_device(block: Path) -> bool:
    name = block / "dm" / "uuid"
    if name.exists() and name.read_text(encoding="ascii").startswith(_ENCRYPTED):
        return True
    # A volume of LVM is as encrypted as all that it lies on; a partition, as its disk.
    below = list((block / "slaves").glob("*")) if (block / "slaves").is_dir() else []
    return bool(below) and all(map(_is_encrypted_device, below))
