"""The taxonomy of a workspace in versions, the topics of documents, and what people said of them.

Revision: 0044
Revises: 0043
"""

from __future__ import annotations

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

_ACTIONS_BEFORE = (
    "workspace.registered",
    "workspace.changed",
    "workspace.removed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "token.stored",
    "encryption_key.rotated",
    "removals.allowed",
    "index.published",
    "index.promoted",
    "index.rolled_back",
    "index.dropped",
    "usage.purged",
    "target.added",
    "target.dropped",
    "relation.added",
    "relation.removed",
    "file.added",
    "file.removed",
)
_ACTIONS = (
    *_ACTIONS_BEFORE,
    "taxonomy.imported",
    "taxonomy.promoted",
    "taxonomy.rolled_back",
    "taxonomy.dropped",
    "taxonomy.changed",
    "topic.assigned",
    "topic.removed",
    "topic.accepted",
    "topic.rejected",
)
_PATH_KEY = """
    CREATE FUNCTION taxonomy_path_key(path text[]) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN sha256(convert_to(array_to_json(path)::text, 'UTF8'))
"""
_TABLES = (
    """
    CREATE TABLE taxonomy_version (
        workspace_id UUID NOT NULL,
        version TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        state TEXT DEFAULT 'draft' NOT NULL,
        based_on TEXT,
        source TEXT DEFAULT '' NOT NULL,
        note TEXT,
        nodes INTEGER DEFAULT 0 NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        released_at TIMESTAMP WITH TIME ZONE,
        activated_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT taxonomy_version_pkey PRIMARY KEY (workspace_id, version),
        CONSTRAINT taxonomy_version_workspace_id_ordinal_key UNIQUE (workspace_id, ordinal),
        CONSTRAINT taxonomy_version_state_check CHECK (state IN ('draft', 'active', 'retired')),
        CONSTRAINT taxonomy_version_version_check
            CHECK (version ~ '^[0-9A-Za-z][0-9A-Za-z.+_-]*$' AND length(version) <= 64),
        CONSTRAINT taxonomy_version_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    "CREATE UNIQUE INDEX taxonomy_version_active_key ON taxonomy_version (workspace_id) WHERE state = 'active'",
    """
    CREATE TABLE taxonomy_nodes (
        node_id UUID NOT NULL,
        version TEXT NOT NULL,
        workspace_id UUID NOT NULL,
        parent_id UUID,
        label TEXT NOT NULL,
        canonical_path TEXT[] NOT NULL,
        path_key BYTEA GENERATED ALWAYS AS (taxonomy_path_key(canonical_path)) STORED NOT NULL,
        definition TEXT,
        synonyms TEXT[] DEFAULT '{}' NOT NULL,
        labels JSONB DEFAULT '{}' NOT NULL,
        external_ref TEXT,
        confidence REAL DEFAULT 1 NOT NULL,
        lft INTEGER NOT NULL,
        rgt INTEGER NOT NULL,
        CONSTRAINT taxonomy_nodes_pkey PRIMARY KEY (node_id, version),
        CONSTRAINT taxonomy_nodes_workspace_id_fkey FOREIGN KEY (workspace_id, version)
            REFERENCES taxonomy_version (workspace_id, version) ON DELETE CASCADE,
        CONSTRAINT taxonomy_nodes_parent_id_fkey FOREIGN KEY (parent_id, version)
            REFERENCES taxonomy_nodes (node_id, version) DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT taxonomy_nodes_workspace_id_version_path_key_key UNIQUE (workspace_id, version, path_key),
        CONSTRAINT taxonomy_nodes_label_check CHECK (label <> ''),
        CONSTRAINT taxonomy_nodes_canonical_path_check
            CHECK (cardinality(canonical_path) >= 1 AND cardinality(canonical_path) <= 16
                AND array_position(canonical_path, NULL) IS NULL),
        CONSTRAINT taxonomy_nodes_confidence_check CHECK (confidence >= 0 AND confidence <= 1)
    )
    """,
    "CREATE INDEX idx_taxonomy_nodes_canonical_path ON taxonomy_nodes USING gin (canonical_path)",
    "CREATE INDEX taxonomy_nodes_lft_idx ON taxonomy_nodes (workspace_id, version, lft)",
    "CREATE INDEX taxonomy_nodes_parent_id_idx ON taxonomy_nodes (parent_id, version)",
    """
    CREATE TABLE doc_taxonomy (
        doc_id UUID NOT NULL,
        node_id UUID NOT NULL,
        version TEXT NOT NULL,
        workspace_id UUID NOT NULL,
        path TEXT[] NOT NULL,
        confidence REAL NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        hitl_required BOOLEAN DEFAULT false NOT NULL,
        origin TEXT NOT NULL,
        reason TEXT,
        rule_id UUID,
        score REAL,
        margin REAL,
        lft INTEGER NOT NULL,
        CONSTRAINT doc_taxonomy_pkey PRIMARY KEY (doc_id, node_id, version),
        CONSTRAINT doc_taxonomy_node_id_fkey FOREIGN KEY (node_id, version)
            REFERENCES taxonomy_nodes (node_id, version) ON DELETE CASCADE,
        CONSTRAINT doc_taxonomy_origin_check
            CHECK (origin IN ('given', 'person', 'rule', 'nearest', 'default')),
        CONSTRAINT doc_taxonomy_confidence_check CHECK (confidence >= 0 AND confidence <= 1),
        CONSTRAINT doc_taxonomy_doc_id_fkey FOREIGN KEY (doc_id)
            REFERENCES document (document_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX doc_taxonomy_below_idx ON doc_taxonomy (workspace_id, version, lft, doc_id) WHERE NOT hitl_required",
    "CREATE INDEX doc_taxonomy_node_id_idx ON doc_taxonomy (node_id, version)",
    "CREATE INDEX doc_taxonomy_queue_idx ON doc_taxonomy (workspace_id, version, created_at, doc_id) "
    "WHERE hitl_required",
    """
    CREATE TABLE taxonomy_decision (
        doc_id UUID NOT NULL,
        node_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        verdict TEXT NOT NULL,
        decided_by TEXT NOT NULL,
        decided_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        content_id UUID,
        origin TEXT,
        score REAL,
        margin REAL,
        model TEXT,
        CONSTRAINT taxonomy_decision_pkey PRIMARY KEY (doc_id, node_id),
        CONSTRAINT taxonomy_decision_verdict_check CHECK (verdict IN ('accepted', 'rejected')),
        CONSTRAINT taxonomy_decision_doc_id_fkey FOREIGN KEY (doc_id)
            REFERENCES document (document_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX taxonomy_decision_node_id_idx ON taxonomy_decision (node_id)",
    "CREATE INDEX taxonomy_decision_workspace_id_idx ON taxonomy_decision (workspace_id, model)",
    """
    CREATE TABLE taxonomy_change (
        taxonomy_change_id BIGINT GENERATED ALWAYS AS IDENTITY,
        workspace_id UUID NOT NULL,
        version TEXT NOT NULL,
        from_version TEXT,
        kind TEXT NOT NULL,
        from_node UUID,
        to_node UUID,
        note TEXT,
        CONSTRAINT taxonomy_change_pkey PRIMARY KEY (taxonomy_change_id),
        CONSTRAINT taxonomy_change_workspace_id_fkey FOREIGN KEY (workspace_id, version)
            REFERENCES taxonomy_version (workspace_id, version) ON DELETE CASCADE,
        CONSTRAINT taxonomy_change_workspace_id_version_kind_from_node_to_node_key
            UNIQUE NULLS NOT DISTINCT (workspace_id, version, kind, from_node, to_node),
        CONSTRAINT taxonomy_change_kind_check
            CHECK (kind IN ('add', 'rename', 'move', 'merge', 'split', 'retire')),
        CONSTRAINT taxonomy_change_node_check CHECK (from_node IS NOT NULL OR to_node IS NOT NULL)
    )
    """,
    "CREATE INDEX taxonomy_change_from_node_idx ON taxonomy_change (from_node)",
    """
    CREATE TABLE taxonomy_ended (
        doc_id UUID NOT NULL,
        node_id UUID NOT NULL,
        version TEXT NOT NULL,
        workspace_id UUID NOT NULL,
        from_version TEXT NOT NULL,
        path TEXT[] NOT NULL,
        origin TEXT NOT NULL,
        reason TEXT NOT NULL,
        ended_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT taxonomy_ended_pkey PRIMARY KEY (doc_id, node_id, version),
        CONSTRAINT taxonomy_ended_workspace_id_fkey FOREIGN KEY (workspace_id, version)
            REFERENCES taxonomy_version (workspace_id, version) ON DELETE CASCADE,
        CONSTRAINT taxonomy_ended_doc_id_fkey FOREIGN KEY (doc_id)
            REFERENCES document (document_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX taxonomy_ended_workspace_id_idx ON taxonomy_ended (workspace_id, version)",
    """
    CREATE TABLE taxonomy_rule (
        rule_id UUID DEFAULT gen_random_uuid() NOT NULL,
        workspace_id UUID NOT NULL,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        node_id UUID NOT NULL,
        conditions JSONB NOT NULL,
        confidence REAL DEFAULT 1 NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT taxonomy_rule_pkey PRIMARY KEY (rule_id),
        CONSTRAINT taxonomy_rule_workspace_id_name_key UNIQUE (workspace_id, name),
        CONSTRAINT taxonomy_rule_confidence_check CHECK (confidence >= 0 AND confidence <= 1),
        CONSTRAINT taxonomy_rule_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE taxonomy_unknown_path (
        workspace_id UUID NOT NULL,
        version TEXT NOT NULL,
        path_key BYTEA GENERATED ALWAYS AS (taxonomy_path_key(path)) STORED NOT NULL,
        path TEXT[] NOT NULL,
        times BIGINT DEFAULT 1 NOT NULL,
        first_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        last_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        documents UUID[] DEFAULT '{}' NOT NULL,
        CONSTRAINT taxonomy_unknown_path_pkey PRIMARY KEY (workspace_id, version, path_key),
        CONSTRAINT taxonomy_unknown_path_workspace_id_fkey FOREIGN KEY (workspace_id, version)
            REFERENCES taxonomy_version (workspace_id, version) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE taxonomy_settings (
        workspace_id UUID NOT NULL,
        default_node UUID,
        topic_properties TEXT[] DEFAULT '{}' NOT NULL,
        accept_at REAL DEFAULT 0.9 NOT NULL,
        suggest_at REAL DEFAULT 0.5 NOT NULL,
        CONSTRAINT taxonomy_settings_pkey PRIMARY KEY (workspace_id),
        CONSTRAINT taxonomy_settings_accept_at_check CHECK (accept_at >= 0 AND accept_at <= 1),
        CONSTRAINT taxonomy_settings_suggest_at_check CHECK (suggest_at >= 0 AND suggest_at <= 1),
        CONSTRAINT taxonomy_settings_workspace_id_fkey FOREIGN KEY (workspace_id)
            REFERENCES workspace (workspace_id) ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE taxonomy_classified (
        doc_id UUID NOT NULL,
        workspace_id UUID NOT NULL,
        version TEXT NOT NULL,
        content_id UUID,
        logic BYTEA NOT NULL,
        classified_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT taxonomy_classified_pkey PRIMARY KEY (doc_id),
        CONSTRAINT taxonomy_classified_doc_id_fkey FOREIGN KEY (doc_id)
            REFERENCES document (document_id) ON DELETE CASCADE
    )
    """,
    "CREATE INDEX taxonomy_classified_workspace_id_idx ON taxonomy_classified (workspace_id)",
)
_PLACES_BEFORE = """
    CREATE OR REPLACE FUNCTION count_places_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY INVOKER SET search_path FROM CURRENT AS $$
    DECLARE
        changed uuid;
    BEGIN
        IF TG_TABLE_NAME = 'document_relation' THEN
            changed := (SELECT d.workspace_id FROM document d
                        WHERE d.document_id = coalesce(NEW.base_document_id, OLD.base_document_id));
        ELSE
            changed := coalesce(NEW.workspace_id, OLD.workspace_id);
        END IF;
        IF current_setting('arcana.places_changed', true) IS DISTINCT FROM changed::text THEN
            INSERT INTO workspace_places AS held (workspace_id, changes)
            SELECT w.workspace_id, 1 FROM workspace w WHERE w.workspace_id = changed
            ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1;
            PERFORM set_config('arcana.places_changed', changed::text, true);
        END IF;
        RETURN NULL;
    END
    $$
"""
_FUNCTIONS = (
    """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE OR REPLACE FUNCTION count_places_changed() RETURNS trigger
            LANGUAGE plpgsql SECURITY DEFINER SET search_path = %I, pg_temp AS $$
            DECLARE
                changed uuid;
            BEGIN
                IF TG_TABLE_NAME = 'document_relation' THEN
                    changed := (SELECT d.workspace_id FROM document d
                                WHERE d.document_id = coalesce(NEW.base_document_id, OLD.base_document_id));
                ELSE
                    changed := coalesce(NEW.workspace_id, OLD.workspace_id);
                END IF;
                IF current_setting('arcana.places_changed', true) IS DISTINCT FROM changed::text THEN
                    INSERT INTO workspace_places AS held (workspace_id, changes)
                    SELECT w.workspace_id, 1 FROM workspace w WHERE w.workspace_id = changed
                    ON CONFLICT (workspace_id) DO UPDATE SET changes = held.changes + 1;
                    PERFORM set_config('arcana.places_changed', changed::text, true);
                END IF;
                RETURN NULL;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION count_places_changed() FROM PUBLIC;
    END
    $do$
    """,
    """
    CREATE FUNCTION refuse_released_nodes() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        released text;
    BEGIN
        SELECT v.version INTO released
        FROM (SELECT DISTINCT workspace_id, version FROM changed) c
        JOIN taxonomy_version v USING (workspace_id, version)
        WHERE v.state <> 'draft' LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'version % of the taxonomy was released: its nodes stay as they are', released
                USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
        END IF;
        RETURN NULL;
    END
    $$
    """,
    """
    CREATE FUNCTION refuse_released_version() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
        IF OLD.state <> 'draft' THEN
            IF TG_OP = 'DELETE' THEN
                IF EXISTS (SELECT FROM workspace w WHERE w.workspace_id = OLD.workspace_id) THEN
                    RAISE EXCEPTION 'version % of the taxonomy was released: it is not deleted', OLD.version
                        USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
                END IF;
            ELSIF NEW.state = 'draft' OR NEW.version <> OLD.version OR NEW.workspace_id <> OLD.workspace_id THEN
                RAISE EXCEPTION 'version % of the taxonomy was released: it is no draft any more', OLD.version
                    USING ERRCODE = 'restrict_violation', CONSTRAINT = TG_NAME;
            END IF;
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END
    $$
    """,
    """
    DO $do$
    BEGIN
        EXECUTE format($create$
            CREATE FUNCTION taxonomy_labelled(asked_workspace uuid, asked_version text, asked_labels text[])
            RETURNS SETOF uuid LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = %I, pg_temp AS $$
            DECLARE
                company uuid := nullif(current_setting('arcana.company_id', true), '')::uuid;
            BEGIN
                IF EXISTS (
                    SELECT FROM workspace w
                    WHERE w.workspace_id = asked_workspace
                      AND CASE WHEN company IS NULL THEN pg_has_role(session_user, current_user, 'MEMBER')
                               ELSE w.company_id = company END
                ) THEN
                    RETURN QUERY
                    SELECT n.node_id FROM taxonomy_nodes n
                    WHERE n.workspace_id = asked_workspace AND n.version = asked_version
                      AND n.canonical_path @> asked_labels;
                END IF;
            END
            $$
        $create$, current_schema());
        REVOKE ALL ON FUNCTION taxonomy_labelled(uuid, text, text[]) FROM PUBLIC;
    END
    $do$
    """,
)
_TRIGGERS = (
    """
    CREATE CONSTRAINT TRIGGER doc_taxonomy_places AFTER INSERT OR UPDATE OR DELETE ON doc_taxonomy
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE CONSTRAINT TRIGGER taxonomy_version_places AFTER UPDATE ON taxonomy_version
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
        EXECUTE FUNCTION count_places_changed()
    """,
    """
    CREATE TRIGGER taxonomy_version_released BEFORE UPDATE OR DELETE ON taxonomy_version FOR EACH ROW
        EXECUTE FUNCTION refuse_released_version()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_added AFTER INSERT ON taxonomy_nodes REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_changed AFTER UPDATE ON taxonomy_nodes REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
    """
    CREATE TRIGGER taxonomy_nodes_deleted AFTER DELETE ON taxonomy_nodes REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_released_nodes()
    """,
)
_GUARDED = (
    "taxonomy_version",
    "taxonomy_nodes",
    "doc_taxonomy",
    "taxonomy_decision",
    "taxonomy_change",
    "taxonomy_ended",
    "taxonomy_rule",
    "taxonomy_unknown_path",
    "taxonomy_settings",
)


def upgrade() -> None:
    op.execute(_PATH_KEY)
    for statement in (*_TABLES, *_FUNCTIONS, *_TRIGGERS):
        op.execute(statement)
    for table in _GUARDED:
        op.execute(f"CREATE POLICY of_application ON {table} USING (true) WITH CHECK (true)")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE source_file ADD COLUMN topics UUID[]")
    _check("audit_logs", "action", _ACTIONS)
    _check("api_key_permissions", "scope", ("search", "read", "notes", "sync", "feedback", "review", "admin"))


def downgrade() -> None:
    # A key whose searches end at a topic would find everything: nothing of before knows what it says.
    op.execute("DELETE FROM api_keys k USING api_key_permissions p WHERE p.key_id = k.key_id AND p.filters ? 'topic'")
    op.execute("DELETE FROM api_key_permissions WHERE scope = 'review'")
    _check("api_key_permissions", "scope", ("search", "read", "notes", "sync", "feedback", "admin"))
    # What was recorded is not deleted.
    _check("audit_logs", "action", _ACTIONS_BEFORE, " NOT VALID")
    op.execute("ALTER TABLE source_file DROP COLUMN topics")
    for table in (
        "taxonomy_classified",
        "taxonomy_settings",
        "taxonomy_unknown_path",
        "taxonomy_rule",
        "taxonomy_ended",
        "taxonomy_change",
        "taxonomy_decision",
        "doc_taxonomy",
        "taxonomy_nodes",
        "taxonomy_version",
    ):
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP FUNCTION taxonomy_labelled, refuse_released_version, refuse_released_nodes, taxonomy_path_key")
    op.execute(_PLACES_BEFORE)


def _check(table: str, column: str, values: tuple[str, ...], how: str = "") -> None:
    quoted = ", ".join(f"'{value}'" for value in values)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_check CHECK ({column} IN ({quoted})){how}")
