"""Who changed what may be seen or reached, in rows that no statement changes.

Revision: 0028
Revises: 0027
"""

from __future__ import annotations

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit_logs (
            audit_log_id BIGINT NOT NULL,
            at TIMESTAMP WITH TIME ZONE NOT NULL,
            actor TEXT NOT NULL,
            company_id UUID,
            workspace_id UUID,
            workspace_slug TEXT,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            details JSONB NOT NULL,
            previous_hash BYTEA NOT NULL,
            hash BYTEA NOT NULL,
            CONSTRAINT audit_logs_pkey PRIMARY KEY (audit_log_id),
            CONSTRAINT audit_logs_action_check CHECK (action IN (
                'workspace.registered', 'workspace.changed', 'workspace.removed', 'key.created', 'key.rotated',
                'key.revoked', 'token.stored', 'encryption_key.rotated', 'removals.allowed', 'index.published',
                'index.promoted', 'index.rolled_back', 'index.dropped')),
            CONSTRAINT audit_logs_hash_check CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32)
        )
        """
    )
    op.execute("CREATE INDEX audit_logs_workspace_slug_idx ON audit_logs (workspace_slug, audit_log_id)")
    # Who may only insert does not see the row before: its owner does. Until the transaction ends nobody else goes on
    # from the same row.
    op.execute(
        """
        CREATE FUNCTION chain_audit_log() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            last_id bigint;
            last_hash bytea;
        BEGIN
            PERFORM pg_advisory_xact_lock(7270005);
            EXECUTE format('SELECT audit_log_id, hash FROM %s ORDER BY audit_log_id DESC LIMIT 1', TG_RELID::regclass)
                INTO last_id, last_hash;
            NEW.audit_log_id := coalesce(last_id, 0) + 1;
            NEW.at := clock_timestamp();
            NEW.previous_hash := coalesce(last_hash, sha256(''));
            NEW.hash := sha256(NEW.previous_hash || convert_to(jsonb_build_array(
                NEW.audit_log_id, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), NEW.actor,
                NEW.company_id, NEW.workspace_id, NEW.workspace_slug, NEW.action, NEW.object, NEW.details
            )::text, 'UTF8'));
            RETURN NEW;
        END
        $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the audit log is only added to: % is refused', TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END
        $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_logs_chained BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION chain_audit_log()"
    )
    op.execute(
        "CREATE TRIGGER audit_logs_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute("CREATE POLICY of_application ON audit_logs USING (true) WITH CHECK (true)")
    op.execute("ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.execute("DROP TABLE audit_logs")
    op.execute("DROP FUNCTION chain_audit_log(), refuse_audit_change()")
