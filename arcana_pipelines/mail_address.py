"""The address of a mail server, as `ALERT_SMTP_URL` gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

_PORTS = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server that takes mail from us.

    Attributes:
        is_tls: encrypted from the first byte; else by STARTTLS.
        user: empty: it wants none.
    """

    host: str
    port: int
    is_tls: bool
    user: str
    password: SecretStr

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `smtp://user:password@host:587`, or `smtps://…`; what is in it of reserved letters is percent-encoded.

        Raises:
            ValueError: it is another address; the message repeats nothing of it.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("must be an address like smtp://user:password@host:587 or smtps://user:password@host:465")
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError:
            raise ValueError("must have a port that is a number of at most 65535") from None
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if re.search(r"[\x00-\x1f\x7f]", user + password):
            raise ValueError("must have no control characters in the user or password")
        return cls(parts.hostname, port, parts.scheme == "smtps", user, SecretStr(password))

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, so that nobody on the way reads what it is sent."""
        return self.host in ("127.0.0.1", "::1", "localhost")
