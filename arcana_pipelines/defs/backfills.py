"""A backfill from a sensor. Dagster 1.13 has no public way to ask for one.

https://github.com/dagster-io/dagster/issues/27759: the constructor is private "since AssetGraphSubset is not part of
the public API". All private imports of a backfill are here, and a test runs them against the installed release.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

import dagster as dg

log = logging.getLogger(__name__)


def backfill_request(
    keys: Collection[dg.AssetKey], partitions: Collection[str], tags: dict[str, str]
) -> dg.RunRequest | None:
    """Ask for a backfill of these assets in these partitions (the sensor has to name an `asset_selection`).

    None where this release of Dagster has moved the private names: then a run a partition does the same work.
    """
    try:
        from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
        from dagster._core.definitions.partitions.subset import DefaultPartitionsSubset

        subset = DefaultPartitionsSubset(set(partitions))
        asked = AssetGraphSubset(dict.fromkeys(keys, subset), set())  # type: ignore[call-arg]  # a decorator hides it
        return dg.RunRequest.for_asset_graph_subset(asked, tags)
    except (ImportError, AttributeError, TypeError) as error:
        log.warning("this release of Dagster takes no backfill from a sensor (%s): one run a workspace instead", error)
        return None
