"""Tokens of an issuer of its own: what is expressly theirs they open, and nothing else, whatever is wrong with them."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import ValidationError

from arcana_pipelines.cli.commands import doctor
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.http_server import Answer, AnsweringServer, Request
from arcana_pipelines.web import issuer as issuer_module
from arcana_pipelines.web.issuer import Issuer, IssuerAway
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SEARCH, Api, served
from arcana_pipelines_tests.web.test_api import problem

DOCUMENTS = "/v1/workspaces/acme/documents"
AUDIENCE = "https://search.example.com/mcp"
METADATA = "https://search.example.com/.well-known/oauth-protected-resource/mcp"
ALGORITHMS = {"RS256": rsa.generate_private_key(65537, 2048), "ES256": ec.generate_private_key(ec.SECP256R1()),
              "EdDSA": ed25519.Ed25519PrivateKey.generate()}  # fmt: skip


def public(algorithm: str, key: Any, key_id: str | None, **more: Any) -> dict[str, Any]:
    """A key as an issuer publishes it."""
    known = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm,
             "EdDSA": jwt.algorithms.OKPAlgorithm}  # fmt: skip
    held: dict[str, Any] = {**json.loads(known[algorithm].to_jwk(key.public_key())), **more}
    return {**held, "kid": key_id} if key_id is not None else held


class StandIn(AnsweringServer):
    """An issuer: what it answers is set, and what it was asked is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [public(name, key, name) for name, key in ALGORITHMS.items()]
        self.described: dict[str, Any] = {"issuer": self.address, "jwks_uri": f"{self.address}/keys"}
        self.answers: dict[str, Answer | None] = {}
        self.asked: list[str] = []

    def answer(self, request: Request) -> Answer | None:
        self.asked.append(request.target)
        if request.target in self.answers:
            return self.answers[request.target]
        held = {"/.well-known/openid-configuration": self.described, "/keys": {"keys": self.keys}}.get(request.target)
        return Answer(404, b"{}") if held is None else Answer(200, json.dumps(held).encode())

    def token(self, algorithm: str = "RS256", key: Any = None, key_id: str | None = "", **changed: Any) -> str:
        """A good token, but for what is said."""
        now = int(time.time())
        good = {
            "iss": self.address, "aud": AUDIENCE, "iat": now, "exp": now + 300, "sub": "kim",
            "scope": "openid search read", "arcana_company": "default",
        }  # fmt: skip
        claims = {name: value for name, value in {**good, **changed}.items() if value is not None}
        headers = {"kid": key_id or algorithm} if key_id is not None else {}
        return jwt.encode(claims, key or ALGORITHMS[algorithm], algorithm, headers=headers)


@pytest.fixture
def issuer() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def api(companies: Harness, issuer: StandIn) -> Iterator[Api]:
    """The API, which believes the issuer."""
    with served(companies, oauth_issuer=issuer.address, oauth_audience=AUDIENCE) as api:
        yield api


@pytest.fixture(scope="module")
def shared_issuer() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def believing(shared_companies: Harness, shared_issuer: StandIn) -> Iterator[Api]:
    """An API that believes this issuer, for tests that it refuses."""
    with served(shared_companies, oauth_issuer=shared_issuer.address, oauth_audience=AUDIENCE) as api:
        yield api


def get(api: Api, token: str, path: str = DOCUMENTS) -> httpx.Response:
    with api.with_key(token) as client:
        return client.get(path)


def refused(api: Api, token: str) -> None:
    answer = get(api, token)
    assert problem(answer)["status"] == 401
    told = answer.headers["www-authenticate"]
    assert told == f'Bearer realm="arcana", resource_metadata="{METADATA}", error="invalid_token"'


