"""R1: whoever acts for a company gets no row of another, by whatever table, partition, route or id it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from arcana_pipelines.conversations import conversations
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.models.learning import VIEWS
from arcana_pipelines.db.query import scalars
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.keys import keys
from arcana_pipelines.keys.access import Permission
from arcana_pipelines.settings import Settings
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.requirements.routes import ALL_SCOPES, THERE, Route, may_everything, routes_with_key
from arcana_pipelines_tests.tenants import Tenant
from arcana_pipelines_tests.ticket_rows import add_desk
from arcana_pipelines_tests.topics import release
from arcana_pipelines_tests.web.conftest import SALT, Api

# What no company owns.
NOBODY_S = {"alembic_version"}
# Views that read as whoever asks: the tables behind them are limited.
OF_WHOEVER_ASKS = set(VIEWS)


def as_role(settings: Settings, role: str) -> Database:
    """The database as one of its roles has it."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value().replace(f"{lease.WRITER}@", f"{role}@")
    return Database(settings.model_copy(update={"database_url": type(settings.database_url)(url)}))


def relations(connection: Connection) -> list[tuple[str, list[str]]]:
    """Every table, partition and view of every schema that is not PostgreSQL's, with its columns."""
    return connection.execute(
        "SELECT format('%I.%I', n.nspname, c.relname), array_agg(a.attname::text ORDER BY a.attnum) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
        "AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1 ORDER BY 1"
    ).fetchall()


def marks_of(tenant: Tenant) -> set[str]:
    """Texts by which a row is known to be this company's."""
    documents = tenant.harness.rows("SELECT document_id::text FROM document WHERE company_id = %s", tenant.company)
    indexes = tenant.harness.rows("SELECT rag_index_id::text FROM rag_indexes WHERE company_id = %s", tenant.company)
    return {str(tenant.company), str(tenant.workspace_id), *(each for (each,) in documents + indexes)}


def foreign_rows(database: Database, ours: Tenant, theirs: Tenant) -> tuple[int, int, int]:
    """Read everything that may be read for our company; returns how many relations were asked, could be, and rows."""
    with theirs.harness.database.connection() as connection:
        asked = relations(connection)
    marks = marks_of(theirs)
    builds = {build for (build,) in theirs.harness.rows(
        "SELECT rag_index_build_id FROM rag_index_build JOIN rag_indexes USING (rag_index_id) WHERE company_id = %s",
        theirs.company,
    )}  # fmt: skip
    readable, read = 0, 0
    for relation, columns in asked:
        try:
            with database.connection(company=ours.company) as connection:
                may = scalars(
                    connection,
                    "SELECT name FROM unnest(%s::text[]) name WHERE has_column_privilege(%s, name, 'SELECT')",
                    [columns, relation],
                )
        except psycopg.errors.InsufficientPrivilege:
            continue  # of a schema that it may not use
        if not may:
            continue
        readable += 1
        statement = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, may)), sql.SQL(relation))
        with database.connection(company=ours.company) as connection:
            for row in connection.execute(statement).fetchall():
                read += 1
                held = dict(zip(may, row, strict=True))
                assert held.get("rag_index_build_id") not in builds, f"{relation}: {held}"
                said = json.dumps(held, default=str)
                assert not [mark for mark in marks if mark in said], f"{relation}: {said[:300]}"
    return len(asked), readable, read


