"""The key under which Notion signs events, and the one moment in which a new one is taken.

The first to shake hands owns the receiver, and the handshake is unsigned
(https://developers.notion.com/reference/webhooks). So it is taken only while a person waits for it: once, within ten
minutes of `arcana webhooks --subscribe`.
"""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path

from pydantic import SecretStr

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.home import make_home
from arcana_pipelines.settings import Settings
from arcana_pipelines.trusted_files import write_private

log = logging.getLogger(__name__)

OPEN_SECONDS = 600.0
_KEY = re.compile(r"secret_[!-~]{16,256}")


def key_file(settings: Settings) -> Path:
    """Where the handshake's key is kept when the environment names none."""
    return settings.storage_root / "notion_webhook_token"


def known_key(settings: Settings) -> SecretStr | None:
    """The key that events are signed with; None when there is none, and then every event is refused.

    An empty or blank key is none: anyone could sign with it.
    """
    if settings.notion_webhook_token is not None:
        key = settings.notion_webhook_token.get_secret_value().strip()
        return SecretStr(key) if key else None
    try:
        key = key_file(settings).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    return SecretStr(key) if _KEY.fullmatch(key) else None


def invite(settings: Settings) -> None:
    """Take one handshake within the next ten minutes.

    Raises:
        WrongUse: the environment names the key, so none would be taken from a handshake.
    """
    if settings.notion_webhook_token is not None:
        raise WrongUse(
            "NOTION_WEBHOOK_TOKEN holds the key of a subscription. Unset it for a new one, which is kept in "
            f"{key_file(settings)}."
        )
    make_home(settings.home)
    write_private(_invitation(settings), str(time.time() + OPEN_SECONDS))


def is_open(settings: Settings) -> bool:
    """Whether a handshake would be taken now."""
    if settings.notion_webhook_token is not None:
        return False
    try:
        left = float(_invitation(settings).read_text(encoding="ascii")) - time.time()
    except (FileNotFoundError, ValueError):
        return False
    return 0 < left <= OPEN_SECONDS


def take(settings: Settings, key: object) -> bool:
    """Keep the key of a handshake; False when another one was faster.

    Raises:
        WrongUse: it is not a key of Notion's.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise WrongUse("The verification token is not one of Notion's.")
    try:
        # The process that takes the invitation away is the one that it was for.
        _invitation(settings).unlink()
    except FileNotFoundError:
        return False
    write_private(key_file(settings), key)
    log.warning("Notion opened a subscription. Paste the token in %s into Notion to confirm it.", key_file(settings))
    return True


def _invitation(settings: Settings) -> Path:
    return settings.storage_root / "notion_webhook_invitation"