class TestAToken:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_opens_what_it_says_however_it_is_signed(self, api: Api, issuer: StandIn, algorithm: str) -> None:
        token = issuer.token(algorithm)
        assert get(api, token).status_code == 200
        assert get(api, token, "/v1/workspaces").json() == {"workspaces": ["acme"]}
        assert problem(get(api, token, "/v1/workspaces/globex/documents"))["status"] == 404
        with api.with_key(token) as client:
            assert client.post(SEARCH, json={"query": "vacation"}).json()["hits"]

    def test_may_what_its_scopes_say_and_never_administer(self, api: Api, issuer: StandIn) -> None:
        assert problem(get(api, issuer.token(scope="search admin")))["status"] == 403
        with api.with_key(issuer.token(scope="search read admin")) as client:
            assert problem(client.get("/v1/keys"))["status"] == 403
            assert problem(client.post("/v1/tokens", json={}))["status"] == 403

    def test_of_another_company_opens_that_company_s(self, api: Api, issuer: StandIn) -> None:
        token = issuer.token(arcana_company="Globex")
        assert get(api, token, "/v1/workspaces").json() == {"workspaces": ["globex"]}
        assert problem(get(api, token))["status"] == 404

    def test_opens_mcp(self, api: Api, issuer: StandIn) -> None:
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                 "params": {"name": "list_workspaces", "arguments": {}}}  # fmt: skip
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
        with api.with_key(issuer.token(scp=["search"], scope=None)) as client:
            answer = client.post("/mcp", json=asked, headers=headers)
        (workspace,) = answer.json()["result"]["structuredContent"]["workspaces"]
        assert workspace["workspace"] == "acme" and workspace["may"] == ["search"]

    def test_and_keys_are_good_beside_each_other(self, api: Api, issuer: StandIn) -> None:
        key = api.key("read")
        assert get(api, key.key).status_code == get(api, issuer.token()).status_code == 200


class TestNothingIsOpenedByATokenThat:
    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://login.example.com"}, {"iss": None}, {"aud": "https://other.example.com"}, {"aud": None},
            {"exp": 1}, {"exp": None}, {"nbf": int(time.time()) + 3600}, {"sub": None}, {"scope": None}, {"scope": ""},
            {"scope": "searching openid"}, {"scope": 7}, {"scope": "admin"}, {"arcana_company": None},
            {"arcana_company": ""}, {"arcana_company": "Nobody Inc."}, {"arcana_company": ["default"]},
            {"arcana_company": "a\0"}, {"arcana_company": "\ud800"}, {"arcana_company": "x" * 5000},
        ],
    )  # fmt: skip
    def test_says_something_else(self, believing: Api, shared_issuer: StandIn, changed: dict[str, Any]) -> None:
        refused(believing, shared_issuer.token(**changed))

    def test_is_signed_with_another_key_or_in_another_way(self, api: Api, issuer: StandIn) -> None:
        assert get(api, issuer.token()).status_code == 200
        refused(api, issuer.token(key=rsa.generate_private_key(65537, 2048)))
        refused(api, issuer.token("ES256", key_id="RS256"))
        refused(api, issuer.token(key_id=None))
        for algorithm in ("RS384", "PS256"):
            refused(api, issuer.token(algorithm, ALGORITHMS["RS256"], "RS256"))
        head, body, signature = issuer.token().split(".")
        refused(api, f"{head}.{body}.{signature[:-4]}AAAA")

    def test_is_signed_with_nothing_or_with_what_everybody_knows(self, api: Api, issuer: StandIn) -> None:
        claims = jwt.decode(issuer.token(), options={"verify_signature": False})
        refused(api, jwt.encode(claims, None, "none", headers={"kid": "RS256"}))
        known = ALGORITHMS["RS256"].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )  # fmt: skip
        # By hand: the library makes no token of the kind.
        parts = ({"alg": "HS256", "typ": "JWT", "kid": "RS256"}, claims)
        signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
        for secret in (known, known.strip(), b"x" * 64):
            signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
            refused(api, (signed + b"." + signature).decode())

    def test_is_signed_with_a_shared_secret_that_the_issuer_publishes(self, api: Api, issuer: StandIn) -> None:
        issuer.keys.append({"kty": "oct", "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg", "kid": "shared"})
        issuer.keys.append(public("RS256", ALGORITHMS["RS256"], "sealing", use="enc"))
        assert get(api, issuer.token()).status_code == 200
        refused(api, issuer.token("HS256", "x" * 32, "shared"))
        refused(api, issuer.token(key_id="sealing"))


