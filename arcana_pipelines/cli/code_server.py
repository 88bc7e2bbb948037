"""Does Dagster still reach the process that holds the code? Asked of its web server while `arcana up` runs.

https://docs.dagster.io/api/graphql
"""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from arcana_pipelines.cli.output import say

# So often it is asked whether Dagster reaches the process that holds the code.
CODE_SECONDS = 30.0
_LOCATIONS = (
    "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError "
    "{ ... on PythonError { message } } } } } }"
)
_RELOAD = "mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }"
_NOT_REACHED = "DagsterUserCodeUnreachableError"


class CodeServer:
    """The process that holds the code. One that is killed alone Dagster does not start again, and nothing goes on."""

    def __init__(self, ui: str) -> None:
        """`ui` is the address of Dagster's web server."""
        self._address = f"{ui}/graphql"
        self._missed: set[str] = set()
        self._looked_at = time.monotonic()

    def look(self) -> None:
        """Have it started again where it was not reached at this look and the last one."""
        if time.monotonic() - self._looked_at < CODE_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            missed = self._unreached()
            for name in missed & self._missed:
                say("[yellow]The process that holds the code ({}) is gone: it is started again.[/yellow]", name)
                self._ask(_RELOAD, name=name)
            self._missed = missed - self._missed
        except (OSError, ValueError):  # it has too much to do, or ends: that is not for us to tell
            self._missed = set()

    def _unreached(self) -> set[str]:
        told = (self._ask(_LOCATIONS).get("data") or {}).get("workspaceOrError") or {}
        return {
            entry["name"]
            for entry in told.get("locationEntries") or ()
            if _NOT_REACHED in ((entry["locationOrLoadError"] or {}).get("message") or "")
        }

    def _ask(self, query: str, **variables: str) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            told: dict[str, Any] = json.load(answer)
            return told
