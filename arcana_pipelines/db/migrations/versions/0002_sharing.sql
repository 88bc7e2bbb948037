CREATE TABLE source_limit (
    credential_hash TEXT NOT NULL,
    configured INTEGER NOT NULL,
    per_minute REAL NOT NULL,
    paused_until TIMESTAMP WITH TIME ZONE,
    reason TEXT,
    adjusted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT source_limit_pkey PRIMARY KEY (credential_hash)
);

CREATE TABLE source_request (
    credential_hash TEXT NOT NULL,
    second TIMESTAMP WITH TIME ZONE NOT NULL,
    requests INTEGER NOT NULL,
    CONSTRAINT source_request_pkey PRIMARY KEY (credential_hash, second),
    CONSTRAINT source_request_credential_hash_fkey FOREIGN KEY (credential_hash)
        REFERENCES source_limit (credential_hash) ON DELETE CASCADE
);

CREATE TABLE webhook_event (
    workspace_id UUID NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    external_id TEXT,
    occurred_at TIMESTAMP WITH TIME ZONE,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    generation BIGINT,
    CONSTRAINT webhook_event_pkey PRIMARY KEY (workspace_id, event_id),
    CONSTRAINT webhook_event_workspace_id_fkey FOREIGN KEY (workspace_id)
        REFERENCES workspace (workspace_id) ON DELETE CASCADE
);

CREATE INDEX webhook_event_waiting_idx ON webhook_event (workspace_id) WHERE generation IS NULL;

ALTER TABLE workspace
    ADD COLUMN poll_after TIMESTAMP WITH TIME ZONE,
    ADD COLUMN poll_failures INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN poll_problem TEXT,
    ADD COLUMN sync_needed TEXT;

ALTER TABLE source_page
    ADD COLUMN removed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN unknown_types TEXT[] DEFAULT '{}' NOT NULL;

UPDATE source_page SET removed_at = now() WHERE state = 'tombstoned';

CREATE INDEX source_page_removed_idx ON source_page (workspace_id, removed_at) WHERE state = 'tombstoned';
