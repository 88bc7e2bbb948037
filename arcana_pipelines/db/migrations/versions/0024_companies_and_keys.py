"""Companies own workspaces, and API keys open what is a company's.

Revision: 0024
Revises: 0023
"""

from __future__ import annotations

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE company (
            company_id UUID DEFAULT gen_random_uuid() NOT NULL,
            name TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            CONSTRAINT company_pkey PRIMARY KEY (company_id),
            CONSTRAINT company_name_key UNIQUE (name),
            CONSTRAINT company_name_check CHECK (name ~ '^\\S(.{0,198}\\S)?$')
        )
        """
    )
    # Whoever had workspaces before there were companies is one.
    op.execute("INSERT INTO company (name) VALUES ('default')")
    op.execute("UPDATE workspace SET company_id = (SELECT company_id FROM company)")
    op.execute(
        """
        ALTER TABLE workspace
            ALTER COLUMN company_id SET NOT NULL,
            ADD CONSTRAINT workspace_company_id_fkey FOREIGN KEY (company_id) REFERENCES company (company_id),
            ADD CONSTRAINT workspace_company_id_workspace_id_key UNIQUE (company_id, workspace_id)
        """
    )
    op.execute(
        """
        CREATE TABLE api_keys (
            key_id TEXT NOT NULL,
            company_id UUID NOT NULL,
            name TEXT NOT NULL,
            key_hash BYTEA NOT NULL,
            created_by TEXT NOT NULL,
            created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
            expires_at TIMESTAMP WITH TIME ZONE,
            revoked_at TIMESTAMP WITH TIME ZONE,
            rotated_from TEXT,
            last_used_at TIMESTAMP WITH TIME ZONE,
            CONSTRAINT api_keys_pkey PRIMARY KEY (key_id),
            CONSTRAINT api_keys_company_id_fkey FOREIGN KEY (company_id) REFERENCES company (company_id),
            CONSTRAINT api_keys_rotated_from_fkey FOREIGN KEY (rotated_from) REFERENCES api_keys (key_id),
            CONSTRAINT api_keys_company_id_key_id_key UNIQUE (company_id, key_id),
            CONSTRAINT api_keys_key_hash_check CHECK (octet_length(key_hash) = 32)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE api_key_permissions (
            api_key_permission_id UUID DEFAULT gen_random_uuid() NOT NULL,
            key_id TEXT NOT NULL,
            company_id UUID NOT NULL,
            scope TEXT NOT NULL,
            workspace_id UUID,
            index_name TEXT,
            filters JSONB,
            CONSTRAINT api_key_permissions_pkey PRIMARY KEY (api_key_permission_id),
            CONSTRAINT api_key_permissions_key_id_fkey FOREIGN KEY (company_id, key_id)
                REFERENCES api_keys (company_id, key_id) ON DELETE CASCADE,
            CONSTRAINT api_key_permissions_workspace_id_fkey FOREIGN KEY (company_id, workspace_id)
                REFERENCES workspace (company_id, workspace_id) ON DELETE CASCADE,
            CONSTRAINT api_key_permissions_key_id_scope_workspace_id_index_name_key
                UNIQUE NULLS NOT DISTINCT (key_id, scope, workspace_id, index_name),
            CONSTRAINT api_key_permissions_scope_check
                CHECK (scope IN ('search', 'read', 'sync', 'feedback', 'admin')),
            CONSTRAINT api_key_permissions_index_name_check CHECK (index_name IS NULL OR workspace_id IS NOT NULL)
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE api_key_permissions, api_keys")
    op.execute(
        """
        ALTER TABLE workspace
            DROP CONSTRAINT workspace_company_id_workspace_id_key,
            DROP CONSTRAINT workspace_company_id_fkey,
            ALTER COLUMN company_id DROP NOT NULL
        """
    )
    op.execute("UPDATE workspace SET company_id = NULL")
    op.execute("DROP TABLE company")
