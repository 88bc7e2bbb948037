-- Extensions that are missing are made where the tables are: in the first schema on the search path.
CREATE EXTENSION IF NOT EXISTS ltree;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS vector;

CREATE SEQUENCE document_chunk_document_chunk_id_seq AS BIGINT;

CREATE TABLE workspace (
    workspace_id UUID DEFAULT gen_random_uuid() NOT NULL,
    company_id UUID,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    platform TEXT NOT NULL,
    user_id UUID DEFAULT gen_random_uuid() NOT NULL,
    source_config JSONB DEFAULT '{}' NOT NULL,
    credential_ref TEXT,
    source_workspace_id TEXT,
    credential_hash TEXT,
    storage_path TEXT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    generation BIGINT DEFAULT 0 NOT NULL,
    source_cursor TEXT,
    source_fingerprint TEXT,
    polled_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT workspace_pkey PRIMARY KEY (workspace_id),
    CONSTRAINT workspace_slug_key UNIQUE (slug),
    CONSTRAINT workspace_slug_check CHECK (slug ~ '^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$'),
    CONSTRAINT workspace_status_check CHECK (status IN ('active', 'paused', 'deleting')),
    CONSTRAINT workspace_platform_check CHECK (platform IN ('notion', 'notion_export', 'freshdesk'))
);

CREATE TABLE retired_slug (
    slug TEXT NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT retired_slug_pkey PRIMARY KEY (slug)
);

CREATE TABLE sync_generation (
    workspace_id UUID NOT NULL,
    generation BIGINT NOT NULL,
    mode TEXT NOT NULL,
    listing_complete BOOLEAN,
    problems JSONB DEFAULT '[]' NOT NULL,
    counters JSONB DEFAULT '{}' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT sync_generation_pkey PRIMARY KEY (workspace_id, generation),
    CONSTRAINT sync_generation_mode_check CHECK (mode IN ('full', 'incremental', 'audit')),
    CONSTRAINT sync_generation_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspace (workspace_id) ON DELETE CASCADE
);

CREATE TABLE document (
    document_id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    user_id UUID NOT NULL,
    path LTREE NOT NULL,
    kind TEXT DEFAULT 'note' NOT NULL,
    file_meta JSONB,
    upload_status TEXT,
    latest_content_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT document_pkey PRIMARY KEY (document_id),
    CONSTRAINT document_kind_check CHECK (kind IN ('note', 'file', 'folder')),
    CONSTRAINT document_upload_status_check CHECK (upload_status IN ('pending', 'uploading', 'uploaded', 'upload_failed')),
    CONSTRAINT document_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspace (workspace_id) ON DELETE CASCADE
);

CREATE INDEX document_workspace_id_idx ON document (workspace_id);

CREATE UNIQUE INDEX document_user_id_path_key ON document (user_id, path) WHERE deleted_at IS NULL;

CREATE INDEX document_path_gist ON document USING gist (path);

CREATE TABLE rag_indexes (
    rag_index_id UUID DEFAULT gen_random_uuid() NOT NULL,
    workspace_id UUID NOT NULL,
    name TEXT NOT NULL,
    index_type TEXT DEFAULT 'pgvector' NOT NULL,
    storage_uri TEXT NOT NULL,
    embedding_model TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    active_build_id INTEGER,
    object_count BIGINT DEFAULT 0 NOT NULL,
    vector_count BIGINT DEFAULT 0 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT rag_indexes_pkey PRIMARY KEY (rag_index_id),
    CONSTRAINT rag_indexes_workspace_id_name_key UNIQUE (workspace_id, name),
    CONSTRAINT rag_indexes_index_type_check CHECK (index_type IN ('pgvector', 'chroma', 'qdrant', 'milvus', 'sqlite')),
    CONSTRAINT rag_indexes_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspace (workspace_id) ON DELETE CASCADE
);

CREATE TABLE embedding_store (
    workspace_id UUID NOT NULL,
    embedding_model TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    text_hash BYTEA NOT NULL,
    embedding VECTOR NOT NULL,
    token_count INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT embedding_store_pkey PRIMARY KEY (workspace_id, embedding_model, dimensions, text_hash),
    CONSTRAINT embedding_store_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspace (workspace_id) ON DELETE CASCADE
);

