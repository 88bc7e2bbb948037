"""Syncs: asked for over HTTP, run by whoever runs the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import FastAPI, Path, Response

from arcana_pipelines.db.engine import Database
from arcana_pipelines.errors import WrongUse
from arcana_pipelines.ledger import asked
from arcana_pipelines.ledger.asked import AskedSync
from arcana_pipelines.retrieval.shown import shown
from arcana_pipelines.web.gate import Gate, Keyed, Slug
from arcana_pipelines.web.problems import Refused, described


def add_syncs(app: FastAPI, gate: Gate, database: Database) -> None:
    """Add the routes."""

    @app.post("/v1/workspaces/{slug}/sync", summary="Ask for a sync", tags=["syncs"], status_code=202,
              responses=described(401, 403, 404, 409, 422, 503))  # fmt: skip
    def ask(access: Keyed, slug: Slug, response: Response) -> AskedSync:
        opened = gate.workspace(access, "sync", slug)
        with database.connection(access.company_id) as connection:
            try:
                number = asked.ask(connection, opened.workspace_id)
            except WrongUse as error:
                raise Refused(409, "conflict", str(error)) from error
            found = asked.find(connection, opened.workspace_id, number)
        response.headers["Location"] = f"/v1/workspaces/{slug}/syncs/{number}"
        # The workspace may have been removed between the two.
        return found or AskedSync(number, "waiting")

    @app.get("/v1/workspaces/{slug}/syncs/{generation}", summary="How far a sync is", tags=["syncs"],
             responses=described(401, 403, 404, 422, 503))  # fmt: skip
    def look(
        access: Keyed,
        slug: Slug,
        generation: Annotated[int, Path(ge=1, lt=2**63, description="Its number, which asking for it gave.")],
    ) -> AskedSync:
        opened = gate.workspace(access, "sync", slug)
        with database.connection(access.company_id) as connection:
            found = asked.find(connection, opened.workspace_id, generation)
        if found is None:
            said = (
                f"Workspace '{slug}' has no sync {generation}, and none was asked for. "
                f"POST /v1/workspaces/{slug}/sync asks for one."
            )
            raise Refused(404, "not-found", said)
        # Sources say what they like.
        return replace(found, problems=tuple(map(shown, found.problems)))
