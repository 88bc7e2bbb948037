"""Named indexes and their builds: making, filling, verifying, promoting, rolling back, dropping."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from arcana_pipelines.audit.record import record
from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.db.query import scalar, scalars
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.embedding.catalogue import dimensions_of
from arcana_pipelines.errors import NotVerified, WrongUse
from arcana_pipelines.indexes import promotion
from arcana_pipelines.indexes.builds import (
    Ann,
    Build,
    IndexSettings,
    builds_of,
    check_name,
    chunk_table,
    chunker_of,
    create_build,
    drop_build,
    longest_chunk,
)
from arcana_pipelines.indexes.not_serving import why_not_serving
from arcana_pipelines.indexes.targets.pgvector.ann import ensure_ann
from arcana_pipelines.indexes.verification import Verification, verify

load_sql = statements_beside(__file__)

log = logging.getLogger(__name__)

# What speaks against letting a build serve.
Gate = Callable[[Build], list[str]]
# A backfill begins within half a minute; one that has not begun by then was lost with its daemon.
ASK_AGAIN = timedelta(minutes=5)


def create_index(connection: Connection, workspace_id: UUID, name: str, settings: IndexSettings) -> Build:
    """Make a named index. In a workspace with documents it serves once it is filled and verified, else at once.

    Raises:
        WrongUse: the name breaks the rules or is taken.
    """
    check_name(name, "an index")
    with connection.transaction():
        rag_index_id = scalar(
            connection,
            "INSERT INTO rag_indexes "
            "(workspace_id, company_id, platform, name, storage_uri, embedding_model, dimensions) "
            "SELECT workspace_id, company_id, platform, %s, 'postgresql:chunk', %s, %s FROM workspace "
            "WHERE workspace_id = %s ON CONFLICT DO NOTHING RETURNING rag_index_id",
            [name, settings.embedding_model, settings.dimensions, workspace_id],
        )
        if rag_index_id is None:
            raise WrongUse(
                f"There is already an index '{name}'. `arcana index rebuild` rebuilds it with other settings, while "
                "the old one serves."
            )
        documents = scalar(connection, "SELECT 1 FROM document WHERE workspace_id = %s LIMIT 1", [workspace_id])
        build = create_build(connection, rag_index_id, settings, "building" if documents else "active", promote=True)
        if not documents:
            connection.execute(
                "UPDATE rag_indexes SET active_build_id = %s, storage_uri = %s WHERE rag_index_id = %s",
                [build, f"postgresql:{chunk_table(build)}", rag_index_id],
            )
            connection.execute("UPDATE rag_index_build SET promoted_at = now() WHERE rag_index_build_id = %s", [build])
    return builds_of(connection, workspace_id, name)[-1]


def rebuild_index(
    connection: Connection,
    workspace_id: UUID,
    name: str,
    change: Callable[[IndexSettings], IndexSettings] = lambda settings: settings,
    promote: bool = False,
) -> Build:
    """Make a new build of an index beside the serving one, and return it; it is still to be filled.

    `change` makes the new settings from the serving ones. A build of these settings that is under way is returned as
    it is. `promote`: it may serve as soon as it is verified.

    Raises:
        WrongUse: there is no such index, or another build of it is under way.
    """
    builds = find_builds(connection, workspace_id, name)
    under_way = next((build for build in builds if build.state in ("building", "verifying")), None)
    settings = change((_active(builds) or builds[-1]).settings)
    if under_way is None:
        with connection.transaction():
            create_build(connection, builds[0].rag_index_id, settings, "building", promote)
        return builds_of(connection, workspace_id, name)[-1]
    if under_way.fingerprint != settings.fingerprint or under_way.ann_setting != settings.ann:
        raise WrongUse(
            f"Build {under_way.rag_index_build_id} of the index '{name}' is under way with other settings. Promote it, "
            f"or drop it: arcana index drop <workspace> {name} --build {under_way.rag_index_build_id}"
        )
    if promote:
        with connection.transaction():
            connection.execute(
                "UPDATE rag_index_build SET promote_when_verified = true WHERE rag_index_build_id = %s",
                [under_way.rag_index_build_id],
            )
    return replace(under_way, promote_when_verified=promote or under_way.promote_when_verified)


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """What is to be other in an index's settings; None stays as it is. Another model brings its own size of vectors.

    Attributes:
        model: the name of an embedding model; with it comes its size of vectors unless `dimensions` says another.
        dimensions: numbers of a vector, 1 to 16,000.
        chunk_tokens: the size that chunks aim at; twice that is their maximum.
        overlap_tokens: tokens of the chunk before, repeated.
        ann: how vectors are searched.
    """

    model: str | None = None
    dimensions: int | None = None
    chunk_tokens: int | None = None
    overlap_tokens: int | None = None
    ann: Ann | None = None

    def of(self, settings: IndexSettings) -> IndexSettings:
        """The settings with what is given instead.

        Raises:
            WrongUse: they do not go together, or the size of the model's vectors is not known.
        """
        model = self.model or settings.embedding_model
        overlap = settings.chunker.overlap_tokens if self.overlap_tokens is None else self.overlap_tokens
        chunker = replace(settings.chunker, overlap_tokens=overlap)
        longest = longest_chunk(model)
        if self.chunk_tokens is not None:
            chunker = ChunkerSettings.of_target(self.chunk_tokens, overlap)
            if longest is not None and chunker.max_tokens > longest:
                raise WrongUse(f"Of a longer chunk '{model}' does not read all: {longest // 2} tokens are the most.")
        elif self.model is not None and longest is not None and chunker.max_tokens > longest:
            chunker = replace(chunker_of(model), overlap_tokens=min(overlap, longest // 4))
        return IndexSettings(
            model,
            self.dimensions or (dimensions_of(self.model) if self.model else settings.dimensions),
            chunker,
            self.ann or settings.ann,
        )


def rebuild_outdated(connection: Connection, workspace_id: UUID) -> list[Build]:
    """Begin a new build of every index that another release cut and that this one would cut differently."""
    builds = builds_of(connection, workspace_id)
    busy = {build.index_name for build in builds if build.state in ("building", "verifying")}
    return [
        rebuild_index(connection, workspace_id, build.index_name, promote=True)
        for build in builds
        if build.state == "active" and build.is_outdated and build.index_name not in busy
    ]


def to_fill(connection: Connection) -> list[str]:
    """The slugs of workspaces with a build that is to be filled and for which no run was asked lately."""
    return scalars(connection, load_sql("builds_to_fill"), {"again_after": ASK_AGAIN})


def fill_requested(connection: Connection, slugs: list[str]) -> list[str]:
    """Note that the filling of these workspaces' builds is asked for; returns the slugs."""
    connection.execute(
        "UPDATE rag_index_build b SET fill_requested_at = now() "
        "FROM rag_indexes i JOIN workspace w USING (workspace_id) "
        "WHERE i.rag_index_id = b.rag_index_id AND b.state = 'building' AND w.slug = ANY(%s)",
        [slugs],
    )
    return slugs


