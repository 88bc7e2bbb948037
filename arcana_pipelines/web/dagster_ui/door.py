"""Who may use Dagster's UI: whoever administers all that it shows, with a key or logged in on the page.

It shows the runs of every workspace and starts any: so it opens to keys with the scope `admin` of a whole company, and
that while no other company has a workspace.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from arcana_pipelines.db.engine import Database
from arcana_pipelines.keys.access import Access
from arcana_pipelines.ui.guard import refusal_of
from arcana_pipelines.web.gate import Gate
from arcana_pipelines.web.people.visitors import LogInFirst, Visitors
from arcana_pipelines.web.problems import Refused
from arcana_pipelines.workspaces.companies import is_alone

READING = frozenset({"GET", "HEAD"})
_NOT_ADMIN = (
    "Dagster's UI starts and stops the runs of every workspace: it opens to keys with the scope 'admin' of a whole "
    "company. `arcana key create --company NAME --scope admin` makes one."
)
_SHARED = (
    "Dagster's UI shows the runs of all companies, and several have workspaces here: so no company's key opens it. "
    "Who runs this installation reaches it on its own machine (docs/operating.md)."
)


class Door:
    """Lets requests in or refuses them. Its functions ask the database: they are called in threads."""

    def __init__(self, gate: Gate, visitors: Visitors, database: Database) -> None:
        """`database`: as the application, who sees whether there are other companies."""
        self._gate, self._visitors, self._database = gate, visitors, database

    def opens_to(self, access: Access) -> bool:
        """Whether a key opens it."""
        return access.administers and self._is_of_all(access)

    def admit(self, request: Request) -> str:
        """Let a request in; returns the id of its key.

        Reading with a session is not counted: a page is a hundred files.

        Raises:
            LogInFirst, ComesFromElsewhere: somebody has opened a page, and has not logged in.
            Refused: 401: there is no good key. 403: it may not, or another site's page asks. 429: too many requests.
        """
        _require_own_page(request)
        if "authorization" in request.headers:
            access = self._gate.access(request)
        elif opens_a_page(request):
            visitor = self._visitors.of(request, is_counted=False)
            if visitor.access is None:
                raise LogInFirst(visitor)
            access = visitor.access
        else:
            access = self._of_session(request, is_counted=request.method not in READING)
        self._require(access)
        return access.key_id

    def admit_socket(self, socket: WebSocket) -> Callable[[], None]:
        """Let a WebSocket in; returns what is to be called now and then while it is open, which raises likewise.

        Raises:
            Refused: likewise.
        """
        _require_own_page(socket)
        if "authorization" in socket.headers:
            access = self._gate.access(socket)
            self._require(access)
            return lambda: self._require_still(self._gate.access_again(socket, access.key_id, is_counted=False))

        def look() -> None:
            self._require(self._of_session(socket, is_counted=False))

        look()
        return look

    def _of_session(self, connection: HTTPConnection, is_counted: bool) -> Access:
        session = self._visitors.session_of(connection)
        access = None if session is None else self._visitors.access_of(connection, session, is_counted)
        if access is None:
            said = "Log in on the page, or send a key: `Authorization: Bearer arc_…`."
            raise Refused(401, "unauthorized", said, self._gate.challenge())
        return access

    def _require_still(self, access: Access | None) -> None:
        if access is None:
            raise Refused(401, "unauthorized", "This key opens nothing any more.")
        self._require(access)

    def _require(self, access: Access) -> None:
        if not access.administers:
            raise Refused(403, "forbidden", _NOT_ADMIN)
        if not self._is_of_all(access):
            raise Refused(403, "forbidden", _SHARED)

    def _is_of_all(self, access: Access) -> bool:
        with self._database.connection() as connection:
            return is_alone(connection, access.company_id)


def opens_a_page(request: Request) -> bool:
    """Whether a person does this, by a link or by typing an address: they can be shown something else."""
    mode = request.headers.get("sec-fetch-mode", "navigate")
    return request.method == "GET" and mode == "navigate" and "text/html" in request.headers.get("accept", "")


def _require_own_page(connection: HTTPConnection) -> None:
    """Refuse what other sites' pages do, as the guard of the UI itself does.

    By whatever name it is reached: a page that was loaded under a name of its own has no session of ours.
    """
    if (refusal := refusal_of(connection.scope, lambda name: True)) is not None:
        raise Refused(403, "forbidden", refusal)
