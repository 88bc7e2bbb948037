"""Dagster's UI opens to whoever administers all that it shows, and ends with their key or their session."""

from __future__ import annotations

import logging

import httpx
import pytest

from arcana_pipelines.keys import keys
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.dagster_ui.conftest import new_key
from arcana_pipelines_tests.web.dagster_ui.dagster import GRAPHQL, PAGE, Dagster, operation
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen

OPENED = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
OF_PAGE = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
LAUNCH = operation("mutation LaunchPipelineExecution($p: P!) { launchRun(p: $p) { id } }", p="a secret of somebody's")


def followed(site: str) -> dict[str, str]:
    return {**OPENED, "Sec-Fetch-Site": site}


class TestOpens:
    def test_to_whoever_has_logged_in(self, admin: Visitor, dagster: Dagster) -> None:
        assert "<title>Dagster</title>" in admin.client.get(f"{PAGE}?view=graph", headers=OPENED).text
        assert admin.client.get(f"{PAGE}/x.js", headers=OF_PAGE).status_code == 200
        assert admin.client.post(GRAPHQL, json=LAUNCH, headers=OF_PAGE).status_code == 200
        assert [each.target for each in dagster.asked] == [f"{PAGE}?view=graph", f"{PAGE}/x.js", GRAPHQL]

    def test_to_a_program_with_the_same_key(self, program: httpx.Client, dagster: Dagster) -> None:
        assert program.get(PAGE).status_code == program.post(GRAPHQL, json=LAUNCH).status_code == 200
        assert [each.method for each in dagster.asked] == ["GET", "POST"]

    def test_after_the_log_in_where_it_was_asked_for(self, ui: Api, dagster: Dagster, visit: Visit) -> None:
        visitor = visit(ui)
        wanted = f"{PAGE}/%ED%9C%B4%EA%B0%80?view=lineage&tab=a%26b"
        sent = visitor.client.get(wanted, headers=followed("none"))
        assert sent.status_code == 303 and sent.headers["location"].startswith("/log-in?next=%2Fdagster%2F")
        shown = visitor.client.get(sent.headers["location"])
        answer = visitor.send("/log-in", shown, key=new_key(ui).key)
        assert (answer.status_code, answer.headers["location"]) == (303, wanted)
        assert dagster.asked == []

    def test_by_a_link_of_another_site_as_a_page_of_ours_asks_again(self, admin: Visitor, dagster: Dagster) -> None:
        cookie = admin.client.cookies.pop("arcana")  # strict: no browser sends it with such a link
        again = admin.client.get(f"{PAGE}?a=1", headers=followed("cross-site"))
        assert again.headers["refresh"] == f"0; url={PAGE}?a=1" and "set-cookie" not in again.headers
        admin.client.cookies["arcana"] = cookie
        assert "Dagster" in admin.client.get(f"{PAGE}?a=1", headers=followed("same-origin")).text

    def test_reading_with_a_session_is_not_counted_and_operations_are(self, admin: Visitor) -> None:
        assert "x-ratelimit-remaining" not in admin.client.get(PAGE, headers=OPENED).headers
        assert "x-ratelimit-remaining" in admin.client.post(GRAPHQL, json=LAUNCH, headers=OF_PAGE).headers

    def test_from_the_menu_of_the_page(self, admin: Visitor, ui: Api, visit: Visit) -> None:
        assert '<a href="/dagster/">Runs (Dagster)</a>' in admin.get("/").text
        reader = visit(ui)
        reader.log_in(new_key(ui, "search", "read").key)
        assert "/dagster" not in reader.get("/").text


class TestStaysShut:
    @pytest.mark.parametrize("key", [None, "arc_abcdefgh_" + "0" * 49, "x"])
    def test_without_a_good_key(self, ui: Api, dagster: Dagster, key: str | None) -> None:
        with ui.with_key(key) as client:
            for answer in (client.get(PAGE), client.post(GRAPHQL, json=LAUNCH), client.get(PAGE, headers=OF_PAGE)):
                assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.json()["type"] == "urn:arcana:problem:unauthorized"
        assert dagster.asked == []

    def test_to_keys_that_administer_less_than_it_shows(self, ui: Api, dagster: Dagster, visit: Visit) -> None:
        for key in (new_key(ui, "search", "read", "sync", "review").key, ui.key("admin", "read").key):
            with ui.with_key(key) as client:
                refused = client.get(PAGE)
                assert refused.status_code == client.post(GRAPHQL, json=LAUNCH).status_code == 403
                assert "--scope admin" in refused.json()["detail"]
            visitor = visit(ui)
            visitor.log_in(key)
            page = visitor.client.get(PAGE, headers=OPENED)
            assert page.status_code == 403 and "--scope admin" in seen(page.text)
            visitor.client.headers["Accept-Language"] = "ko"
            assert "회사 전체의 ‘admin’ 권한" in seen(visitor.client.get(PAGE, headers=OPENED).text)
            assert visitor.client.post(GRAPHQL, json=LAUNCH, headers=OF_PAGE).status_code == 403
        assert dagster.asked == []

    def test_to_tokens_of_a_key_that_opens_it(self, ui: Api, program: httpx.Client, dagster: Dagster) -> None:
        token = program.post("/v1/tokens", json={}).json()["token"]
        with ui.with_key(token) as client:
            assert client.get(PAGE).status_code == 403
        assert dagster.asked == []

    def test_to_every_company_where_there_are_several(self, acme: Harness, dagster: Dagster, visit: Visit) -> None:
        with served(acme, dagster_ui_url=dagster.address) as api:
            visitor = visit(api)
            visitor.log_in(new_key(api).key)
            assert visitor.client.get(PAGE, headers=OPENED).status_code == 200
            Harness.register(acme.database, acme.world, acme.server, "globex", "Globex")
            refused = visitor.client.get(PAGE, headers=OPENED)
            assert refused.status_code == 403 and "several have workspaces here" in seen(refused.text)
            assert "/dagster" not in visitor.get("/").text
            with api.administrator("Globex") as client:
                assert client.get(PAGE).status_code == 403
        assert len(dagster.asked) == 1

    def test_where_no_web_server_is_named(self, acme: Harness) -> None:
        with served(acme) as api, api.with_key(new_key(api).key) as client:
            assert client.get(PAGE).status_code == client.get("/dagster").status_code == 404


