"""Does the embedding provider answer? Syncs that have nothing to embed do not find out."""

from __future__ import annotations

from http import HTTPStatus

from arcana_pipelines.db.engine import Connection
from arcana_pipelines.db.query import scalars
from arcana_pipelines.embedding.catalogue import model_named
from arcana_pipelines.embedding.registry import OPENAI, unusable
from arcana_pipelines.net.post import NoAnswer, host_of, status_of
from arcana_pipelines.settings import Settings


def embedder_problem(connection: Connection, settings: Settings) -> str | None:
    """Why a model that serves an active workspace cannot be used; None when all can.

    The endpoint is asked for its list of models, which costs nothing. A provider that has no such list answers, too.
    """
    models = scalars(
        connection,
        "SELECT DISTINCT i.embedding_model FROM rag_indexes i JOIN workspace w USING (workspace_id) "
        "WHERE w.status = 'active' ORDER BY 1",
    )
    for model in models:
        if lacking := unusable(settings, model):
            return str(lacking)
    if settings.openai_api_key is None or not any(model_named(model).provider == OPENAI for model in models):
        return None
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