class TestTheIssuersKeys:
    def test_are_asked_for_once_and_not_for_what_is_not_its_own(self, api: Api, issuer: StandIn) -> None:
        refused(api, issuer.token(iss="https://login.example.com"))
        assert issuer.asked == []
        for _ in range(3):
            assert get(api, issuer.token()).status_code == 200
        for number in range(5):
            refused(api, issuer.token(key_id=f"unknown {number}"))
        assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]

    def test_are_asked_for_anew_when_one_is_not_known(
        self, api: Api, issuer: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert get(api, issuer.token()).status_code == 200
        monkeypatch.setattr(issuer_module, "UNKNOWN_SECONDS", 0.0)
        new = rsa.generate_private_key(65537, 2048)
        issuer.keys = [public("RS256", new, "rotated")]
        assert get(api, issuer.token(key=new, key_id="rotated")).status_code == 200
        refused(api, issuer.token())

    def test_that_cannot_be_had_are_no_fault_of_the_token(
        self, api: Api, issuer: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer.answers["/keys"] = Answer(500, b"{}")
        for _ in range(2):
            answer = get(api, issuer.token())
            assert problem(answer)["status"] == 503 and "issuer" in answer.json()["detail"]
            assert answer.headers["retry-after"] and "127.0.0.1" not in answer.text
        assert issuer.asked.count("/keys") == 1, "who does not answer is left alone for a while"
        assert get(api, api.key("read").key).status_code == 200, "keys do not need the issuer"
        monkeypatch.setattr(issuer_module, "UNKNOWN_SECONDS", 0.0)
        issuer.answers.clear()
        assert get(api, issuer.token()).status_code == 200

    def test_are_believed_for_a_while_when_the_issuer_is_away(
        self, api: Api, issuer: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = issuer.token()
        assert get(api, token).status_code == 200
        issuer.answers["/keys"] = None
        for name in ("UNKNOWN_SECONDS", "KEPT_SECONDS"):
            monkeypatch.setattr(issuer_module, name, 0.0)
        assert get(api, token).status_code == 200
        assert problem(get(api, issuer.token(key_id="unknown")))["status"] == 503
        monkeypatch.setattr(issuer_module, "STALE_SECONDS", 0.0)
        assert problem(get(api, token))["status"] == 503


def settings(issuer: str, **more: Any) -> Settings:
    return Settings(oauth_issuer=issuer, oauth_audience=AUDIENCE, **more)


class TestAnIssuer:
    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/keys", Answer(200, b"[]")), ("/keys", Answer(200, b"no json")), ("/keys", Answer(200, b'{"keys": 7}')),
            ("/keys", Answer(200, b'{"keys": [{"kty": "RSA", "kid": "a"}, 7]}')), ("/keys", Answer(200, b"[" * 9000)),
            ("/keys", Answer(200, b" " * 300_000)), ("/keys", Answer(302, b"", {"Location": "/elsewhere"})),
            ("/keys", Answer(404, b"")), ("/keys", None),
            ("/.well-known/openid-configuration", Answer(200, b'{"issuer": "https://login.example.com"}')),
            ("/.well-known/openid-configuration", Answer(200, b"{}")),
            ("/.well-known/openid-configuration", Answer(404, b"")),
        ],
    )  # fmt: skip
    def test_that_answers_with_something_else_is_told_in_a_sentence(
        self, issuer: StandIn, path: str, answer: Answer | None
    ) -> None:
        issuer.answers[path] = answer
        with pytest.raises(IssuerAway, match=r"^http://.*[.]$"):
            Issuer(settings(issuer.address)).fetch()

    @pytest.mark.parametrize("keys", ["http://login.example.com/keys", "file:///etc/passwd", "//x", None, 7])
    def test_is_not_followed_to_where_others_can_read(self, issuer: StandIn, keys: Any) -> None:
        issuer.described["jwks_uri"] = keys
        with pytest.raises(IssuerAway, match="no address of its keys that may be asked"):
            Issuer(settings(issuer.address)).fetch()

    def test_that_is_slow_is_not_waited_for(self, issuer: StandIn) -> None:
        def slowly() -> Iterator[bytes]:
            yield b"{"
            time.sleep(20)

        issuer.answers["/keys"] = Answer(200, slowly(), {"Content-Length": "100"})
        began = time.monotonic()
        with pytest.raises(IssuerAway):
            Issuer(settings(issuer.address), seconds=1).fetch()
        assert time.monotonic() - began < 2

    def test_may_describe_itself_as_rfc_8414_has_it_or_say_where_its_keys_are(self, issuer: StandIn) -> None:
        issuer.answers["/.well-known/openid-configuration"] = Answer(404, b"")
        issuer.answers["/.well-known/oauth-authorization-server"] = Answer(200, json.dumps(issuer.described).encode())
        assert set(Issuer(settings(issuer.address)).fetch()) == set(ALGORITHMS)
        issuer.asked.clear()
        assert Issuer(settings(issuer.address, oauth_jwks_url=f"{issuer.address}/keys")).fetch()
        assert issuer.asked == ["/keys"]

    def test_is_looked_at_by_doctor_within_its_time(self, issuer: StandIn) -> None:
        assert "has 3 keys" in doctor._issuer(settings(issuer.address))
        issuer.answers["/keys"] = Answer(500, b"{}")
        with pytest.raises(IssuerAway, match="status 500"):
            doctor._issuer(settings(issuer.address))


class TestWhoLogsIn:
    def test_reads_where(self, api: Api, issuer: StandIn) -> None:
        with api.with_key(None) as client:
            for path in (DOCUMENTS, "/mcp"):
                answer = client.get(path)
                assert answer.status_code == 401
                told = answer.headers["www-authenticate"]
                assert told == f'Bearer realm="arcana", resource_metadata="{METADATA}"'
            for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
                described = client.get(path).json()
                assert described["resource"] == AUDIENCE and described["authorization_servers"] == [issuer.address]

    def test_is_told_nothing_where_no_issuer_is_set(self, acme: Harness) -> None:
        with served(acme) as api, api.with_key(None) as client:
            assert client.get("/.well-known/oauth-protected-resource/mcp").status_code == 404
            assert client.get(DOCUMENTS).headers["www-authenticate"] == 'Bearer realm="arcana"'


def test_workspaces_are_those_of_their_claim_where_it_is_set(companies: Harness, issuer: StandIn) -> None:
    named = "https://arcana.example.com/workspaces"
    trusted = {"oauth_issuer": issuer.address, "oauth_audience": AUDIENCE, "oauth_workspaces_claim": named}
    with served(companies, **trusted) as api:
        assert get(api, issuer.token(**{named: ["acme", "other"]})).status_code == 200
        assert get(api, issuer.token(**{named: "acme other"})).status_code == 200
        for none in (None, [], "", ["globex"], ["a\0", 7], {"acme": True}):
            refused(api, issuer.token(**{named: none}))


@pytest.mark.parametrize(
    "given",
    [
        {"oauth_issuer": "https://login.example.com"},
        {"oauth_issuer": "http://login.example.com", "oauth_audience": AUDIENCE},
        {"oauth_issuer": "login.example.com", "oauth_audience": AUDIENCE},
        {"oauth_issuer": "https://login.example.com", "oauth_audience": "search"},
        {"oauth_issuer": "https://login.example.com", "oauth_audience": AUDIENCE, "oauth_jwks_url": "http://x/keys"},
    ],
)
def test_settings_that_would_trust_too_much_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)
