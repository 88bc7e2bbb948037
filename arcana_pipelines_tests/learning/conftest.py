"""Two companies, as the tests of the API have them."""

from __future__ import annotations

from arcana_pipelines_tests.web.conftest import arcana_database_url as arcana_database_url
from arcana_pipelines_tests.web.conftest import companies as companies
from arcana_pipelines_tests.web.conftest import companies_database as companies_database
