"""Companies are kept apart by the database: who acts for one sees nothing of another, whatever is asked."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from arcana_pipelines import retrieval
from arcana_pipelines.db.embedded import lease
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.models.learning import VIEWS
from arcana_pipelines.db.models.rules import GUARDED
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.reader import company_role, grant_to_readers
from arcana_pipelines.errors import ArcanaError, UnknownWorkspace, WrongUse
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import chunk_table, passage_table, terms_table
from arcana_pipelines.retrieval import past
from arcana_pipelines.retrieval.connection_searcher import ConnectionSearcher
from arcana_pipelines.retrieval.filtered import are_equal
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.retrieval.search_request import SearchRequest
from arcana_pipelines.retrieval.whole_document import find_document
from arcana_pipelines.retrieval.workspace_named import workspace_named
from arcana_pipelines.settings import Settings
from arcana_pipelines_tests.file_rows import keep_bytes, make_copy
from arcana_pipelines_tests.tenants import Tenant

STATEMENTS = sorted(path.stem for path in (Path(retrieval.__file__).parent / "sql").glob("*.sql"))
# Always give a row, of which this is what is told of nothing.
OF_NOTHING: dict[str, list[tuple[Any, ...]]] = {"past_known": [(None,)]}


@pytest.fixture
def server(served: Database) -> Database:
    """The database as the server has it, in place of Notion's."""
    return served


def _prepared(connection: Connection, name: str, tenant: Tenant) -> tuple[sql.Composed, dict[str, Any]]:
    """A statement of searches, as one for this tenant is asked; `connection` is the operator's."""
    build = tenant.build
    chunks = scalars(connection, f"SELECT document_chunk_id FROM {chunk_table(build)}")  # type: ignore[arg-type]
    terms = scalar(connection, f"SELECT terms::text FROM {terms_table(build)} LIMIT 1")  # type: ignore[arg-type]
    vector = scalar(connection, f"SELECT chunk_embedding::text FROM {chunk_table(build)} LIMIT 1")  # type: ignore[arg-type]
    keys = scalar(connection, f"SELECT keys FROM {terms_table(build)} LIMIT 1")  # type: ignore[arg-type]
    document = scalar(
        connection,
        "SELECT document_id FROM source_page WHERE workspace_id = %s AND external_id = %s",
        [tenant.workspace_id, tenant.page],
    )
    of_meaning = name in ("allowed_by_meaning", "past_nearest")
    is_past = name.startswith("past_")
    load_sql = past.load_sql
    names = {
        "terms": past.terms_then(build) if is_past and name != "past_words" else sql.Identifier(terms_table(build)),
        "chunks": past.chunks_then(build) if is_past and name != "past_chunks" else sql.Identifier(chunk_table(build)),
        "words": past.words(build),
        "passages": sql.Identifier(passage_table(build)),
        "versions": past.versions_remembered()
        if name == "document_versions"
        else past.versions_then()
        if is_past
        else sql.SQL("({})").format(sql.SQL(load_sql("versions"))),
        "found": sql.SQL("t.keys && %(keys)s::int[]"),
        "allowed": sql.SQL("SELECT document_id FROM document" if name == "served_documents" else ""),
        "equal": are_equal(is_past=False),
        "seen": sql.SQL("true"),
        "wanted": sql.SQL("true"),
        "children": sql.SQL("n.parent_id IS NULL"),
        "about": sql.SQL("own"),
    }
    parameters = {
        "workspace_id": tenant.workspace_id,
        "build": build,
        "index": "default",
        "slugs": [tenant.harness.slug],
        "as_of": scalar(connection, "SELECT clock_timestamp()"),
        "target": None,
        "asked": tenant.page,
        "external_id": tenant.page,
        "hex": None,
        "title": f"Harbour {tenant.harness.slug}",
        "name": "Status",
        "keys": keys,
        "chunks": chunks,
        "vector": vector if of_meaning else terms,
        "other_vector": None,
        "asked_terms": terms,
        "embedding": vector,
        "word": "herron",
        "document_id": document,
        "candidates": 100,
        "neighbours": 1,
        "after": None,
        "most": 10,
        "version": None,
        "chunk": chunks[0],
        "first": 0,
        "last": 10,
        "kinds": ["ticket"],
        "tells_related": True,
        "open_alone": False,
        "longest_page": 20_000,
    }
    if name in ("file", "files", "kept_file"):
        file = make_copy(tenant.harness, tenant.page, document, "plan.pdf")
        keep_bytes(connection, file)
        asked = scalar(connection, "SELECT external_id FROM source_file WHERE document_id = %s", [file])
        parameters |= {"asked": asked, "holders": [document], "document_id": file}
    if name == "databases":  # those whose columns are not known
        connection.execute("UPDATE source_page SET properties = '{}' WHERE is_container")
    text = load_sql(name)
    has_names = re.search(r"\{[a-z]+\}", text) is not None  # one that has none may have braces of its own
    return sql.SQL(text).format(**names) if has_names else sql.Composed([sql.SQL(text)]), parameters


