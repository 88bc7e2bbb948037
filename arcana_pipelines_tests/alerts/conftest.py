"""A receiver of alerts: over real HTTP, and over real SMTP."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from arcana_pipelines.net.certificates import trusted_certificates
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request


class Receiver(AnsweringServer):
    """Keeps what it was posted. `status` is what it answers from now on; `silent`, it takes the post and is mute.

    `unanswered` is what it was posted while it was mute.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.unanswered: list[str] = []
        self.status = 200
        self.location: str | None = None
        self.silent = threading.Event()
        self.released = threading.Event()
        super().__init__()

    @property
    def url(self) -> SecretStr:
        return SecretStr(f"{self.address}/services/T0/B0/secret-path")

    def answer(self, request: Request) -> Answer | None:
        text = json.loads(request.body)["text"]
        if self.silent.is_set():
            self.unanswered.append(text)
            self.released.wait(30)
            return None
        if self.status == 200:
            self.texts.append(text)
        return Answer(self.status, b"ok", {"Location": self.location} if self.location else {})

    def close(self) -> None:
        self.released.set()
        super().close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


class Events(AnsweringServer):
    """Takes events as PagerDuty does; `status` is what it answers from now on."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.status = 202
        super().__init__()

    def answer(self, request: Request) -> Answer:
        assert (request.method, request.target) == ("POST", "/v2/enqueue")
        if self.status == 202:
            self.events.append(json.loads(request.body))
        return Answer(self.status, b"{}")


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it took: (sender, recipients, bytes), and who logged in.

    Attributes:
        answers: what it says to a command in place of its own answer, by the command's first word; empty: it ends the
            connection without a word. `.` is what it says to a letter.
        silent: commands that it is mute at, until it is closed.
        offers: what it says that it can.
        certificate: of its TLS; None: it has none.
        is_tls: encrypted from the first byte.
    """

    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, certificate: Path | None = None, *, is_tls: bool = False) -> None:
        self.letters: list[tuple[str, list[str], bytes]] = []
        self.logins: list[str] = []
        self.commands: list[str] = []
        self.answers: dict[str, bytes] = {}
        self.silent: set[str] = set()
        self.closed = threading.Event()
        self.offers = [b"AUTH PLAIN"] if certificate is None else [b"AUTH PLAIN", b"STARTTLS"]
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.is_tls = is_tls
        super().__init__(("127.0.0.1", 0), _Session)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.005,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever ended a connection in the middle is not reported."""


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        if self.server.is_tls:
            self._encrypt()
        self._say(b"220 mail.example ready")
        sender, recipients = "", list[str]()
        while line := self.rfile.readline():
            command = line.decode().strip()
            word = command.split(":")[0].split(" ")[0].upper()
            self.server.commands.append(word)
            if self._instead(word):
                continue
            if word == "EHLO":
                for each in (b"mail.example", *self.server.offers):
                    self._say(b"250-" + each)
                self._say(b"250 SIZE 1000000")
            elif word == "STARTTLS":
                self._say(b"220 go ahead")
                self._encrypt()
            elif word == "AUTH":
                self.server.logins.append(base64.b64decode(command.split()[2]).decode())
                self._say(b"235 ok")
            elif word == "DATA":
                self._say(b"354 go on")
                letter = b""
                while (line := self.rfile.readline()) != b".\r\n":
                    letter += line
                if not self._instead("."):
                    self.server.letters.append((sender, recipients, letter))
                    self._say(b"250 taken")
            elif word == "QUIT":
                return
            else:
                if word == "MAIL":
                    sender, recipients = command.split("<")[1].split(">")[0], []
                elif word == "RCPT":
                    recipients.append(command.split("<")[1].split(">")[0])
                self._say(b"250 ok")

    def _instead(self, word: str) -> bool:
        if word in self.server.silent:
            self.server.closed.wait(30)
        answer = self.server.answers.get(word)
        if answer == b"":
            raise ConnectionAbortedError
        if answer is not None:
            self._say(answer)
        return answer is not None

    def _encrypt(self) -> None:
        assert self.server.context is not None
        self.request = self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # that of TLS is another one than the server knows

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@pytest.fixture
def events() -> Iterator[Events]:
    with Events() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """One without TLS, on this machine."""
    with Mailbox() as running:
        yield running
        running.closed.set()
        running.shutdown()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of `localhost`, which is trusted, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = tmp_path / "certificate.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    trusted_certificates.cache_clear()
    yield path
    trusted_certificates.cache_clear()
