"""Requests to addresses that others have chosen: who edits a page must not make us ask inside of our own network.

- Only hosts that are allowed, http and https, their own ports, no user in the address, no proxy.
- A name is looked up once, all of its addresses have to be public, and the connection goes to one of these: a name that
  leads elsewhere a moment later gains nothing. TLS and the Host header are those of the name.
- Redirects are followed by hand, three at most, each checked the same way, never from https to http.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from arcana_pipelines.errors import DownloadRefused
from arcana_pipelines.net.certificates import trusted_certificates
from arcana_pipelines.net.deadline import pool_classes
from arcana_pipelines.net.hosts import plain_host
from arcana_pipelines.net.retry import TryAgain

MOST_REDIRECTS = 3
MOST_ADDRESSES = 4  # of one name that are tried
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# An IPv4 address inside of one of IPv6: translated (RFC 6052), and as IPv4 programs once had it.
_HOLDS_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
_LOCAL_TRANSLATED = ipaddress.ip_network("64:ff9b:1::/48")


def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, by the system.

    Raises:
        TryAgain: it has none now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TryAgain("the name of its server is not known") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Network:
    """How names are looked up and addresses reached; another one than the system's is for tests.

    Attributes:
        look_up: a host and a port to addresses.
        reach: where a checked address and its port are connected to.
        certificates: whose servers are trusted.
    """

    look_up: Callable[[str, int], Sequence[str]] = look_up
    reach: Callable[[str, int], tuple[str, int]] = lambda address, port: (address, port)
    certificates: Callable[[], ssl.SSLContext] = trusted_certificates


class Outside:
    """Asks servers on the public network. Safe to share between threads; keeps no connection."""

    def __init__(self, hosts: Sequence[str] | None, *, timeout: float = 30.0, network: Network | None = None) -> None:
        """
        Args:
            hosts: those that are allowed, in lower case; `*.` before one: every host below it. None: all.
            timeout: seconds that a server may pause.
        """
        self._hosts = None if hosts is None else tuple(filter(None, map(plain_host, hosts)))
        self._timeout = timeout
        self._network = network or Network()

    def open(self, url: str, headers: Mapping[str, str], seconds: float) -> urllib3.BaseHTTPResponse:
        """Send a GET, and read the answer up to its headers; it ends after so many seconds.

        Raises:
            DownloadRefused: the address, or one that it leads to, is not asked.
            TryAgain, urllib3.exceptions.HTTPError: there is no answer now.
        """
        for _ in range(MOST_REDIRECTS + 1):
            parts = self._checked(url)
            response = self._ask(parts, headers, seconds)
            location = response.headers.get("location") if response.status in _REDIRECTS else None
            if location is None:
                return response
            response.close()
            following = _joined(url, location)
            if parts.scheme == "https" and not following.lower().startswith("https:"):
                raise DownloadRefused("A file's address leads from https to one that is not.")
            url = following
        raise DownloadRefused(f"A file's address leads on more than {MOST_REDIRECTS} times.")

    def _checked(self, url: str) -> SplitResult:
        """
        Raises:
            DownloadRefused: the address itself says that it is not asked.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise DownloadRefused("A file's address is not one of the web.") from error
        if parts.scheme not in _PORTS or not parts.hostname:
            raise DownloadRefused("A file's address is not one of the web.")
        if parts.username is not None or parts.password is not None:
            raise DownloadRefused("A file's address holds a user's name.")
        if port is not None and port not in _PORTS.values():
            raise DownloadRefused(f"A file's address names port {port}; only 80 and 443 are asked.")
        host = _host(parts)
        if self._hosts is not None and not any(_matches(host, allowed) for allowed in self._hosts):
            raise DownloadRefused(f"Files are not fetched from {host[:100]}: it is not among FILE_EXTERNAL_HOSTS.")
        return parts

    def _ask(self, parts: SplitResult, headers: Mapping[str, str], seconds: float) -> urllib3.BaseHTTPResponse:
        host, own_port = _host(parts), _PORTS[parts.scheme]
        port = parts.port or own_port
        addresses = self._network.look_up(host, port)
        if not addresses:
            raise TryAgain("the name of its server has no address")
        if not all(map(is_public, addresses)):
            raise DownloadRefused(f"Files are not fetched from {host[:100]}: it is not on the public network.")
        name = f"[{host}]" if ":" in host else host
        sent = {**headers, "Host": name if port == own_port else f"{name}:{port}"}
        target = parts._replace(scheme="", netloc="", fragment="").geturl()
        target = "/" + target.lstrip("/") if target.startswith("/") else f"/{target}"
        tried = addresses[:MOST_ADDRESSES]
        for at, address in enumerate(tried):
            try:
                pool = self._pool(parts.scheme, host, address, port, seconds)
                return pool.urlopen("GET", target, headers=sent, redirect=False, retries=False, preload_content=False)
            except (NewConnectionError, ConnectTimeoutError):
                if at == len(tried) - 1:
                    raise
        raise AssertionError

    def _pool(self, scheme: str, host: str, address: str, port: int, seconds: float) -> HTTPConnectionPool:
        reached, reached_port = self._network.reach(address, port)
        options: dict[str, Any] = {"timeout": self._timeout, "retries": False, "maxsize": 1}
        if scheme == "https":
            options |= {"ssl_context": self._network.certificates(), "server_hostname": host}
        pool: HTTPConnectionPool = pool_classes(seconds)[scheme](reached, reached_port, **options)
        return pool


def is_public(address: str) -> bool:
    """Whether an address belongs to the public network, also one of IPv4 that is written inside of one of IPv6."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is not None or ip in _LOCAL_TRANSLATED or ip.is_site_local:
            return False
        if ip.teredo is not None:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and any(ip in network for network in _HOLDS_IPV4):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _host(parts: SplitResult) -> str:
    """
    Raises:
        DownloadRefused: it is no name of a host.
    """
    host = plain_host(parts.hostname or "")
    if not host:
        raise DownloadRefused("A file's address has no proper host.")
    return host


def _matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise DownloadRefused("A file's address leads to one that is none.") from error
