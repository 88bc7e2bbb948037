"""The companies that each test gets are those of a sync of its own."""

from __future__ import annotations

import pytest

from arcana_pipelines_tests.harness import Harness


@pytest.mark.parametrize("slug", ["acme", "globex"])
def test_a_copy_is_up_to_date_with_the_world_of_its_test(companies: Harness, slug: str) -> None:
    workspace = companies.at(slug=slug)
    workspace.assert_matches_world()
    again = workspace.sync()["pages"]
    assert (again["added"], again["updated"], again["removed"]) == (0, 0, 0)
    companies.world.add_page("Sabbaticals")
    companies.settle()
    assert workspace.sync()["pages"]["added"] == 1
    workspace.assert_matches_world()
