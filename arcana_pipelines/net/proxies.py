"""Connections to a server, through the proxy that the environment names for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.net.certificates import trusted_certificates


def connection_pool(base_url: str, **options: Any) -> urllib3.PoolManager:
    """urllib3's connections, made with these options.

    Raises:
        InvalidSetting: the proxy is of another kind, or the environment's certificates cannot be read.
    """
    options["ssl_context"] = trusted_certificates()
    address, proxies = urlsplit(base_url), getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy is None or proxy_bypass(address.hostname or "") or proxy_bypass(address.netloc):
        return urllib3.PoolManager(**options)
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    login = urlsplit(proxy)
    if login.scheme not in ("http", "https"):
        raise InvalidSetting(
            f"The environment names a {login.scheme} proxy for {address.hostname}, which can be reached through http "
            "and https proxies: set HTTPS_PROXY to one, or add the host to NO_PROXY."
        )
    user = f"{unquote(login.username or '')}:{unquote(login.password or '')}" if login.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **options)