class TestEnds:
    def test_with_the_key(self, ui: Api, dagster: Dagster, visit: Visit) -> None:
        made, visitor = new_key(ui), visit(ui)
        visitor.log_in(made.key)
        with ui.with_key(made.key) as client:
            assert client.get(PAGE).status_code == visitor.client.get(PAGE, headers=OF_PAGE).status_code == 200
            with ui.acme.database.connection() as connection:
                keys.revoke(connection, made.key_id)
            assert client.get(PAGE).status_code == visitor.client.get(PAGE, headers=OF_PAGE).status_code == 401
        sent = visitor.client.get(PAGE, headers=OPENED)
        assert sent.status_code == 303 and "over=1" in sent.headers["location"]
        assert len(dagster.asked) == 2

    def test_with_the_log_out_also_for_whoever_has_copied_the_cookie(
        self, ui: Api, admin: Visitor, visit: Visit
    ) -> None:
        copy = visit(ui)
        copy.client.cookies.set("arcana", admin.client.cookies["arcana"])
        assert copy.client.get(PAGE, headers=OF_PAGE).status_code == 200
        admin.send("/log-out", admin.get("/"))
        assert copy.client.get(PAGE, headers=OF_PAGE).status_code == 401
        assert admin.client.get(PAGE, headers=OPENED).status_code == 303


class TestPagesOfOthers:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_load_and_send_nothing_with_a_session(self, admin: Visitor, dagster: Dagster, site: str) -> None:
        for mode, kind in (("no-cors", "image"), ("navigate", "iframe"), ("no-cors", "script"), ("cors", "empty")):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
            assert admin.client.get(PAGE, headers=headers).status_code == 403
            assert admin.client.post(GRAPHQL, json=LAUNCH, headers=headers).status_code == 403
        assert dagster.asked == []

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", ""])
    def test_of_another_origin_send_nothing(self, admin: Visitor, dagster: Dagster, origin: str) -> None:
        headers = {**OF_PAGE, "Origin": origin}
        assert admin.client.post(GRAPHQL, json=LAUNCH, headers=headers).status_code == 403
        assert dagster.asked == []

    def test_change_nothing_by_a_link_or_a_form(self, admin: Visitor, dagster: Dagster) -> None:
        assert admin.client.get(f"{GRAPHQL}?query=mutation%7Bx%7D", headers=OPENED).status_code == 403
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/graphql"):
            sent = admin.client.post(GRAPHQL, content=b"mutation { x }", headers={"Content-Type": kind})
            assert sent.status_code == 403
        assert dagster.asked == []

    def test_frame_nothing(self, admin: Visitor) -> None:
        headers = admin.client.get(PAGE, headers=OPENED).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_whoever_changes_something_is_told_to_the_log_without_variables(
    ui: Api, dagster: Dagster, caplog: pytest.LogCaptureFixture
) -> None:
    made = new_key(ui)
    reported = "/dagster/report_asset_materialization/acme"
    with ui.with_key(made.key) as client, caplog.at_level(logging.WARNING):
        client.post(GRAPHQL, json=operation("query Runs { runs { id } }"))
        client.post(GRAPHQL, json=LAUNCH)
        client.post(GRAPHQL, json=operation("# mutation-free\nquery A { a }\nmutation,{ b }"))
        client.post(reported, json={"metadata": "a secret of somebody's"})
    told = [each.getMessage() for each in caplog.records if each.name.endswith("dagster_ui.routes")]
    assert told == [
        f"Dagster's UI: the key {made.key_id} does {names}"
        for names in ("LaunchPipelineExecution", "unnamed, unnamed", "report_asset_materialization")
    ]
    assert len(dagster.asked) == 4


def test_operations_stand_in_the_log_of_use(acme: Harness, dagster: Dagster, visit: Visit) -> None:
    with served(acme, dagster_ui_url=dagster.address) as api:
        made, visitor = new_key(api), visit(api)
        visitor.log_in(made.key)
        visitor.client.get(PAGE, headers=OPENED)
        visitor.client.post(GRAPHQL, json=LAUNCH, headers=OF_PAGE)
    facts = "action, route, status FROM api_usage_logs WHERE key_id = %s AND route LIKE '/dagster%%'"
    assert acme.rows(f"SELECT {facts}", made.key_id) == [("admin", "/dagster/{path:path}", 200)]
