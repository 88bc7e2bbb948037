"""Addresses that others have chosen lead to allowed hosts on the public network, and nowhere else."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from arcana_pipelines.errors import DownloadFailed, DownloadRefused, SourceError
from arcana_pipelines.net import download as downloads
from arcana_pipelines.net.download import download
from arcana_pipelines.net.outside import MOST_REDIRECTS, Network, Outside, is_public
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request

PUBLIC = "93.184.216.34"
ANOTHER = "1.1.1.1"
HOSTS = ("files.example.com", "*.cdn.example.org", "파일.example.com")
FILE = b"%PDF-1.7 bytes"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_wait", lambda tried: 0.0)


class Store(AnsweringServer):
    """Answers as it is told, by path; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Request] = []
        super().__init__()
        self.port = int(self.address.rpartition(":")[2])

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        return self.answers.get(request.target, Answer(200, FILE, {"Content-Type": "application/pdf"}))

    def leads(self, path: str, location: str, status: int = 302) -> None:
        self.answers[path] = Answer(status, b"", {"Location": location})


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        yield server


class Names:
    """A network of this test: names with addresses, all of which are the store's."""

    def __init__(self, port: int, names: Mapping[str, list[str]]) -> None:
        self.names = dict(names)
        self.looked_up: list[str] = []
        self.reached: list[tuple[str, int]] = []
        self.unreachable: set[str] = set()
        self._port = port

    def look_up(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        return self.names.get(host, [PUBLIC])

    def reach(self, address: str, port: int) -> tuple[str, int]:
        self.reached.append((address, port))
        return ("127.0.0.1", 1 if address in self.unreachable else self._port)

    @property
    def network(self) -> Network:
        return Network(self.look_up, self.reach)


Fetch = Callable[..., bytes]


@pytest.fixture
def names(store: Store) -> Names:
    return Names(store.port, {})


@pytest.fixture
def fetch(names: Names) -> Fetch:
    def fetch(url: str, most: int = 1000, may_be_page: bool = True, network: Network | None = None) -> bytes:
        outside = Outside(HOSTS, timeout=5.0, network=network or names.network)
        target = io.BytesIO()
        download(lambda headers: outside.open(url, headers, 5.0), target, most, _refused, may_be_page)
        return target.getvalue()

    return fetch


def _refused(status: int) -> SourceError:
    return DownloadRefused(f"status {status}")


# --- addresses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.127.255.255", "198.18.0.1", "198.19.255.255", "192.0.0.1", "192.0.2.1",
        "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::1",
        "", "localhost", "0x7f000001", "2130706433", "127.1",
    ],
)  # fmt: skip
def test_these_are_not_on_the_public_network(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", PUBLIC, "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"]
)
def test_these_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1", "100.64.0.1"])
def test_an_allowed_name_that_leads_inside_is_refused_before_anything_is_sent(
    store: Store, names: Names, fetch: Fetch, address: str
) -> None:
    for addresses in ([address], [PUBLIC, address], [address, PUBLIC]):
        names.names["files.example.com"] = addresses
        with pytest.raises(DownloadRefused):
            fetch("https://files.example.com/a.pdf")
    assert names.reached == [] and store.asked == []


def test_a_name_is_looked_up_once_and_the_checked_address_is_connected_to(store: Store, names: Names) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    network = Network(lambda host, port: next(answers), names.reach)
    outside = Outside(HOSTS, network=network)
    target = io.BytesIO()
    download(lambda headers: outside.open("http://files.example.com/a.pdf", headers, 5.0), target, 1000, _refused)
    assert target.getvalue() == FILE
    assert names.reached == [(PUBLIC, 80)]
    assert next(answers) == ["127.0.0.1"]