def advance_build(connection: Connection, build: Build, gate: Gate = lambda build: []) -> Build:
    """Give a build what it needs after a publish: its index, verification when it is whole, promotion if it may.

    `gate` says what speaks against a verified build. Returns the build as it is now.
    """
    if build.state == "building" and _is_whole(connection, build):
        build = ensure_ann(connection, build, count_vectors(connection, build))
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(build.table)))
        build = _entered(connection, build, "verifying")
        verification = verify(connection, build)
        build = replace(build, verification=verification.as_dict())
    elif build.state == "active":
        build = ensure_ann(connection, build, count_vectors(connection, build))
    elif build.state == "verifying" and build.promote_when_verified:
        build = replace(build, verification=verify(connection, build).as_dict())
    may_serve = build.state == "verifying" and build.promote_when_verified
    if may_serve and (build.verification or {}).get("passed") and not _held_back(connection, build, gate(build)):
        promotion.switch(connection, build, "index.published")
        build = replace(build, state="active", promote_when_verified=False)
    return build


def verify_index(connection: Connection, workspace_id: UUID, name: str) -> tuple[Build, Verification]:
    """Verify the build of an index that waits for promotion, or the serving one."""
    builds = find_builds(connection, workspace_id, name)
    build = _waiting(builds) or _active(builds) or builds[-1]
    return build, verify(connection, build)


