"""Does the embedding provider answer? Syncs that have nothing to embed do not find out."""

from __future__ import annotations

from http import HTTPStatus

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalar
from arcana_pipelines.embedding.catalogue import models_not_of
from arcana_pipelines.net.post import NoAnswer, host_of, status_of
from arcana_pipelines.settings import Settings


def embedder_problem(connection: Connection, settings: Settings) -> str | None:
    """Why the provider of active workspaces' serving models cannot be used; None when it can, or none is needed.

    It is asked for its list of models, which costs nothing. A provider that has no such list answers, too.
    """
    is_needed = scalar(
        connection,
        "SELECT 1 FROM rag_indexes i JOIN workspace w USING (workspace_id) "
        "WHERE w.status = 'active' AND NOT i.embedding_model = ANY(%s) LIMIT 1",
        [models_not_of("openai")],
    )
    if not is_needed:
        return None
    if settings.openai_api_key is None:
        return "OPENAI_API_KEY is not set"
    headers = {"Authorization": f"Bearer {settings.openai_api_key.get_secret_value()}"}
    try:
        status = status_of(f"{settings.openai_base_url}/models", headers)
    except NoAnswer as error:
        return str(error)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f"{host_of(settings.openai_base_url)} does not accept OPENAI_API_KEY ({status})"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"{host_of(settings.openai_base_url)} answered {status}"
    return None