CREATE TABLE source_page (
    workspace_id UUID NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent_kind TEXT NOT NULL,
    parent_external_id TEXT,
    title TEXT DEFAULT '' NOT NULL,
    url TEXT,
    properties JSONB DEFAULT '{}' NOT NULL,
    revision TEXT NOT NULL,
    last_edited_at TIMESTAMP WITH TIME ZONE,
    in_trash BOOLEAN DEFAULT false NOT NULL,
    body TEXT,
    body_links TEXT[] DEFAULT '{}' NOT NULL,
    fetched_revision TEXT,
    fetched_at TIMESTAMP WITH TIME ZONE,
    settled BOOLEAN DEFAULT false NOT NULL,
    partial JSONB DEFAULT '[]' NOT NULL,
    links TEXT[] DEFAULT '{}' NOT NULL,
    normaliser INTEGER,
    content_hash BYTEA,
    metadata_hash BYTEA,
    state TEXT DEFAULT 'pending' NOT NULL,
    outcome TEXT,
    reason TEXT,
    attempts INTEGER DEFAULT 0 NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    seen_generation BIGINT NOT NULL,
    document_id UUID,
    CONSTRAINT source_page_pkey PRIMARY KEY (workspace_id, external_id),
    CONSTRAINT source_page_kind_check CHECK (kind IN ('page', 'row', 'data_source')),
    CONSTRAINT source_page_state_check CHECK (state IN ('pending', 'fetched', 'unchanged', 'skipped', 'quarantined', 'suspect', 'tombstoned')),
    CONSTRAINT source_page_workspace_id_fkey FOREIGN KEY(workspace_id) REFERENCES workspace (workspace_id) ON DELETE CASCADE,
    CONSTRAINT source_page_document_id_fkey FOREIGN KEY(document_id) REFERENCES document (document_id) ON DELETE SET NULL
);

CREATE INDEX source_page_work_idx ON source_page (workspace_id, state) WHERE state NOT IN ('unchanged', 'tombstoned');

CREATE INDEX source_page_unsettled_idx ON source_page (workspace_id) WHERE state = 'unchanged' AND NOT settled;

CREATE INDEX source_page_parent_idx ON source_page (workspace_id, parent_external_id);

CREATE INDEX source_page_generation_idx ON source_page (workspace_id, seen_generation);

CREATE INDEX source_page_document_id_idx ON source_page (document_id);