def test_another_address_is_tried_where_one_is_not_reached(names: Names, fetch: Fetch) -> None:
    names.names["files.example.com"] = [ANOTHER, PUBLIC]
    names.unreachable = {ANOTHER}
    assert fetch("http://files.example.com/a.pdf") == FILE
    assert [address for address, _ in names.reached] == [ANOTHER, PUBLIC]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.pdf",
        "https://evil.com/files.example.com",
        "https://files.example.com.evil.com/a.pdf",
        "https://notfiles.example.com/a.pdf",
        "https://cdn.example.org/a.pdf",
        "https://xcdn.example.org/a.pdf",
        "https://127.0.0.1/a.pdf",
        "https://[::1]/a.pdf",
        "https://2130706433/a.pdf",
        "https://0x7f.1/a.pdf",
        "https://files.example.com:8443/a.pdf",
        "https://files.example.com:22/a.pdf",
        "https://me@files.example.com/a.pdf",
        "https://me:secret@files.example.com/a.pdf",
        "https://files.example.com@evil.com/a.pdf",
        "https://evil.com\\@files.example.com/a.pdf",
        "https://files.example.com%2eevil.com/a.pdf",
        "https://files.example.com%00.evil.com/a.pdf",
        "ftp://files.example.com/a.pdf",
        "file:///etc/passwd",
        "gopher://files.example.com/a",
        "data:text/plain,x",
        "//files.example.com/a.pdf",
        "https:///a.pdf",
        "https://[::1",
        "https://files.example.com:99999999/a.pdf",
    ],
)
def test_other_hosts_ports_and_schemes_are_refused_without_a_look_up(names: Names, fetch: Fetch, url: str) -> None:
    with pytest.raises(DownloadRefused) as refused:
        fetch(url)
    assert names.looked_up == []
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://files.example.com/a.pdf",
        "http://FILES.example.com./a.pdf",
        "http://a.cdn.example.org/a.pdf",
        "http://a.b.cdn.example.org:80/a.pdf",
        "http://파일.example.com/연차.pdf?x=가#page=2",
        "http://files.example.com:443//a.pdf",
    ],
)
def test_allowed_hosts_are_asked(fetch: Fetch, url: str) -> None:
    assert fetch(url) == FILE


def test_without_hosts_none_is_asked(names: Names) -> None:
    with pytest.raises(DownloadRefused):
        Outside((), network=names.network).open("https://files.example.com/a.pdf", {}, 5.0)


def test_the_name_is_asked_for_as_such_and_nothing_of_ours_goes_along(store: Store, fetch: Fetch) -> None:
    fetch("http://파일.example.com/%EC%97%B0 차.pdf?a=1&b=2#page=3")
    (request,) = store.asked
    assert request.target == "/%EC%97%B0%20%EC%B0%A8.pdf?a=1&b=2"
    assert request.headers["host"] == "xn--pu5bl5s.example.com"
    assert set(request.headers) == {"host", "accept-encoding", "user-agent"}
    assert request.headers["accept-encoding"] == "identity"


def test_no_proxy_of_the_environment_is_asked(store: Store, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        assert fetch("http://files.example.com/a.pdf") == FILE
        assert proxy.asked == []


# --- redirects ------------------------------------------------------------------------------------------


def test_redirects_to_allowed_hosts_are_followed(store: Store, fetch: Fetch) -> None:
    store.leads("/a", "b?x=1", 301)
    store.leads("/b?x=1", "//a.cdn.example.org/c", 307)
    store.leads("/c", "http://files.example.com/d", 303)
    assert fetch("http://files.example.com/a") == FILE
    assert [request.headers["host"] for request in store.asked] == [
        "files.example.com", "files.example.com", "a.cdn.example.org", "files.example.com",
    ]  # fmt: skip


def test_more_than_three_redirects_are_not(store: Store, fetch: Fetch) -> None:
    store.leads("/a", "/a")
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a")
    assert len(store.asked) == MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://evil.com/a.pdf",
        "http://inside.cdn.example.org/a.pdf",
        "http://files.example.com:8080/a.pdf",
        "http://me@files.example.com/a.pdf",
        "file:///etc/passwd",
        "http://[::1",
    ],
)
def test_redirects_are_checked_as_the_first_address_is(store: Store, names: Names, fetch: Fetch, location: str) -> None:
    names.names["inside.cdn.example.org"] = ["10.0.0.1"]
    store.leads("/a", location)
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a")
    assert len(store.asked) == 1


