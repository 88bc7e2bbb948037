"""The API beside two companies, as its own tests have it, which may be asked as often as is wanted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.web.conftest import Api, served
from arcana_pipelines_tests.web.conftest import arcana_database_url as arcana_database_url
from arcana_pipelines_tests.web.conftest import companies as companies
from arcana_pipelines_tests.web.conftest import companies_database as companies_database


@pytest.fixture
def api(companies: Harness) -> Iterator[Api]:
    """The server, which refuses nobody for asking often."""
    with served(companies, key_requests_per_minute=1_000_000, refused_keys_per_minute=1_000_000) as api:
        yield api
