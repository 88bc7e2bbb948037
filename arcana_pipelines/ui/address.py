"""Where Dagster's UI is below the server of the API, and whether what answers elsewhere is Dagster's web server."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

# As in `dagster-webserver --path-prefix /dagster`.
PREFIX = "/dagster"
# Where it says what it is.
INFO = f"{PREFIX}/server_info"
_WRITTEN = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]*")
_IN_SEGMENT = re.compile(r"[^/\\\x00-\x1f\x7f]+")


def is_of_ui(path: str) -> bool:
    """Whether a path, as a server has decoded it, is for the UI to answer; with a page or with a refusal."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def is_below(path: str) -> bool:
    """Whether a path, as it is written in an address, is one of the UI's, whoever reads it.

    What some read as another path than others is none: `..`, an encoded slash, a slash too many, a backslash.
    """
    if path in (PREFIX, f"{PREFIX}/"):
        return True
    if not path.startswith(f"{PREFIX}/") or not _WRITTEN.fullmatch(path):
        return False
    return all(map(_is_segment, path.removeprefix(f"{PREFIX}/").removesuffix("/").split("/")))


def _is_segment(written: str) -> bool:
    segment = unquote(written)
    return segment not in (".", "..") and _IN_SEGMENT.fullmatch(segment) is not None


def is_dagster(status: int, body: bytes) -> bool:
    """Whether that is what Dagster's web server answers at `INFO`. One without the prefix answers with a page there."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return status == 200 and isinstance(told, dict) and "dagster_webserver_version" in told
