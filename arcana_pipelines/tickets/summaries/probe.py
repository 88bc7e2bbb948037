"""Does the chat model's endpoint answer? It is asked for its list of models, which costs nothing."""

from __future__ import annotations

import json
from http import HTTPStatus

from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from arcana_pipelines.errors import SummaryFailed
from arcana_pipelines.net.answer_size import AnswerTooLarge, check_values
from arcana_pipelines.net.http_client import Server
from arcana_pipelines.net.post import host_of
from arcana_pipelines.settings import Settings

_MOST_BYTES = 4 * 2**20
_MOST_VALUES = 200_000


def looked_at(settings: Settings, seconds: float) -> str:
    """What is said of it, within so many seconds. No ticket is sent, and the model itself is not asked.

    Raises:
        SummaryFailed: it does not answer, does not accept the key, or does not list the model.
    """
    host = host_of(settings.summary_base_url)
    key = settings.summary_api_key.get_secret_value().strip() if settings.summary_api_key else ""
    half = seconds / 2
    server = Server(
        settings.summary_base_url,
        timeout=Timeout(connect=half, read=half),
        seconds=half,
        most_bytes=_MOST_BYTES,
        headers={"User-Agent": "arcana-pipelines"} | ({"Authorization": f"Bearer {key}"} if key else {}),
    )
    try:
        answer = server.send("GET", f"{settings.summary_base_url}/models")
        check_values(answer.data, _MOST_VALUES)
    except AnswerTooLarge:
        return f"{host} answers; whether it has {settings.summary_model} is not known"
    except (HTTPError, ValueError) as error:
        raise SummaryFailed(
            f"{host} (SUMMARY_BASE_URL) does not answer ({type(error).__name__}). Tickets wait for their summaries."
        ) from None
    finally:
        server.close()
    if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise SummaryFailed(f"{host} does not accept SUMMARY_API_KEY ({answer.status})")
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SummaryFailed(f"{host} (SUMMARY_BASE_URL) answered {answer.status}")
    models = _listed(answer.data) if answer.status == HTTPStatus.OK else frozenset()
    if models and settings.summary_model not in models:
        raise SummaryFailed(f"{host} does not list the model {settings.summary_model} (SUMMARY_MODEL)")
    has = f"{settings.summary_model} is one of its models" if models else f"{settings.summary_model} was not asked"
    return f"{host} answers; {has}"


def _listed(data: bytes) -> frozenset[str]:
    """The names of its models; none where it has no such list."""
    try:
        return frozenset(str(each["id"]) for each in json.loads(data)["data"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return frozenset()