class TestEveryStatementOfSearches:
    @pytest.mark.parametrize("name", STATEMENTS)
    def test_it_gives_a_company_what_it_gives_the_operator_and_nothing_of_it_to_another(
        self, name: str, ours: Tenant, theirs: Tenant, server: Database
    ) -> None:
        with theirs.harness.database.connection() as connection:
            statement, parameters = _prepared(connection, name, theirs)
            wanted = connection.execute(statement, parameters).fetchall()
        assert wanted
        told = [row[2:] for row in wanted] if name in OF_NOTHING else wanted
        with server.connection(company=theirs.company) as connection:
            found = connection.execute(statement, parameters).fetchall()
        assert sorted(map(repr, [row[2:] for row in found] if name in OF_NOTHING else found)) == sorted(map(repr, told))
        foreign: list[tuple[Any, ...]] = []
        with suppress(psycopg.errors.InsufficientPrivilege), server.connection(company=ours.company) as connection:
            foreign = connection.execute(statement, parameters).fetchall()
        if name in OF_NOTHING:
            foreign = [row[2:] for row in foreign if row[2:] != OF_NOTHING[name][0]]
        assert foreign == []


class TestEveryWayToAsk:
    """What is another company's is answered as what is not there, word for word."""

    def _said(self, server: Database, company: UUID, ask: Any) -> str:
        with pytest.raises(ArcanaError) as refused, server.connection(company=company) as connection:
            ask(connection)
        return f"{type(refused.value).__name__}: {refused.value}"

    @pytest.mark.parametrize(
        "request_of",
        [
            lambda page: SearchRequest("heron"),
            lambda page: SearchRequest("heron", filters=Filters(below=page)),
            lambda page: SearchRequest("heron", filters=Filters(topic="Places"), facets=("topics",)),
            lambda page: SearchRequest("heron", filters=Filters(properties=[PropertyCondition.parse("Status=Open")])),
            lambda page: SearchRequest("herron"),
            lambda page: SearchRequest("heron", ranking="lexical"),
        ],
        ids=["search", "below", "topic", "property", "a slip", "words"],
    )
    def test_a_search(self, request_of: Any, ours: Tenant, theirs: Tenant, server: Database) -> None:
        def ask(workspace_id: UUID, build: int | None = None) -> Any:
            return lambda connection: ConnectionSearcher(connection, server.settings, workspace_id, build).search(
                request_of(theirs.page)
            )

        nowhere = self._said(server, ours.company, ask(uuid4()))
        assert self._said(server, ours.company, ask(theirs.workspace_id)) == nowhere
        assert self._said(server, ours.company, ask(theirs.workspace_id, theirs.build)) == nowhere
        assert self._said(server, ours.company, ask(ours.workspace_id, theirs.build)) == nowhere

    def test_a_search_finds_what_is_the_company_s_in_every_way(self, ours: Tenant, server: Database) -> None:
        now = ours.harness.rows("SELECT clock_timestamp()")[0][0]
        with server.connection(company=ours.company) as connection:
            searcher = ConnectionSearcher(connection, server.settings, ours.workspace_id)
            assert searcher.search(SearchRequest("heron", filters=Filters(below=ours.page, kinds=["page"]))).hits
            topic = searcher.search(SearchRequest("heron", filters=Filters(topic="Places/ours"), facets=("topics",)))
            assert topic.hits and topic.facets == []
            assert [each.path for each in searcher.search(SearchRequest("heron", facets=("topics",))).facets] == [
                "Places"
            ]
            assert searcher.search(SearchRequest("herron")).corrections == {"herron": "heron"}
            assert searcher.search(SearchRequest("heron", as_of=now)).hits
            conditions = [PropertyCondition.parse("Status=Open")]
            assert searcher.search(SearchRequest("task", filters=Filters(properties=conditions))).hits
            assert find_document(connection, ours.workspace_id, ours.page, "default").title == "Harbour ours"

    def test_a_filter_with_their_page(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        def ask(filters: Filters) -> Any:
            return lambda connection: ConnectionSearcher(connection, server.settings, ours.workspace_id).search(
                SearchRequest("heron", filters=filters)
            )

        nobody_s = str(uuid4())
        for make in (lambda page: Filters(below=page), lambda page: Filters(links_to=page)):
            nowhere = self._said(server, ours.company, ask(make(nobody_s)))
            assert self._said(server, ours.company, ask(make(theirs.page))) == nowhere.replace(nobody_s, theirs.page)

    def test_a_topic_of_theirs(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        ((node,),) = theirs.harness.rows(
            "SELECT node_id::text FROM taxonomy_nodes WHERE workspace_id = %s AND label = 'Places'", theirs.workspace_id
        )

        def ask(topic: str) -> Any:
            return lambda connection: ConnectionSearcher(connection, server.settings, ours.workspace_id).search(
                SearchRequest("heron", filters=Filters(topic=topic))
            )

        for theirs_s, nobody_s in ((node, str(uuid4())), ("Places/theirs", "Places/others")):
            said = self._said(server, ours.company, ask(theirs_s))
            assert said == self._said(server, ours.company, ask(nobody_s)).replace(nobody_s, theirs_s)

    def test_a_document(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        ((document,),) = ours.harness.rows(
            "SELECT document_id::text FROM source_page WHERE external_id = %s", theirs.page
        )

        def ask(workspace_id: UUID, asked: str) -> Any:
            return lambda connection: find_document(connection, workspace_id, asked, "default")

        nobody_s = str(uuid4())
        for asked in (document, theirs.page):
            for workspace_id in (ours.workspace_id, theirs.workspace_id):
                instead = ours.workspace_id if workspace_id == ours.workspace_id else uuid4()
                nowhere = self._said(server, ours.company, ask(instead, nobody_s))
                said = self._said(server, ours.company, ask(workspace_id, asked))
                assert said == nowhere.replace(nobody_s, asked)

    def test_a_workspace_by_its_name(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        with server.connection(company=ours.company) as connection:
            assert workspace_named(connection, "ours") == ours.workspace_id
            for name in ("theirs", "nowhere"):
                with pytest.raises(UnknownWorkspace):
                    workspace_named(connection, name)


class TestTables:
    def test_each_is_limited_by_a_policy_or_nobody_may_read_it(self, ours: Tenant) -> None:
        tables = ours.harness.rows(
            "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, "
            "EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'of_company' AND NOT polpermissive), "
            "has_any_column_privilege('arcana_tenant', c.oid, 'SELECT'), "
            "has_any_column_privilege('arcana_server', c.oid, 'SELECT') "
            "FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') "
            "AND NOT c.relispartition"
        )
        guarded = {name for name, is_forced, is_limited, _, _ in tables if is_forced and is_limited}
        assert guarded == set(GUARDED)
        # The release of the schema is no secret, and a request says whose key it has before it is known whose it is.
        # Views read as whoever asks.
        read = {name for name, *_, tenant, _ in tables if tenant} - guarded
        assert read == {"alembic_version", *VIEWS} - {"v_system_health"}
        assert {name for name, *_, of_server in tables if of_server} == {
            "alembic_version",
            "api_keys",
            "api_key_permissions",
            "company",
            "ended_sessions",
            "system_health",
        }

    def test_what_runs_as_its_owner_is_nobody_else_s_to_use_but_where_it_is_granted(self, ours: Tenant) -> None:
        assert ours.harness.rows(
            "SELECT p.proname, r.rolname FROM pg_proc p, pg_roles r WHERE p.prosecdef AND NOT r.rolsuper "
            "AND p.pronamespace = 'public'::regnamespace AND r.oid <> p.proowner AND r.rolname ~ '^arcana_' "
            "AND r.rolname <> 'arcana_owner' AND r.rolname !~ '^arcana_company_' "
            "AND has_function_privilege(r.oid, p.oid, 'EXECUTE') ORDER BY 1"
        ) == [("taxonomy_labelled", "arcana_tenant"), ("workspace_for_key", "arcana_server")]

    @pytest.mark.parametrize("role", [lease.SERVER, lease.READER])
    def test_nobody_runs_anything_as_the_owner_by_a_trigger_on_a_view_of_their_own(
        self, role: str, ours: Tenant, settings: Settings
    ) -> None:
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value().replace(f"{lease.WRITER}@", f"{role}@")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TEMP VIEW mine AS SELECT 1::bigint AS audit_log_id, ''::bytea AS hash")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="chain_audit_log"):
                connection.execute(
                    "CREATE TRIGGER mine INSTEAD OF INSERT ON mine FOR EACH ROW EXECUTE FUNCTION chain_audit_log()"
                )

    def test_who_forgot_to_say_for_whom_sees_no_row(self, ours: Tenant) -> None:
        with ours.harness.superuser() as connection:
            connection.execute(f"SET ROLE {company_role(ours.company)}")  # type: ignore[arg-type]
            for table in {*GUARDED} - {"audit_logs"}:  # which is added to, and not read
                assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table  # type: ignore[arg-type]

    def test_the_server_itself_may_read_nothing(self, ours: Tenant, server: Database) -> None:
        for table in (
            *sorted({*GUARDED} - {"api_keys", "api_key_permissions", "company"}),
            *ours.partitions,
            "chunk",
            "document_chunk",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), server.connection() as connection:
                connection.execute(f"SELECT FROM {table}")  # type: ignore[arg-type]

    def test_of_companies_the_server_itself_reads_the_names_alone(self, ours: Tenant, server: Database) -> None:
        with server.connection() as connection:
            assert "Company ours" in scalars(connection, "SELECT name FROM company WHERE company_id IS NOT NULL")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), server.connection() as connection:
            connection.execute("SELECT * FROM company")

    def test_a_company_sees_its_own_rows_alone(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        with server.connection(company=ours.company) as connection:
            for table, column in (
                ("company", "company_id"),
                ("workspace", "company_id"),
                ("document", "company_id"),
                ("rag_indexes", "company_id"),
            ):
                found = scalars(connection, f"SELECT DISTINCT {column} FROM {table}")  # type: ignore[arg-type]
                assert found == [ours.company], table
            assert scalars(connection, "SELECT DISTINCT workspace_id FROM source_page") == [ours.workspace_id]
            assert scalars(connection, "SELECT DISTINCT rag_index_build_id FROM term_count") == [ours.build]
            assert scalars(connection, "SELECT DISTINCT rag_index_build_id FROM index_word") == [ours.build]

    def test_each_partition_is_for_its_company_alone(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        for partition in ours.partitions:
            with server.connection(company=ours.company) as connection:
                connection.execute(f"SELECT FROM {partition}")  # type: ignore[arg-type]
        for partition in (*theirs.partitions, "chunk", "chunk_terms", "passage"):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                server.connection(company=ours.company) as connection,
            ):
                connection.execute(f"SELECT FROM {partition}")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT source_config FROM workspace",
            "SELECT body FROM source_page",
            "SELECT * FROM embedding_store",
            "DELETE FROM document",
            "UPDATE workspace SET slug = 'x'",
            "INSERT INTO company (name) VALUES ('mine')",
            "CREATE TABLE mine (id int)",
            "SELECT public.arcana_company_role(gen_random_uuid())",
        ],
    )
    def test_a_company_can_write_nothing_and_read_nothing_else(
        self, statement: Any, ours: Tenant, server: Database
    ) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), server.connection(company=ours.company) as connection:
            connection.execute(statement)

    def test_a_new_build_is_its_company_s_too(self, ours: Tenant, theirs: Tenant, server: Database) -> None:
        with theirs.harness.database.connection() as connection:
            lifecycle.rebuild_index(connection, theirs.workspace_id, "default", promote=True)
        theirs.harness.fill()
        ((build,),) = theirs.harness.rows(
            "SELECT active_build_id FROM rag_indexes WHERE workspace_id = %s", theirs.workspace_id
        )
        assert build != theirs.build
        with server.connection(company=theirs.company) as connection:
            searcher = ConnectionSearcher(connection, server.settings, theirs.workspace_id)
            assert searcher.search(SearchRequest("heron")).hits
        for partition in (chunk_table(build), terms_table(build), passage_table(build)):
            with (
                pytest.raises(psycopg.errors.InsufficientPrivilege),
                server.connection(company=ours.company) as connection,
            ):
                connection.execute(f"SELECT FROM {partition}")  # type: ignore[arg-type]

    def test_a_workspace_that_is_another_company_s_from_now_on_takes_everything_with_it(
        self, ours: Tenant, theirs: Tenant, server: Database
    ) -> None:
        with ours.harness.database.connection() as connection:
            connection.execute(
                "UPDATE workspace SET company_id = %s WHERE workspace_id = %s", [ours.company, theirs.workspace_id]
            )
            grant_to_readers(connection)
        with server.connection(company=ours.company) as connection:
            searcher = ConnectionSearcher(connection, server.settings, theirs.workspace_id)
            assert searcher.search(SearchRequest("heron")).hits
        with server.connection(company=theirs.company) as connection:
            assert scalars(connection, "SELECT document_id FROM document") == []
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT FROM {theirs.partitions[0]}")  # type: ignore[arg-type]


class TestConnections:
    def _whose(self, connection: Connection) -> list[str]:
        return scalars(connection, "SELECT slug FROM workspace ORDER BY slug")

    def test_one_that_is_used_again_after_an_aborted_transaction_acts_for_the_next_alone(
        self, ours: Tenant, theirs: Tenant, server: Database
    ) -> None:
        with server.connection(company=ours.company) as connection:
            first = connection
            assert self._whose(connection) == ["ours"]
            with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
                connection.execute("SELECT 1 / 0")
        with server.connection(company=theirs.company) as connection:
            assert connection is first
            assert self._whose(connection) == ["theirs"]
            with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction(), connection.transaction():
                connection.execute("SELECT 1 / 0")
            assert self._whose(connection) == ["theirs"]
        with server.connection() as connection:
            assert connection is first
            row = connection.execute(
                "SELECT current_user, nullif(current_setting('arcana.company_id', true), '')"
            ).fetchone()
            assert row == (lease.SERVER, None)

    @pytest.mark.parametrize("role", [lease.WRITER, lease.READER])
    def test_who_sees_everything_sees_a_company_s_alone_while_acting_for_it(
        self, role: str, ours: Tenant, theirs: Tenant, settings: Settings
    ) -> None:
        if theirs.harness.rows("SHOW server_version_num") < [("160000",)]:
            pytest.skip("PostgreSQL 15 has no membership that is not inherited")
        assert settings.database_url is not None
        url = settings.database_url.get_secret_value().replace(f"{lease.WRITER}@", f"{role}@")
        changed = settings.model_copy(update={"database_url": type(settings.database_url)(url)})
        with closing(Database(changed)) as database:
            with database.connection() as connection:
                assert self._whose(connection) == ["ours", "theirs"]
            with database.connection(company=ours.company) as connection:
                assert self._whose(connection) == ["ours"]
            with database.connection() as connection:
                assert self._whose(connection) == ["ours", "theirs"]

    def test_the_statements_of_the_documentation_show_a_company_s_rows_and_without_the_first_none(
        self, ours: Tenant, theirs: Tenant, server: Database
    ) -> None:
        documentation = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
        shown = next(each for each in documentation.split("```sql\n") if each.startswith("BEGIN;\n")).split("```")[0]
        (example,) = re.findall(r"'([-0-9a-f]{36})'", shown)
        shown = shown.replace(example, str(ours.company)).replace(UUID(example).hex, ours.company.hex)
        shown = shown.replace("SELECT * FROM v_zero_results", "SELECT slug FROM workspace")
        assert server.settings.database_url is not None
        with psycopg.connect(server.settings.database_url.get_secret_value(), autocommit=True) as connection:
            for statements, seen in ((shown, [("ours",)]), (re.sub(r"SET LOCAL arcana\S+ = [^\n]*", "", shown), [])):
                rows = []
                for statement in re.sub("--[^\n]*", "", statements).split(";"):
                    if statement.strip():
                        done = connection.execute(statement)  # type: ignore[arg-type]
                        rows += done.fetchall() if done.description else []
                assert rows == seen

    def test_a_company_that_is_not_there_is_refused_before_anything_runs(self, server: Database) -> None:
        with (
            pytest.raises(WrongUse, match=r"cannot act for the company .* does not exist"),
            server.connection(company=uuid4()) as connection,
        ):
            connection.execute("SELECT 1")

    def test_nothing_is_copied_or_streamed_past_the_transaction(self, ours: Tenant, server: Database) -> None:
        with server.connection(company=ours.company) as connection:
            with pytest.raises(psycopg.NotSupportedError), connection.cursor().copy("COPY document TO STDOUT"):
                pass
            with pytest.raises(psycopg.NotSupportedError):
                connection.cursor().stream("SELECT slug FROM workspace")