CREATE TABLE document_content (
    document_content_id UUID DEFAULT gen_random_uuid() NOT NULL,
    document_id UUID NOT NULL,
    user_id UUID NOT NULL,
    contents JSONB NOT NULL,
    version INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT document_content_pkey PRIMARY KEY (document_content_id),
    CONSTRAINT document_content_version_check CHECK (version >= 1),
    CONSTRAINT document_content_document_id_fkey FOREIGN KEY(document_id) REFERENCES document (document_id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX document_content_document_id_version_key ON document_content (document_id, version) WHERE deleted_at IS NULL;

CREATE TABLE document_relation (
    document_relation_id BIGINT GENERATED ALWAYS AS IDENTITY,
    base_document_id UUID NOT NULL,
    related_document_id UUID NOT NULL,
    relation_type TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT document_relation_pkey PRIMARY KEY (document_relation_id),
    CONSTRAINT document_relation_relation_type_check CHECK (relation_type IN ('reference', 'summary', 'translation', 'derived', 'duplicate')),
    CONSTRAINT document_relation_two_documents_check CHECK (base_document_id <> related_document_id),
    CONSTRAINT document_relation_base_document_id_fkey FOREIGN KEY(base_document_id) REFERENCES document (document_id) ON DELETE CASCADE,
    CONSTRAINT document_relation_related_document_id_fkey FOREIGN KEY(related_document_id) REFERENCES document (document_id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX document_relation_key ON document_relation (base_document_id, related_document_id, relation_type) WHERE deleted_at IS NULL;

CREATE INDEX document_relation_related_document_id_idx ON document_relation (related_document_id);

CREATE TABLE rag_index_build (
    rag_index_build_id INTEGER GENERATED ALWAYS AS IDENTITY,
    rag_index_id UUID NOT NULL,
    chunker JSONB NOT NULL,
    embedding_model TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    ann TEXT DEFAULT 'none' NOT NULL,
    state TEXT DEFAULT 'building' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT rag_index_build_pkey PRIMARY KEY (rag_index_build_id),
    CONSTRAINT rag_index_build_ann_check CHECK (ann IN ('none', 'hnsw', 'ivfflat')),
    CONSTRAINT rag_index_build_state_check CHECK (state IN ('building', 'verifying', 'active', 'retired')),
    CONSTRAINT rag_index_build_dimensions_check CHECK (dimensions BETWEEN 1 AND 16000),
    CONSTRAINT rag_index_build_rag_index_id_fkey FOREIGN KEY(rag_index_id) REFERENCES rag_indexes (rag_index_id) ON DELETE CASCADE
);

CREATE INDEX rag_index_build_rag_index_id_idx ON rag_index_build (rag_index_id);

CREATE TABLE published_document (
    rag_index_build_id INTEGER NOT NULL,
    document_id UUID NOT NULL,
    document_content_id UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT published_document_pkey PRIMARY KEY (rag_index_build_id, document_id),
    CONSTRAINT published_document_rag_index_build_id_fkey FOREIGN KEY(rag_index_build_id) REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
    CONSTRAINT published_document_document_id_fkey FOREIGN KEY(document_id) REFERENCES document (document_id) ON DELETE CASCADE,
    CONSTRAINT published_document_document_content_id_fkey FOREIGN KEY(document_content_id) REFERENCES document_content (document_content_id) ON DELETE CASCADE
);

CREATE INDEX published_document_document_id_idx ON published_document (document_id);

CREATE TABLE document_chunk (
    rag_index_build_id INTEGER NOT NULL,
    document_chunk_id BIGINT DEFAULT nextval('document_chunk_document_chunk_id_seq') NOT NULL,
    document_content_id UUID NOT NULL,
    position INTEGER NOT NULL,
    chunk_content TEXT NOT NULL,
    heading_path TEXT[] NOT NULL,
    text_hash BYTEA NOT NULL,
    token_count INTEGER NOT NULL,
    chunk_embedding VECTOR NOT NULL,
    lexemes TSVECTOR NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT document_chunk_pkey PRIMARY KEY (rag_index_build_id, document_chunk_id),
    CONSTRAINT document_chunk_rag_index_build_id_fkey FOREIGN KEY(rag_index_build_id) REFERENCES rag_index_build (rag_index_build_id),
    CONSTRAINT document_chunk_document_content_id_fkey FOREIGN KEY(document_content_id) REFERENCES document_content (document_content_id) ON DELETE CASCADE
)
 PARTITION BY LIST (rag_index_build_id);

CREATE UNIQUE INDEX document_chunk_content_position_key ON document_chunk (rag_index_build_id, document_content_id, position) WHERE deleted_at IS NULL;

CREATE INDEX document_chunk_document_content_id_idx ON document_chunk (document_content_id);

CREATE TABLE chunk_stage (
    rag_index_build_id INTEGER NOT NULL,
    document_content_id UUID NOT NULL,
    position INTEGER NOT NULL,
    chunk_content TEXT NOT NULL,
    embed_text TEXT NOT NULL,
    heading_path TEXT[] NOT NULL,
    text_hash BYTEA NOT NULL,
    token_count INTEGER NOT NULL,
    lexemes TSVECTOR NOT NULL,
    CONSTRAINT chunk_stage_pkey PRIMARY KEY (rag_index_build_id, document_content_id, position),
    CONSTRAINT chunk_stage_rag_index_build_id_fkey FOREIGN KEY(rag_index_build_id) REFERENCES rag_index_build (rag_index_build_id) ON DELETE CASCADE,
    CONSTRAINT chunk_stage_document_content_id_fkey FOREIGN KEY(document_content_id) REFERENCES document_content (document_content_id) ON DELETE CASCADE
);

CREATE INDEX chunk_stage_document_content_id_idx ON chunk_stage (document_content_id);

ALTER TABLE rag_indexes ADD CONSTRAINT rag_indexes_active_build_id_fkey FOREIGN KEY(active_build_id) REFERENCES rag_index_build (rag_index_build_id) ON DELETE SET NULL;

ALTER TABLE document ADD CONSTRAINT document_latest_content_id_fkey FOREIGN KEY(latest_content_id) REFERENCES document_content (document_content_id) DEFERRABLE INITIALLY DEFERRED;
