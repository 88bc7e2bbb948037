"""What keeps a build from serving."""

from __future__ import annotations

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.statements import statements_beside
from arcana_pipelines.indexes.builds import Build

load_sql = statements_beside(__file__)


def why_not_serving(connection: Connection, build: Build) -> list[str]:
    """What keeps a build that is being made from serving, in words; nothing for one that serves or has served."""
    if build.state == "building":
        row = connection.execute(
            load_sql("build_waits"),
            {**build.params, "model": build.embedding_model, "dimensions": build.dimensions},
        ).fetchone()
        assert row is not None
        documents, texts = row
        lacks = [f"{documents} documents are not in it yet"] if documents else ["it is whole and not verified yet"]
        return lacks + ([f"{texts} texts wait in batches at the embedding provider"] if texts else [])
    if build.state != "verifying":
        return []
    problems = (build.verification or {}).get("problems")
    if problems:
        return list(problems)
    return ["it waits for verification" if build.promote_when_verified else "it is verified and waits for promotion"]