def test_a_redirect_to_the_name_itself_is_looked_up_and_checked_again(store: Store, names: Names, fetch: Fetch) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])
    store.leads("/a", "/b")
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a", network=Network(lambda host, port: next(answers), names.reach))
    assert len(store.asked) == 1


# --- TLS ------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of files.example.com, by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "files.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("files.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


class Secure:
    """A server of TLS that gives one answer a connection, and remembers the names that it was greeted with."""

    def __init__(self, certificate: Path, answer: bytes) -> None:
        self.greeted: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda sock, name, _: self.greeted.append(name)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._context, self._answer = context, answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(self._answer)
            except OSError:
                connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _secure(certificate: Path, answer: bytes) -> tuple[Secure, Network]:
    server = Secure(certificate, answer)
    trusted = ssl.create_default_context(cafile=str(certificate))
    return server, Network(
        lambda host, port: [PUBLIC], lambda address, port: ("127.0.0.1", server.port), lambda: trusted
    )


def test_tls_greets_and_checks_the_name_and_not_the_address(certificate: Path, fetch: Fetch) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(FILE), FILE)
    server, network = _secure(certificate, answer)
    try:
        assert fetch("https://files.example.com/a.pdf", network=network) == FILE
        assert server.greeted == ["files.example.com"]
        with pytest.raises(DownloadFailed, match="certificate"):
            fetch("https://a.cdn.example.org/a.pdf", network=network)
        with pytest.raises(DownloadFailed, match="certificate"):
            fetch("https://files.example.com/a.pdf", network=Network(network.look_up, network.reach))
    finally:
        server.close()


def test_https_never_leads_to_http(certificate: Path, fetch: Fetch) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://files.example.com/b\r\nContent-Length: 0\r\n\r\n"
    server, network = _secure(certificate, answer)
    try:
        with pytest.raises(DownloadRefused, match="https"):
            fetch("https://files.example.com/a.pdf", network=network)
    finally:
        server.close()


# --- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/html; charset=utf-8", b"anything"),
        ("application/pdf", b"<!DOCTYPE html><html>Log in</html>"),
        ("application/octet-stream", b"\xef\xbb\xbf \r\n<!-- hello -->\n<HTML lang='ko'>"),
    ],
)
def test_a_page_in_the_place_of_a_file_is_refused(store: Store, fetch: Fetch, media_type: str, body: bytes) -> None:
    store.answers["/a.pdf"] = Answer(200, body, {"Content-Type": media_type})
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a.pdf", may_be_page=False)
    assert fetch("http://files.example.com/a.pdf") == body


def test_a_page_that_comes_byte_by_byte_is_one(store: Store, fetch: Fetch) -> None:
    page = b"<!doctype html><p>Log in</p>"
    pieces = (bytes([byte]) for byte in page)
    store.answers["/a.pdf"] = Answer(200, pieces, {"Content-Type": "application/pdf", "Content-Length": str(len(page))})
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a.pdf", may_be_page=False)


def test_what_comes_packed_is_refused(store: Store, fetch: Fetch) -> None:
    store.answers["/a.pdf"] = Answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    with pytest.raises(DownloadRefused):
        fetch("http://files.example.com/a.pdf")


def test_what_a_server_does_not_give_is_refused_at_once(store: Store, fetch: Fetch) -> None:
    for status in (401, 403, 404, 410, 204, 304):
        store.answers["/a.pdf"] = Answer(status, b"")
        with pytest.raises(DownloadRefused):
            fetch("http://files.example.com/a.pdf")
    assert len(store.asked) == 6


def test_a_name_that_is_not_known_is_tried_again(names: Names, fetch: Fetch) -> None:
    names.names["files.example.com"] = []
    with pytest.raises(DownloadFailed):
        fetch("http://files.example.com/a.pdf")
    assert len(names.looked_up) == downloads.MAX_ATTEMPTS