class TestTables:
    @pytest.mark.parametrize("role", [lease.SERVER, lease.READER, lease.WRITER])
    def test_r1_no_table_and_no_partition_gives_a_foreign_row(
        self, role: str, ours: Tenant, theirs: Tenant, settings: Settings
    ) -> None:
        if role != lease.SERVER and theirs.harness.rows("SHOW server_version_num") < [("160000",)]:
            pytest.skip("PostgreSQL 15 has no membership that is not inherited")
        with closing(as_role(settings, role)) as database:
            asked, readable, read = foreign_rows(database, ours, theirs)
        print(f"{role}: {asked} tables and partitions, {readable} can be read, {read} rows, 0 foreign")
        assert asked > 40 and readable >= 15 and read > 30
        with closing(as_role(settings, role)) as database, pytest.raises(AssertionError):
            foreign_rows(database, theirs, theirs)  # it would be seen

    def test_r1_none_after_a_rebuild_a_promotion_and_a_rollback(
        self, ours: Tenant, theirs: Tenant, served: Database
    ) -> None:
        def change(function: Any, *arguments: Any) -> None:
            with theirs.harness.database.connection() as connection:
                function(connection, theirs.workspace_id, "default", *arguments)

        change(lifecycle.rebuild_index)
        theirs.harness.fill()
        counts = [foreign_rows(served, ours, theirs)]
        for function in (lifecycle.promote, lifecycle.roll_back):
            change(function)
            counts.append(foreign_rows(served, ours, theirs))
        print(f"asked, readable, rows: {counts}, 0 foreign")
        assert all(readable >= 15 for _, readable, _ in counts)

    def test_r1_each_table_has_forced_policies_or_is_read_by_nobody_for_a_company(self, ours: Tenant) -> None:
        found = ours.harness.rows(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS ("
            "  SELECT FROM pg_policy WHERE polrelid = c.oid AND NOT polpermissive), "
            "  has_any_column_privilege('arcana_tenant', c.oid, 'SELECT, INSERT, UPDATE'), "
            "  has_table_privilege('arcana_tenant', c.oid, 'DELETE'), "
            "  has_table_privilege('arcana_tenant', c.oid, 'TRUNCATE, TRIGGER, REFERENCES') "
            "FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') "
            "AND NOT c.relispartition"
        )
        without = sorted(name for name, is_limited, may, *_ in found if may and not is_limited)
        print(f"{len(found)} tables and views; without a policy, and read for companies: {without}")
        assert set(without) == NOBODY_S | OF_WHOEVER_ASKS - {"v_system_health"}
        as_owner = ours.harness.rows(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm') "
            "AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)"
        )
        assert as_owner == []
        # Whoever began a conversation may delete it, and who reviews topics takes them away; the policy that limits
        # what is read limits that, too.
        may_delete = {name for name, _, _, deletes, _ in found if deletes}
        assert may_delete == {"conversation_context", "doc_taxonomy", "taxonomy_decision"}
        assert [name for name, *_, may_more in found if may_more] == []

    def test_r1_no_role_of_ours_is_above_policies_or_owns_what_it_serves(self, ours: Tenant) -> None:
        roles = ours.harness.rows(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole, "
            "  EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) "
            "FROM pg_roles r WHERE rolname ~ '^arcana'"
        )
        assert len(roles) >= 6
        assert [name for name, is_above, _ in roles if is_above] == []
        assert {name for name, _, owns in roles if owns} <= {"arcana_owner"}


class TestRoutes:
    """What is another's is answered as what does not exist, word for word, by each route of the OpenAPI document."""

    @pytest.fixture
    def foreign(self, api: Api) -> dict[str, list[tuple[str, str]]]:
        """Of each parameter what is another's, beside what is nobody's."""
        with api.acme.database.connection() as connection:
            acme, globex = (workspaces.find(connection, slug) for slug in ("acme", "globex"))
            # Of the same company, and not what the key is for.
            api.acme.register(api.acme.database, api.acme.world, api.acme.server, "annex")
            desks = [add_desk(api.acme.database, f"{name}-help".lower(), name) for name in ("default", "Globex")]
            tickets = [desk.add(number) for desk, number in zip(desks, ("4711", "4712"), strict=True)]
            granted = [Permission("search", globex.workspace_id, None)]
            key = keys.create(connection, SALT, globex.company_id, granted, "theirs")
            build = "SELECT active_build_id FROM rag_indexes WHERE workspace_id = %s"
            chunk = f"SELECT min(document_chunk_id) FROM chunk WHERE rag_index_build_id = ({build})"
            ids = [
                scalars(connection, statement, [globex.workspace_id])[0]  # type: ignore[arg-type]
                for statement in ("SELECT document_id FROM document WHERE workspace_id = %s LIMIT 1", chunk, build)
            ]
            assert acme.company_id != globex.company_id and None not in ids
            # Another company's, and one that another key of the same company began.
            talks = [
                str(conversations.begin(connection, of.company_id, of.workspace_id, "default", key.key_id, 30)[0])
                for of in (globex, acme)
            ]
            release(connection, acme.workspace_id, ["Ours"])
            theirs = release(connection, globex.workspace_id, ["Theirs"])["Theirs"]
        document, chunk_id, build_id = map(str, ids)
        nobody_s = str(uuid4())
        return {
            "slug": [("globex", "nowhere"), ("annex", "nowhere")],
            "workspace": [("globex", "nowhere"), ("annex", "nowhere"), ("globex-help", "nowhere")],
            # By its number, and by our id: of the same company, and of another.
            "ticket": [("4711", "9999"), (str(tickets[0]), nobody_s), ("4712", "9999"), (str(tickets[1]), nobody_s)],
            "store": [("globex", "nowhere"), ("annex", "nowhere"), ("globex.default", "nowhere.default")],
            "document": [(document, nobody_s)],
            "chunk": [(chunk_id, "999999999")],
            "build": [(build_id, "999999")],
            "conversation_id": [(talk, nobody_s) for talk in talks],
            "key_id": [(key.key_id, "zzzzzzzz")],
            "below": [(document, nobody_s)],
            "links_to": [(document, nobody_s)],
            "topic": [(str(theirs), nobody_s), ("Theirs", "Nobody")],
        }

    def _asked(self, route: Route, foreign: Mapping[str, list[tuple[str, str]]]) -> Iterator[tuple[Any, Any, str, str]]:
        for name in (*route.of_path, *route.of_query):
            for theirs, nobody_s in foreign.get(name, []):
                if name in route.of_path:
                    yield {"there": {**THERE, name: theirs}}, {"there": {**THERE, name: nobody_s}}, theirs, nobody_s
                else:
                    yield {"query": {name: theirs}}, {"query": {name: nobody_s}}, theirs, nobody_s
        for name in {"workspace", "workspaces"} & (route.body or {}).keys():
            for theirs, nobody_s in foreign["slug"]:
                named = ([each] if name == "workspaces" else each for each in (theirs, nobody_s))
                changed = ({"body": {**route.body, name: each}} for each in named)
                yield (*changed, theirs, nobody_s)

    @pytest.mark.parametrize("scopes", [ALL_SCOPES, ("search",), ("feedback",), "all of the company"])
    def test_r1_no_route_tells_anything_of_another_s(
        self, api: Api, foreign: dict[str, list[tuple[str, str]]], scopes: Any
    ) -> None:
        if scopes == "all of the company":
            foreign = {name: [each for each in pairs if each[0] != "annex"] for name, pairs in foreign.items()}
            foreign["ticket"] = foreign["ticket"][2:]
            key = may_everything(api)
        else:
            key = api.client(*scopes)
        tried = 0
        before = (
            api.acme.rows("SELECT slug FROM workspace ORDER BY 1"),
            api.acme.rows("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"),
        )
        with key as client:
            for route in routes_with_key(api):
                for of_others, of_nobody, theirs, nobody_s in self._asked(route, foreign):
                    answers = [route.ask(client, **asked) for asked in (of_others, of_nobody)]
                    said = [self._without(answer.text, theirs, nobody_s) for answer in answers]
                    assert answers[0].status_code == answers[1].status_code and said[0] == said[1], f"{route}: {said}"
                    assert answers[0].status_code in (401, 403, 404, 422), f"{route}, {theirs}: {answers[0].text}"
                    tried += 1
        assert before == (
            api.acme.rows("SELECT slug FROM workspace ORDER BY 1"),
            api.acme.rows("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"),
        )
        print(f"{tried} times a foreign id, with a key to {scopes}: each as what does not exist")
        assert tried >= 25

    def _without(self, said: str, *names: str) -> str:
        held = json.loads(said)
        held.pop("request_id", None)
        text = json.dumps(held)
        for name in sorted(names, key=len, reverse=True):
            text = text.replace(name, "it").replace(name.partition(".")[0], "it")
        return text