def promote(
    connection: Connection, workspace_id: UUID, name: str, gate: Gate = lambda build: [], actor: str | None = None
) -> Build:
    """Let the build that waits serve from now on, once it is verified. With none waiting nothing happens.

    `gate` says what speaks against a verified build. `actor` does it (see `audit.record`); None: this process's user.

    Raises:
        NotVerified: something speaks against it.
    """
    builds = find_builds(connection, workspace_id, name)
    build = _waiting(builds)
    if build is None:
        active = _active(builds)
        if active is None:
            raise NotVerified(f"The index '{name}' has no build that could serve yet: arcana index rebuild fills it.")
        return active
    verification = verify(connection, build)
    if not verification.passed:
        problems = "; ".join(verification.problems)
        raise NotVerified(
            f"Build {build.rag_index_build_id} of the index '{name}' is not fit to serve: {problems}. "
            "A sync brings it up to date. Where pages change all the time, `arcana index rebuild` with `--promote` "
            "does, and lets it serve at once."
        )
    worse = gate(build)
    if worse:
        raise NotVerified(
            f"Build {build.rag_index_build_id} of the index '{name}' does not serve: {'; '.join(worse)}. "
            "`arcana eval` shows which questions; drop it, or take those questions out."
        )
    promotion.switch(connection, build, "index.promoted", actor)
    return replace(build, state="active")


def roll_back(connection: Connection, workspace_id: UUID, name: str, actor: str | None = None) -> Build:
    """Let the build serve again that served before. What changed meanwhile is caught up by the next sync.

    `actor` does it (see `audit.record`); None: the user of this process.

    Raises:
        WrongUse: there is none.
    """
    build = promotion.previous_build(find_builds(connection, workspace_id, name))
    if build is None:
        raise WrongUse(f"The index '{name}' has no earlier build to go back to.")
    promotion.switch(connection, build, "index.rolled_back", actor)
    return replace(build, state="active")


def drop_index(database: Database, connection: Connection, workspace_id: UUID, name: str) -> None:
    """Drop an index with all its builds."""
    builds = find_builds(connection, workspace_id, name)
    # Readers lose it at once; its tables go one by one.
    with connection.transaction():
        connection.execute(
            "UPDATE rag_indexes SET active_build_id = NULL WHERE workspace_id = %s AND name = %s", [workspace_id, name]
        )
        record(connection, None, "index.dropped", name, workspace_id=workspace_id)
    drop_builds(database, [build.rag_index_build_id for build in builds])
    with connection.transaction():
        connection.execute("DELETE FROM rag_indexes WHERE workspace_id = %s AND name = %s", [workspace_id, name])


def drop_one_build(database: Database, connection: Connection, workspace_id: UUID, name: str, build: int) -> None:
    """Drop one build of an index that does not serve.

    Raises:
        WrongUse: it serves, or there is none with this number.
    """
    unwanted = {each.rag_index_build_id: each for each in find_builds(connection, workspace_id, name)}.get(build)
    if unwanted is None:
        raise WrongUse(f"The index '{name}' has no build {build}: arcana index list shows those there are.")
    if unwanted.state == "active":
        raise WrongUse(f"Build {build} serves the index '{name}': promote another first, or drop the whole index.")
    with connection.transaction():
        record(connection, None, "index.dropped", name, workspace_id=workspace_id, details={"build": build})
    drop_builds(database, [build])


