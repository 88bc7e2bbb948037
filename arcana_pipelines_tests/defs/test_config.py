"""What the Launchpad asks for: every field says what it is, refuses what cannot be, and has no magic value."""

from __future__ import annotations

import dagster as dg
import pytest
from pydantic import ValidationError

from arcana_pipelines.defs.build import build_defs
from arcana_pipelines.defs.config import IndexConfig, RebuildConfig, SyncConfig, sync_config
from arcana_pipelines.sources.protocol import Mode

CONFIGS = [SyncConfig, IndexConfig, RebuildConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_field_has_a_description_and_no_magic_default(config: type[dg.Config]) -> None:
    for name, field in config.model_fields.items():
        assert field.description, name
        assert field.default not in ("", -1), name


@pytest.mark.parametrize("mode", Mode)
def test_a_mode_goes_by_its_value_and_every_mode_can_be_asked_for(mode: Mode) -> None:
    job = build_defs().resolve_job_def("sync_workspace")
    assert dg.validate_run_config(job, sync_config(mode))["ops"]["notion_pages"]["config"]["mode"] == str(mode)


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (SyncConfig, {"allow_removals": -1}),
        (SyncConfig, {"mode": "AUDIT"}),
        (RebuildConfig, {"overlap_tokens": -1}),
        (RebuildConfig, {"dimensions": 0}),
        (RebuildConfig, {"chunk_tokens": 0}),
        (RebuildConfig, {"embedding_model": ""}),
        (IndexConfig, {"index": ""}),
    ],
)
def test_what_cannot_be_is_refused(config: type[dg.Config], values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        config(**values)


def test_a_rebuild_is_configured_as_the_launchpad_writes_it() -> None:
    job = build_defs().resolve_job_def("rebuild_index")
    config = {"ops": {"begin_build": {"config": {"ann": "hnsw", "overlap_tokens": 0}}}}
    assert dg.validate_run_config(job, config)["ops"]["begin_build"]["config"]["promote"] is False
    assert RebuildConfig(ann="hnsw").ann.value == "hnsw"  # type: ignore[arg-type, union-attr]
