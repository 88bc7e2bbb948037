"""Logging in: with a key, in a form, into a cookie that names it; and with a link, once."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie

import pytest

from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.web.people.sessions import LINK_SECONDS, SESSION_SECONDS, Session, Sessions
from arcana_pipelines.web.people.visitors import safe_next
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import SALT, SECRET_KEY, Api, served
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, form_to, seen


def sessions_of(api: Api, passed: float = 0) -> Sessions:
    """What signs for the server, so many seconds ago."""
    settings = api.settings.model_copy(update={"secret_key": SECRET_KEY})
    return Sessions(settings, lambda: time.time() - passed)


def is_logged_in(visitor: Visitor) -> bool:
    return visitor.get("/").url.path == "/"


class TestTheCookie:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_is_strict_hidden_from_programs_and_holds_no_key(self, api: Api, scheme: str, visit: Visit) -> None:
        visitor, key = visit(api, scheme), api.key("search").key
        shown = visitor.get("/log-in")
        if scheme == "https":  # a client that speaks to the proxy would send it
            visitor.client.headers["Cookie"] = shown.headers["set-cookie"].partition(";")[0]
        answer = visitor.send("/log-in", shown, key=key)
        (morsel,) = SimpleCookie(answer.headers["set-cookie"]).values()
        assert morsel.key == ("__Host-arcana" if scheme == "https" else "arcana")
        assert morsel["samesite"] == "strict" and morsel["httponly"] and morsel["path"] == "/"
        assert bool(morsel["secure"]) is (scheme == "https") and not morsel["domain"]
        assert int(morsel["max-age"]) == SESSION_SECONDS == 12 * 3600
        session = sessions_of(api).read(morsel.value)
        assert session is not None and session.key_id == key[4:12]
        said = answer.headers["set-cookie"] + answer.headers["location"] + answer.text
        assert key not in said and key[13:] not in said

    def test_that_nobody_signed_or_that_is_over_opens_nothing(self, api: Api, visitor: Visitor) -> None:
        key_id = api.key("search").key_id
        good = sessions_of(api).write(sessions_of(api).new(key_id))
        visitor.client.cookies.set("arcana", good)
        assert is_logged_in(visitor)
        other = api.settings.model_copy(update={"secret_key": type(SECRET_KEY)("another secret of thirty-two letters")})
        late = sessions_of(api, SESSION_SECONDS + 1)
        forged = [
            Sessions(other).write(Session(key_id, "x", int(time.time()) + 9999)),
            late.write(late.new(key_id)),
            good[:-2] + ("AA" if good[-2:] != "AA" else "BB"),
            sessions_of(api).write_link(key_id),
            good.partition("W")[2], "", "x", "é" * 9, "a" * 5000,
        ]  # fmt: skip
        for cookie in forged:
            visitor.client.cookies.clear()
            answer = visitor.client.get("/", headers={"Cookie": f"arcana={cookie}".encode()})
            assert answer.status_code == 303 and answer.headers["location"].startswith("/log-in"), cookie

    def test_is_over_with_its_key(self, api: Api, visitor: Visitor) -> None:
        made = api.key("search")
        visitor.log_in(made.key)
        assert is_logged_in(visitor)
        with api.acme.database.connection() as connection:
            keys.revoke(connection, made.key_id)
        answer = visitor.get("/?query=vacation")
        assert answer.url.path == "/log-in" and "its key has" in seen(answer.text)

    def test_of_a_key_that_was_rotated_ends_with_the_overlap(self, api: Api, visitor: Visitor) -> None:
        made = api.key("search")
        visitor.log_in(made.key)
        with api.acme.database.connection() as connection:
            keys.rotate(connection, "a salt", made.key_id, 7)
            assert is_logged_in(visitor)
            connection.execute("UPDATE api_keys SET expires_at = now() WHERE key_id = %s", [made.key_id])
        assert not is_logged_in(visitor)

    def test_opens_nothing_of_the_api(self, api: Api, reader: Visitor) -> None:
        for path in ("/v1/workspaces", "/v1/workspaces/acme/search?query=x", "/v1/workspaces/acme/documents"):
            assert reader.client.get(path).status_code == 401
        assert reader.client.post("/v1/workspaces/acme/search", json={"query": "x"}).status_code == 401
        assert reader.client.post("/mcp", json={}).status_code == 401

    def test_is_not_taken_away_by_pages_of_others(self, api: Api, visitor: Visitor) -> None:
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        for path in ("/?query=vacation", "/state", "/log-in", "/link?once=x"):
            answer = visitor.client.get(path, headers=elsewhere)
            assert answer.status_code == 200 and answer.headers["refresh"] == f"0; url={path}"
            assert "set-cookie" not in answer.headers
        for path in ("/log-in", "/log-out", "/link"):
            answer = visitor.client.post(path, headers=elsewhere)
            assert answer.status_code == 403 and "set-cookie" not in answer.headers
        visitor.log_in(api.key("search").key)
        assert visitor.client.get("/?query=vacation", headers=elsewhere).status_code == 200  # same-site: it was sent

    def test_a_key_in_a_header_is_no_session(self, api: Api, visitor: Visitor) -> None:
        answer = visitor.client.get("/", headers={"Authorization": f"Bearer {api.key('search').key}"})
        assert answer.status_code == 303


class TestTheForm:
    def test_without_its_token_or_with_another_s_changes_nothing(
        self, api: Api, visitor: Visitor, visit: Visit
    ) -> None:
        key, other = api.key("search").key, visit(api)
        theirs = other.get("/log-in")
        visitor.get("/log-in")
        for token in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
            answer = visitor.client.post("/log-in", data={"key": key, **token})
            assert answer.status_code == 403 and "Please send it again" in seen(answer.text)
        assert visitor.send("/log-in", theirs, key=key).status_code == 403
        assert not is_logged_in(visitor)
        visitor.log_in(key)
        assert visitor.client.post("/log-out").status_code == 403
        assert is_logged_in(visitor)

    def test_of_more_fields_than_any_has_is_refused(self, visitor: Visitor) -> None:
        answer = visitor.client.post("/log-in", content=b"&".join(b"a=%d" % number for number in range(1_000)))
        assert answer.status_code == 422 and 'role="alert"' in answer.text

    def test_of_before_the_log_in_is_none_of_after_it(self, api: Api, visitor: Visitor) -> None:
        before = visitor.get("/log-in")
        visitor.log_in(api.key("search").key)
        assert visitor.send("/log-in", before, key=api.key("search").key).status_code == 403

    def test_logs_out(self, reader: Visitor) -> None:
        answer = reader.send("/log-out", reader.get("/"))
        assert answer.status_code == 303 and not is_logged_in(reader)
        assert "Your key still works" in seen(reader.get(answer.headers["location"]).text)

    def test_logs_out_whoever_has_copied_the_cookie_whichever_process_is_asked(
        self, api: Api, companies: Harness, visit: Visit
    ) -> None:
        made = api.key("search")
        with served(companies) as another:
            reader, elsewhere, copy = visit(api), visit(another), visit(another)
            reader.log_in(made.key)
            elsewhere.log_in(made.key)
            copy.client.cookies.set("arcana", reader.client.cookies["arcana"])
            assert is_logged_in(copy)
            reader.send("/log-out", reader.get("/"))
            assert not is_logged_in(copy) and is_logged_in(elsewhere)
            with api.with_key(made.key) as client:
                assert client.get("/v1/workspaces").status_code == 200

    def test_forgets_who_has_logged_out_when_the_cookie_would_have_ended(self, api: Api, reader: Visitor) -> None:
        with api.acme.database.connection() as connection:
            connection.execute("INSERT INTO ended_sessions VALUES (sha256('late'), now()), (sha256('x'), now() + '1h')")
        reader.send("/log-out", reader.get("/"))
        assert api.acme.rows("SELECT count(*), bool_and(ends_at > now()) FROM ended_sessions") == [(2, True)]

    def test_refuses_what_is_no_key_and_a_token(self, api: Api, visitor: Visitor) -> None:
        with api.client("search") as client:
            token = client.post("/v1/tokens", json={}).json()["token"]
        for typed, said in (("arc_nothing", "opens nothing"), ("", "opens nothing"), (token, "This is a token"),
                            ("비밀", "opens nothing"), ("\0", "opens nothing")):  # fmt: skip
            answer = visitor.send("/log-in", visitor.get("/log-in"), key=typed)
            assert answer.status_code == 401 and said in seen(answer.text)
            assert not typed or typed not in answer.text

    def test_wrong_keys_are_slowed_with_those_of_the_api(self, companies: Harness, visit: Visit) -> None:
        with served(companies, refused_keys_per_minute=4) as api:
            visitor, made = visit(api), api.key("search")
            for _ in range(2):
                assert visitor.send("/log-in", visitor.get("/log-in"), key="arc_wrong").status_code == 401
                with api.with_key("arc_wrong") as client:
                    assert client.get("/v1/workspaces").status_code == 401
            answer = visitor.send("/log-in", visitor.get("/log-in"), key=made.key)
            assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 15
            assert "Try again in" in seen(answer.text)
            with api.with_key(made.key) as client:
                assert client.get("/v1/workspaces").status_code == 429

    @pytest.mark.parametrize(
        "where",
        ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
         "/v1/x", "/log-out", "/state\r\nX: y", "///evil.example", "/%2f/evil.example/..", "evil", "/state?a\tb", "http:///state",
         "//[", "é"],
    )  # fmt: skip
    def test_goes_on_to_no_place_but_the_page_s(self, shared_api: Api, visit: Visit, where: str) -> None:
        assert safe_next(where) == "/"
        visitor = visit(shared_api)
        shown = visitor.client.get("/log-in", params={"next": where})
        answer = visitor.send("/log-in", shown, key=shared_api.key("search").key, next=where)
        assert answer.status_code == 303 and answer.headers["location"] == "/"

    def test_goes_on_to_what_was_asked_for(self, api: Api, visitor: Visitor) -> None:
        shown = visitor.get("/state?after=a")
        assert shown.url.path == "/log-in"
        answer = visitor.send("/log-in", shown, key=api.key("read").key)
        assert answer.headers["location"] == "/state?after=a"


class TestTheLink:
    def test_logs_in_once_whichever_process_is_asked(self, api: Api, companies: Harness, visit: Visit) -> None:
        made = api.key("search")
        once = sessions_of(api).write_link(made.key_id)
        with served(companies) as another:
            for url, status in ((another, 303), (another, 401), (api, 401)):
                visitor = visit(url)
                shown = visitor.get("/link", once=once)
                assert shown.status_code == 200  # looking at it is no use of it
                assert visitor.send("/link", shown).status_code == status
                assert is_logged_in(visitor) is (status == 303)

    def test_ends_with_its_key_at_log_out_and_no_other_key_does(self, api: Api, visitor: Visitor) -> None:
        typed = api.key("search")
        with api.acme.database.connection() as connection:
            acme = workspaces.find(connection, "acme")
            granted = [Permission("search", acme.workspace_id, None)]
            made = keys.create(connection, SALT, acme.company_id, granted, keys.LINK_NAME, 1)
        visitor.send("/link", visitor.get("/link", once=sessions_of(api).write_link(made.key_id)))
        assert is_logged_in(visitor)
        visitor.send("/log-out", visitor.get("/"))
        visitor.log_in(typed.key)
        visitor.send("/log-out", visitor.get("/"))
        with api.acme.database.connection() as connection:
            states = {key.key_id: key.state for key in keys.list_all(connection)}
        assert (states[made.key_id], states[typed.key_id]) == ("revoked", "good")

    def test_is_over_after_some_minutes(self, api: Api, visitor: Visitor) -> None:
        late = sessions_of(api, LINK_SECONDS + 1)
        once = late.write_link(api.key("search").key_id)
        assert visitor.get("/link", once=once).status_code == 401
        good = visitor.get("/link", once=sessions_of(api).write_link(api.key("search").key_id))
        assert visitor.send("/link", good, once=once).status_code == 401
        assert not is_logged_in(visitor)

    def test_is_over_with_its_key_and_cannot_be_made_up(self, api: Api, visitor: Visitor) -> None:
        made = api.key("search")
        shown = visitor.get("/link", once=sessions_of(api).write_link(made.key_id))
        with api.acme.database.connection() as connection:
            keys.revoke(connection, made.key_id)
        assert visitor.send("/link", shown).status_code == 401
        session = sessions_of(api).write(sessions_of(api).new(api.key("search").key_id))
        for once in (session, made.key_id, made.key, "", "é"):
            assert visitor.send("/link", shown, once=once).status_code == 401
        assert visitor.client.post("/link", data={"once": "x"}).status_code == 403
        assert not is_logged_in(visitor)


def test_no_form_sends_a_key_in_an_address(visitor: Visitor) -> None:
    html = visitor.get("/log-in").text
    assert 'name="key"' in form_to("/log-in", html) and html.count("<form") == 1
