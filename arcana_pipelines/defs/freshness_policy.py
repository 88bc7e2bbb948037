"""Dagster's own mark of staleness on `rag_indexes`: that nothing was synced for longer than audits are apart.

Dagster judges an asset by its newest materialization, of whatever partition: "passing" says that some workspace is
fresh, and which ones are not is said by the check `workspaces_are_fresh` (docs/decisions/030-freshness-of-an-asset.md).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import islice, pairwise

import dagster as dg

from arcana_pipelines.defs.jobs import AUDIT, jobs_for
from arcana_pipelines.defs.names import ASSET_TAG
from arcana_pipelines.defs.schedule_times import coming

MARKED = "rag_indexes"
# What an audit may take, and wait in the queue. With audits a day apart this makes the 26 hours of the alert `stale`.
SLACK = dt.timedelta(hours=2)
# How many audits ahead are looked at for the longest time between two: past a weekend, and a change of the clocks.
AHEAD = 32


def mark(
    assets: Sequence[dg.AssetsDefinition], schedules: Sequence[dg.ScheduleDefinition]
) -> list[dg.AssetsDefinition]:
    """The assets, the searchable indexes with a policy, if one of the schedules asks for audits.

    A source where nothing changes is materialized by audits alone: without them the mark would turn red where all is
    well.
    """
    policy = next((_policy(schedule) for schedule in schedules if schedule.job_name in jobs_for(AUDIT)), None)
    if policy is None:
        return list(assets)
    return [
        each.map_asset_specs(
            lambda spec: (
                spec.replace_attributes(freshness_policy=policy) if spec.tags.get(ASSET_TAG) == MARKED else spec
            )
        )
        for each in assets
    ]


def _policy(audits: dg.ScheduleDefinition) -> dg.FreshnessPolicy | None:
    """None where this release of Dagster does not say when a schedule comes."""
    ahead = coming(audits.cron_schedule, audits.execution_timezone)
    if ahead is None:
        return None
    apart = max(later - sooner for sooner, later in pairwise(islice(ahead, AHEAD)))
    return dg.FreshnessPolicy.time_window(fail_window=apart + SLACK)
