"""The authorities whose certificates are trusted."""

from __future__ import annotations

import functools
import os
import ssl

import certifi

from arcana_pipelines.errors import InvalidSetting


@functools.cache
def trusted_certificates() -> ssl.SSLContext:
    """Those that SSL_CERT_FILE or SSL_CERT_DIR names, else Mozilla's.

    Raises:
        InvalidSetting: they cannot be read.
    """
    # Reading the authorities takes 20 ms, and a thousand workspaces are looked at in one go. Where the environment
    # names a file or folder of them, no others are trusted.
    folder = os.environ.get("SSL_CERT_DIR")
    file = os.environ.get("SSL_CERT_FILE") or (None if folder else certifi.where())
    try:
        return ssl.create_default_context(cafile=file, capath=folder)
    except OSError as error:
        raise InvalidSetting(
            f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}."
        ) from error