def drop_builds(database: Database, builds: list[int]) -> None:
    """Drop builds, with their chunks, without making other readers wait."""
    if not builds:
        return
    with database.own_connection() as own:
        for build in builds:
            drop_build(own, build)


def builds_to_drop(builds: list[Build]) -> list[int]:
    """Of one workspace's builds, those that no rollback leads to any more."""
    by_index: dict[str, list[Build]] = {}
    for build in builds:
        by_index.setdefault(build.index_name, []).append(build)
    numbers = []
    for of_index in by_index.values():
        kept = promotion.previous_build(of_index)
        numbers += [build.rag_index_build_id for build in of_index if build.state == "retired" and build is not kept]
    return numbers


def find_builds(connection: Connection, workspace_id: UUID, name: str) -> list[Build]:
    """The builds of one index, the oldest first.

    Raises:
        WrongUse: the workspace has no such index.
    """
    builds = builds_of(connection, workspace_id, name)
    if not builds:
        raise WrongUse(f"There is no index '{name}' in this workspace. `arcana index list` shows those there are.")
    return builds


def build_to_dict(connection: Connection, build: Build) -> dict[str, Any]:
    """A build for people and programs to read (JSON-ready)."""
    row = connection.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM published_document WHERE rag_index_build_id = {id}), "
            "(SELECT count(*) FROM {table} WHERE deleted_at IS NULL), b.created_at, b.promoted_at, i.index_type "
            "FROM rag_index_build b JOIN rag_indexes i USING (rag_index_id) WHERE rag_index_build_id = {id}"
        ).format(id=sql.Literal(build.rag_index_build_id), table=sql.Identifier(build.table))
    ).fetchone()
    assert row is not None
    documents, chunks, created_at, promoted_at, index_type = row
    return {
        "build": build.rag_index_build_id,
        "state": build.state,
        "embedding_model": build.embedding_model,
        "dimensions": build.dimensions,
        "chunker": build.chunker,
        "ann": build.ann,
        "index_type": index_type,
        "documents": documents,
        "chunks": chunks,
        "outdated": build.is_outdated,
        "created_at": created_at.isoformat(),
        "promoted_at": promoted_at.isoformat() if promoted_at else None,
        "verification": build.verification,
        "not_serving": why_not_serving(connection, build),
    }


def count_vectors(connection: Connection, build: Build) -> int:
    """How many vectors a search of this build can reach."""
    if build.state == "active":
        noted = "SELECT published_vectors FROM rag_indexes WHERE rag_index_id = %s"
        vectors: int = scalar(connection, noted, [build.rag_index_id])
    else:
        there = sql.SQL("SELECT count(*) FROM {} WHERE deleted_at IS NULL").format(sql.Identifier(build.table))
        vectors = scalar(connection, there)
    return vectors


def _held_back(connection: Connection, build: Build, problems: list[str]) -> bool:
    """Note what speaks against a verified build. From then on a person decides: it is not asked again at every sync."""
    if problems:
        noted = {**(build.verification or {}), "passed": False, "problems": problems}
        with connection.transaction():
            connection.execute(
                "UPDATE rag_index_build SET verification = %s, promote_when_verified = false "
                "WHERE rag_index_build_id = %s",
                [Jsonb(noted), build.rag_index_build_id],
            )
    return bool(problems)


def _is_whole(connection: Connection, build: Build) -> bool:
    """True when nothing that the build could hold is missing."""
    lacks: bool = scalar(connection, load_sql("build_lacks"), build.params)
    return not lacks


def _entered(connection: Connection, build: Build, state: str) -> Build:
    with connection.transaction():
        connection.execute(
            "UPDATE rag_index_build SET state = %s, updated_at = now() WHERE rag_index_build_id = %s",
            [state, build.rag_index_build_id],
        )
    return replace(build, state=state)


def _active(builds: list[Build]) -> Build | None:
    return next((build for build in builds if build.state == "active"), None)


def _waiting(builds: list[Build]) -> Build | None:
    return next((build for build in builds if build.state == "verifying"), None)
