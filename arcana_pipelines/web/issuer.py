"""The keys of somebody else's issuer of tokens: found, fetched within bounds, and kept for a while."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from arcana_pipelines.errors import ArcanaError
from arcana_pipelines.net.answer_size import check_values
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.settings import Settings, require_https

# Each says which key is needed, so that no key of one kind is taken for another's.
ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
SECONDS = 5.0
_MOST_BYTES, _MOST_VALUES = 256 * 1024, 10_000
# Keys are asked for anew after this, and sooner for one that is not known: an issuer changes them now and then.
KEPT_SECONDS = 600.0
UNKNOWN_SECONDS = 30.0
# So long the issuer may be away before what it has signed is not believed any more.
STALE_SECONDS = 3600.0


class IssuerAway(ArcanaError):
    """The issuer does not answer, or not as one. Nothing is said about the token."""


class Issuer:
    """Knows an issuer's keys by their ids. Safe to share between threads."""

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        """Nothing is fetched yet. `seconds` is what all of a look at the issuer may take."""
        assert settings.oauth_issuer is not None
        self.name = settings.oauth_issuer
        self._jwks_url = settings.oauth_jwks_url
        self._seconds = seconds
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of this id, with its algorithm; None where the issuer has none.

        Raises:
            IssuerAway: it cannot be asked, and what is known of it is not enough.
        """
        with self._lock:
            now = time.monotonic()
            known = self._keys.get(key_id)
            age = now - self._fetched_at
            wanted = age > (KEPT_SECONDS if known is not None else UNKNOWN_SECONDS)
            if wanted and now - self._tried_at > UNKNOWN_SECONDS:
                self._tried_at = now
                try:
                    self._keys = self.fetch()
                    self._fetched_at = now = time.monotonic()
                except IssuerAway:
                    if known is None or age > STALE_SECONDS:
                        self._keys = self._keys if age <= STALE_SECONDS else {}
                        raise
                return self._keys.get(key_id)
            if known is None and self._tried_at > self._fetched_at:
                raise IssuerAway(f"The issuer {self.name} did not answer a moment ago.")
            return known

    def fetch(self) -> dict[str, jwt.PyJWK]:
        """The issuer's keys that sign, by their ids, as it has them now.

        Raises:
            IssuerAway: it cannot be asked, or has none.
        """
        ends = time.monotonic() + self._seconds
        address = self._jwks_url or self._address_of_keys(ends)
        held = _json_of(address, ends).get("keys")
        keys = {}
        for each in held if isinstance(held, list) else []:
            if (key := _signing_key(each)) is not None and key.key_id:
                keys[key.key_id] = key
        if not keys:
            raise IssuerAway(f"{address} has no key with an id that signs with {', '.join(sorted(ALGORITHMS))}.")
        return keys

    def _address_of_keys(self, ends: float) -> str:
        """https://openid.net/specs/openid-connect-discovery-1_0.html, or else RFC 8414."""
        parts = urlsplit(self.name)
        places = (
            f"{self.name.rstrip('/')}/.well-known/openid-configuration",
            f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}",
        )
        try:
            described = _json_of(places[0], ends)
        except _NotThere:
            described = _json_of(places[1], ends)
        if described.get("issuer") != self.name:
            raise IssuerAway(f"{self.name} says that it is another issuer: set OAUTH_ISSUER as it says.")
        address = described.get("jwks_uri")
        try:
            return require_https(address if isinstance(address, str) else "")
        except ValueError as error:
            raise IssuerAway(f"{self.name} names no address of its keys that may be asked: {error}.") from error


class _NotThere(IssuerAway):
    """404."""


def _json_of(address: str, ends: float) -> dict[str, Any]:
    left = ends - time.monotonic()
    if left <= 0:
        raise IssuerAway(f"{address} was not asked: the issuer was too slow before.")
    try:
        server = Server(
            address,
            timeout=Timeout(connect=left / 2, read=left / 2),
            seconds=left / 2,
            most_bytes=_MOST_BYTES,
            headers={"User-Agent": "arcana-pipelines", "Accept": "application/json"},
        )
        try:
            answer = server.send("GET", address)
        finally:
            server.close()
        if answer.status != 200:
            kind = _NotThere if answer.status == 404 else IssuerAway
            raise kind(f"{address} answers with status {answer.status}.")
        check_values(answer.data, _MOST_VALUES)
        held = json.loads(answer.data)
    except (HTTPError, OSError) as error:
        raise IssuerAway(f"{address} cannot be asked ({type(error).__name__}).") from error
    except (ValueError, RecursionError) as error:
        raise IssuerAway(f"{address} answers with something that is no JSON.") from error
    if not isinstance(held, dict):
        raise IssuerAway(f"{address} answers with something that is no JSON object.")
    return held


def _signing_key(held: Any) -> jwt.PyJWK | None:
    """A key, if it can sign in one of our ways."""
    if not isinstance(held, dict) or held.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(held)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if key.algorithm_name in ALGORITHMS and isinstance(key.key_id, str) else None
