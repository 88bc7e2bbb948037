"""What a request to Dagster's web server changes, in the words that it uses itself."""

from __future__ import annotations

import json
import re

from arcana_pipelines.ui.address import PREFIX
from arcana_pipelines.web.problems import Refused

# An operation that changes something begins with this word; its name follows, which is the caller's choice.
_MUTATION = re.compile(r"\bmutation\b[\s,]*([_A-Za-z][_0-9A-Za-z]*)?", re.ASCII)
_MOST, _LONGEST = 5, 100


def mutations_of(path: str, body: bytes) -> list[str]:
    """The names of what a POST to a path changes: at most five. No variables: they may be texts of anybody.

    Raises:
        Refused: 422: it is no JSON object, so what it does cannot be said.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(422, "invalid-request", "The body is no JSON that can be read.") from error
    if not isinstance(asked, dict):
        raise Refused(422, "invalid-request", "The body is no JSON object: send one operation in each request.")
    if not path.endswith("/graphql"):  # report_asset_materialization and its like
        return [path.removeprefix(PREFIX).strip("/").partition("/")[0][:_LONGEST]]
    query = asked.get("query")
    names = _MUTATION.findall(query) if isinstance(query, str) else []
    return [name[:_LONGEST] or "unnamed" for name in names[:_MOST]]
