"""The helpdesk of the sample: answered from files of this package, and read as any account of Freshdesk.

Nothing is asked over a network and no port is opened: `SampleApi` answers where the client would send a request.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from typing import IO, Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import SecretStr

from arcana_pipelines.db.engine import Database
from arcana_pipelines.demo.helpdesk_account import HelpdeskAccount
from arcana_pipelines.errors import DownloadExpired, PageUnavailable
from arcana_pipelines.net.http_client import Answer
from arcana_pipelines.sources.client import MOST_BYTES, Patience
from arcana_pipelines.sources.freshdesk.api import FreshdeskApi
from arcana_pipelines.sources.freshdesk.domain import web_address
from arcana_pipelines.sources.freshdesk.source import FreshdeskSource
from arcana_pipelines.sources.limiter import RateLimiter
from arcana_pipelines.sources.protocol import FileRef

_NAME = "sample_helpdesk"


class SampleApi(FreshdeskApi):
    """Answers in the place of a server. Nothing is limited and nothing counted."""

    def __init__(self, account: HelpdeskAccount, database: Database) -> None:
        no_limit = RateLimiter(database, _NAME, 0)
        super().__init__(SecretStr(_NAME), web_address(account.domain), no_limit, no_limit, Patience())
        self._account = account

    def _read(
        self,
        method: str,
        url: str,
        where: str,
        take: Callable[[], None],
        body: bytes | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> tuple[Answer, Any]:
        now = datetime.now(UTC)
        self._server_time = now
        asked = urlsplit(url)
        found = self._account.answer(asked.path.removeprefix("/api/v2/"), dict(parse_qsl(asked.query)))
        if found is None:
            raise PageUnavailable(f"{where}: 404")
        return Answer(200, {"date": format_datetime(now, usegmt=True)}, b""), found


class SampleHelpdesk(FreshdeskSource):
    """The sample's tickets, with their private notes."""

    def __init__(self, database: Database, *, with_files: bool, is_poll: bool) -> None:
        self._account = _account()
        api = SampleApi(self._account, database)
        super().__init__(api, self._account.domain, private_notes=True, with_files=with_files, is_poll=is_poll)

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        """Write the bytes of a file (see `Source.download`)."""
        found = self._account.attachment(int(file.file_id.rpartition("-")[2]))
        if found is None:
            raise DownloadExpired("No ticket shows this file any more.")
        target.write(found[:most])


@cache
def _account() -> HelpdeskAccount:
    """Read once a process: it is part of the package."""
    return HelpdeskAccount()
