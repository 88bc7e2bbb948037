"""What the page says of workspaces, to whom."""

from __future__ import annotations

from arcana_pipelines.alerts.causes import find_causes
from arcana_pipelines.alerts.records import record
from arcana_pipelines.alerts.severity import OF_OUR_ROWS
from arcana_pipelines.indexes.targets.targets import add_target
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.web.conftest import Api
from arcana_pipelines_tests.web.people.conftest import Visit, Visitor, seen


def make_trouble(api: Api) -> None:
    """Removals that wait, a page in quarantine, and the alerts of both."""
    with api.acme.database.connection() as connection:
        connection.execute("""UPDATE sync_generation SET counters = counters || '{"waiting_removals": 80}'""")
        connection.execute(
            "UPDATE source_page SET state = 'quarantined', reason = 'it is <b>broken</b>' "
            "WHERE title = 'Vacation policy'"
        )
        found = find_causes(connection, None, [])
        record(connection, found, OF_OUR_ROWS, 30)


class TestAReader:
    def test_sees_how_fresh_a_workspace_is_and_how_much_is_not_indexed(self, api: Api, reader: Visitor) -> None:
        said = seen(reader.get("/state").text)
        assert "Up to date" in said and "Pages 2" in said
        assert "Edits seen" in said and "finished" in said and "2 pages, 2 passages" in said
        make_trouble(api)
        said = seen(reader.get("/state").text)
        assert "Needs attention" in said and "In quarantine 1" in said
        assert "--allow-removals" not in said and "broken" not in said and "Alerts" not in said

    def test_sees_none_of_another_company_and_none_that_the_key_does_not_open(self, api: Api, visit: Visit) -> None:
        visitor = visit(api)
        visitor.log_in(api.key("read", slug="globex").key)
        said = seen(visitor.get("/state").text)
        assert "globex" in said and "acme" not in said

    def test_of_a_paused_workspace_is_told_so(self, api: Api, reader: Visitor) -> None:
        with api.acme.database.connection() as connection:
            connection.execute("UPDATE workspace SET status = 'paused' WHERE slug = 'acme'")
        assert "Paused: nothing is synced" in seen(reader.get("/state").text)


def test_an_administrator_sees_what_arcana_status_shows_and_the_command_that_helps(api: Api, visit: Visit) -> None:
    make_trouble(api)
    visitor = visit(api)
    visitor.log_in(api.key("admin").key)
    answer = visitor.get("/state")
    said = seen(answer.text)
    assert "arcana sync acme --mode full --allow-removals 80" in said and "80 pages are gone" in said
    assert "it is <b>broken</b>" in said and "<b>" not in answer.text and "Vacation policy" in said
    assert "Removals wait for a person" in said and "Not indexed, and why" in said
    korean = seen(visitor.get("/state", lang="ko").text)
    assert "삭제 승인 대기" in korean and "원본에서 페이지 80개가 사라졌습니다" in korean
    assert "읽을 수 없는 페이지가 1개입니다(하루 전 0개)" in korean and "그다음 arcana retry acme" in korean


def test_an_administrator_sees_the_copies_in_other_stores(api: Api, visit: Visit) -> None:
    with api.acme.database.connection() as connection:
        workspace_id = workspaces.find(connection, "acme").workspace_id
        target = add_target(connection, workspace_id, "sqlite", "/nowhere/acme.sqlite", "offline-copy")
        connection.execute(
            "INSERT INTO sync_operations (index_target_id, rag_index_build_id, document_id, operation) "
            "SELECT %s, active_build_id, gen_random_uuid(), 'put' FROM rag_indexes WHERE workspace_id = %s",
            [target.index_target_id, workspace_id],
        )
    visitor = visit(api)
    visitor.log_in(api.key("admin").key)
    said = seen(visitor.get("/state").text)
    assert "Copies in other stores offline-copy sqlite, being filled" in said and "1 waiting, for 0 s" in said
    assert "offline-copy sqlite, 채우는 중" in seen(visitor.get("/state", lang="ko").text)
