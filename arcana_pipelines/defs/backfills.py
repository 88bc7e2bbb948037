"""A backfill from a sensor. Dagster 1.13 has no public way to ask for one.

https://github.com/dagster-io/dagster/issues/27759: the constructor is private "since AssetGraphSubset is not part of
the public API". All private imports are here, and a test runs them against the installed release.
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.partitions.subset import DefaultPartitionsSubset


def backfill_request(keys: Collection[dg.AssetKey], partitions: Collection[str], tags: dict[str, str]) -> dg.RunRequest:
    """Ask for a backfill of these assets in these partitions (the sensor has to name an `asset_selection`)."""
    subset = DefaultPartitionsSubset(set(partitions))
    asked = AssetGraphSubset(dict.fromkeys(keys, subset), set())  # type: ignore[call-arg]  # a decorator hides it
    return dg.RunRequest.for_asset_graph_subset(asked, tags)
