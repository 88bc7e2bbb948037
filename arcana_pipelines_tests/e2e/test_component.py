"""The component: a project with nothing but YAML, loaded as Dagster loads it."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.core.package_entry import discover_package_objects
from dagster.components.testing import DefsFolderSandbox, create_defs_folder_sandbox
from dagster_shared.serdes.objects import EnvRegistryKey

import arcana_pipelines
from arcana_pipelines import ArcanaWorkspaces, plugins
from arcana_pipelines.defs.partitions import workspaces
from arcana_pipelines_tests.conformance.conftest import PLUGIN, TICKETS
from arcana_pipelines_tests.e2e.conftest import Arcana

# Dagster warns of parts of its own component loader.
pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

TYPE = "arcana_pipelines.ArcanaWorkspaces"
ALL_SO = "1 workspaces, all as declared."


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def environment(arcana: Arcana, monkeypatch: pytest.MonkeyPatch) -> Arcana:
    """An installation with its tables and no workspace, which this process finds as a code server would."""
    for name, value in arcana.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ARCANA_KEY_PREFIX", raising=False)
    assert arcana.here("db", "upgrade").returncode == 0
    return arcana


@contextmanager
def project(name: str) -> Iterator[DefsFolderSandbox]:
    with create_defs_folder_sandbox(project_name=name) as sandbox:
        yield sandbox


def declare(sandbox: DefsFolderSandbox, *declared: dict[str, Any], **attributes: Any) -> None:
    """Write the project's YAML."""
    folder = sandbox.defs_folder_path / "knowledge"
    folder.mkdir(exist_ok=True)
    contents = {"type": TYPE, "attributes": {"workspaces": list(declared), **attributes}}
    (folder / "defs.yaml").write_text(yaml.safe_dump(contents))


def acme(**changes: Any) -> dict[str, Any]:
    return {"slug": "acme", "source": {"type": "notion"}, **changes}


def tick(sandbox: DefsFolderSandbox, instance: dg.DagsterInstance, name: str = "workspace_declarations") -> Any:
    """One tick of a sensor of the project as it stands now."""
    with sandbox.build_all_defs() as defs:
        sensor = defs.resolve_sensor_def(name)
        return sensor(dg.build_sensor_context(instance=instance, definitions=defs))


def said(sandbox: DefsFolderSandbox, instance: dg.DagsterInstance) -> str:
    return str(tick(sandbox, instance).skip_message)


def test_what_is_scaffolded_is_found_by_dagster_and_loads() -> None:
    with project("scaffolded") as sandbox:
        sandbox.scaffold_component(ArcanaWorkspaces, "handbook")
        text = (sandbox.defs_folder_path / "handbook" / "defs.yaml").read_text()
        assert yaml.safe_load(text)["attributes"]["workspaces"][0]["slug"] == "handbook"
        with sandbox.build_all_defs() as defs:
            dg.Definitions.validate_loadable(defs)
            assert defs.executor is None, "the executor is the project's"
            keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
            assert {"notion_pages", "rag_indexes"} <= keys
        # What is a comment in the scaffolded file is an attribute when somebody takes the sign away.
        marked = [
            line for line in text.splitlines() if not line.lstrip().startswith("# ") or line.rstrip()[-1] not in "."
        ]
        whole = "\n".join(line.replace("# ", "", 1) if line.lstrip().startswith("# ") else line for line in marked)
        attributes = yaml.safe_load(whole)["attributes"]
        ArcanaWorkspaces.resolve_from_dict(attributes)
        assert set(attributes) == set(ArcanaWorkspaces.model_fields)
        assert {key for each in attributes["workspaces"] for key in each} == {"slug", "name", "source", "index"}


def test_loading_touches_neither_database_nor_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    monkeypatch.delenv("NOTION_TOKEN", raising=False)
    with project("offline") as sandbox:
        declare(sandbox, acme(), {"slug": "papers", "source": {"type": "notion_export", "path": "not/there"}})
        with sandbox.build_all_defs() as defs:
            dg.Definitions.validate_loadable(defs)


def times(sandbox: DefsFolderSandbox) -> dict[str, tuple[Any, str | None]]:
    with sandbox.build_all_defs() as defs:
        return {each.name: (each.cron_schedule, each.execution_timezone) for each in defs.schedules or ()}  # type: ignore[union-attr]


def test_schedules_and_the_prefix_are_as_declared() -> None:
    with project("by_the_clock") as sandbox:
        at = {"audit": "30 1 * * 6", "maintenance": "0 4 * * *", "time_zone": "Asia/Seoul"}
        declare(sandbox, acme(), key_prefix=["company", "kb"], schedules=at)
        found = times(sandbox)
        assert found["audit_sweep"] == ("30 1 * * 6", "Asia/Seoul")
        assert found["maintenance_sweep"] == ("0 4 * * *", "Asia/Seoul")
        assert {"installation_sweep", "quality_sweep"} <= set(found)
        with sandbox.build_all_defs() as defs:
            assert {spec.key.path[0] for spec in defs.resolve_all_asset_specs()} == {"company"}


def test_times_that_are_left_out_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULE_AUDIT", "15 2 * * *")
    monkeypatch.setenv("SCHEDULE_QUALITY", "45 2 * * *")
    monkeypatch.setenv("SCHEDULE_TIME_ZONE", "Europe/Berlin")
    with project("by_the_clock") as sandbox:
        declare(sandbox, acme(), schedules={"quality": "0 4 * * *"})
        assert times(sandbox) | {"maintenance_sweep": ()} == {
            "audit_sweep": ("15 2 * * *", "Europe/Berlin"),
            "ticket_audit_sweep": ("15 2 * * *", "Europe/Berlin"),
            "quality_sweep": ("0 4 * * *", "Europe/Berlin"),
            "installation_sweep": ("30 5 * * *", "Europe/Berlin"),
            "maintenance_sweep": (),
            "backup_sweep": ("0 2 * * *", "Europe/Berlin"),
            "backup_log_sweep": ("*/10 * * * *", "Europe/Berlin"),
        }


@pytest.mark.parametrize(
    ("declared", "attributes", "reason"),
    [
        ([acme(), acme()], {}, "declared more than once: acme"),
        ([acme(slug="Acme")], {}, "slug"),
        ([acme(source={"type": "notion", "token_variable": "ntn_4711abc"})], {}, "token_variable"),
        ([acme(source={"type": "notion", "token": "x"})], {}, "token"),
        ([acme(source={"type": "notion_export"})], {}, "path"),
        ([acme(index={"chunk_tokens": 100, "overlap_tokens": 90})], {}, "half their target size"),
        ([acme(index={"embedding_model": "nobody-knows"})], {}, "size of the vectors"),
        ([acme()], {"schedules": {"audit": "at night"}}, "audit must be a cron expression"),
        ([acme()], {"schedules": {"maintenance": "0 0 31 4 *"}}, "maintenance must be a time that comes"),
        ([acme()], {"schedules": {"time_zone": "Mars/Olympus"}}, "time_zone must be the name of a time zone"),
    ],
)
def test_what_can_never_work_is_refused_when_it_is_loaded(
    declared: list[dict[str, Any]], attributes: dict[str, Any], reason: str
) -> None:
    with project("refused") as sandbox:
        declare(sandbox, *declared, **attributes)
        assert reason in refusal(sandbox)


def refusal(sandbox: DefsFolderSandbox) -> str:
    """What loading the project raises, with all its causes."""
    with pytest.raises(Exception) as refusal, sandbox.build_all_defs() as defs:
        dg.Definitions.validate_loadable(defs)
    causes, error = [str(refusal.value)], refusal.value.__cause__ or refusal.value
    while error is not None:
        causes.append(str(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return " ".join(causes)


def test_a_tick_registers_what_is_declared_and_the_next_finds_it_so(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    with project("shop") as sandbox:
        declare(sandbox, acme(name="Acme", index={"chunk_tokens": 128, "overlap_tokens": 16}))
        assert said(sandbox, instance) == "'acme' is registered."
        assert said(sandbox, instance) == ALL_SO
    assert rows("SELECT slug, name, platform, credential_ref, declared_by FROM workspace") == [
        ("acme", "Acme", "notion", "NOTION_TOKEN", "shop")
    ]
    ((chunker,),) = rows("SELECT chunker FROM rag_index_build")
    assert (chunker["target_tokens"], chunker["overlap_tokens"]) == (128, 16)
    assert workspaces.get_partition_keys(dynamic_partitions_store=instance) == ["acme"]
    with project("shop") as sandbox:
        declare(sandbox, acme(name="Acme"))
        result = tick(sandbox, instance, "workspace_registry")
        assert [request.partition_key for request in result.run_requests] == ["acme"], "its first sync"


def test_another_name_and_another_source_are_taken_over_and_another_index_is_told(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("OTHER_TOKEN", environment.environment["NOTION_TOKEN"] or "")
    with project("shop") as sandbox:
        declare(sandbox, acme())
        said(sandbox, instance)
        source = {"type": "notion", "token_variable": "OTHER_TOKEN", "comments": True}
        declare(sandbox, acme(name="애크미", source=source))
        assert said(sandbox, instance) == "'acme' is changed."
        assert rows("SELECT name, credential_ref, source_config FROM workspace") == [
            ("애크미", "OTHER_TOKEN", {"comments": True})
        ]
        declare(sandbox, acme(name="애크미", source=source, index={"chunk_tokens": 64}))
        assert "arcana index rebuild acme --chunk-tokens 64" in said(sandbox, instance)
        assert len(rows("SELECT 1 FROM rag_index_build")) == 1
        declare(sandbox, acme(name="애크미", source={"type": "notion", "token_variable": "NOT_SET"}))
        assert "NOT_SET" in said(sandbox, instance)
        assert rows("SELECT credential_ref FROM workspace") == [("OTHER_TOKEN",)]


def test_what_is_no_longer_declared_is_kept_and_told(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    with project("shop") as sandbox:
        declare(sandbox, acme(), acme(slug="beta"))
        said(sandbox, instance)
        declare(sandbox, acme(slug="beta"))
        assert "'acme' is no longer declared. It is kept" in said(sandbox, instance)
    assert len(rows("SELECT 1 FROM workspace WHERE status = 'active'")) == 2


def test_two_projects_that_declare_the_same_do_not_fight(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    with project("shop") as shop, project("office") as office:
        declare(shop, acme(name="of the shop"))
        declare(office, acme(name="of the office"), acme(slug="beta"))
        assert said(shop, instance) == "'acme' is registered."
        for _ in range(2):
            assert "belongs to the project 'shop'" in said(office, instance)
            assert said(shop, instance) == ALL_SO, "and nothing of the other project's is called undeclared"
    assert rows("SELECT slug, name, declared_by FROM workspace ORDER BY slug") == [
        ("acme", "of the shop", "shop"), ("beta", "beta", "office")
    ]  # fmt: skip


def test_one_that_a_person_registered_is_taken_over_only_if_it_reads_the_same(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    environment.json("workspace", "add", "acme", "--source", "notion")
    with project("shop") as sandbox:
        declare(sandbox, acme(source={"type": "notion", "comments": True}))
        assert "was registered by hand" in said(sandbox, instance)
        assert rows("SELECT declared_by, source_config FROM workspace") == [(None, {})]
        declare(sandbox, acme())
        assert said(sandbox, instance) == "'acme' is this project's now."
        assert said(sandbox, instance) == ALL_SO


def test_one_that_cannot_be_registered_does_not_keep_the_others_waiting(
    environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
) -> None:
    with project("shop") as sandbox:
        papers = {"slug": "papers", "source": {"type": "notion_export", "path": "not/there"}}
        unknown = acme(slug="unknown", source={"type": "notion", "token_variable": "NOT_SET"})
        declare(sandbox, papers, unknown, acme())
        told = said(sandbox, instance)
        assert "'acme' is registered." in told and "NOT_SET" in told
        assert str((sandbox.defs_folder_path / "knowledge" / "not" / "there").resolve()) in told
    assert rows("SELECT slug FROM workspace") == [("acme",)]


def test_the_package_itself_is_imported_without_dagster() -> None:
    code = (
        "import sys, arcana_pipelines; assert 'ArcanaWorkspaces' in dir(arcana_pipelines); "
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('dagster', 'pydantic', 'psycopg')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_attribute_has_a_description() -> None:
    schema = ArcanaWorkspaces.model().model_json_schema()
    parts = {"ArcanaWorkspaces": schema, **schema["$defs"]}
    bare = [
        f"{name}.{key}"
        for name, part in parts.items()
        for key, attribute in part["properties"].items()
        if not attribute.get("description")
    ]
    assert bare == []


def test_dg_finds_the_component_where_the_package_says() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    (module,) = tomllib.loads(text)["project"]["entry-points"]["dagster_dg_cli.registry_modules"].values()
    assert discover_package_objects([module]) == {EnvRegistryKey(module, "ArcanaWorkspaces"): ArcanaWorkspaces}
    assert f"{module}.ArcanaWorkspaces" == TYPE


class TestASourceOfAPlugin:
    """`ticket-desk` is installed before the component is imported, as it is in a project."""

    @pytest.fixture(autouse=True)
    def installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.syspath_prepend(str(PLUGIN))
        plugins._all_installed.cache_clear()
        monkeypatch.setattr(arcana_pipelines, "components", sys.modules["arcana_pipelines.components"])
        for name in [name for name in sys.modules if name.startswith("arcana_pipelines.components")]:
            monkeypatch.delitem(sys.modules, name)
        yield
        plugins._all_installed.cache_clear()
        sys.modules.pop("ticket_desk", None)

    def desk(self, **source: Any) -> dict[str, Any]:
        return {"slug": "desk", "source": {"type": "ticket_desk", "path": "../tickets.json", **source}}

    def test_is_declared_with_its_own_settings_which_reach_it(
        self, environment: Arcana, instance: dg.DagsterInstance, rows: Callable[..., list[tuple[Any, ...]]]
    ) -> None:
        with project("support") as sandbox:
            file = sandbox.defs_folder_path / "tickets.json"
            file.write_text(json.dumps(TICKETS))
            declare(sandbox, self.desk(subjects_with="휴가"))
            assert said(sandbox, instance) == "'desk' is registered."
            assert said(sandbox, instance) == ALL_SO
            config = {"path": str(file.resolve()), "subjects_with": "휴가"}
            assert rows("SELECT platform, source_config, credential_ref FROM workspace") == [
                ("ticket_desk", config, None)
            ]
            done = environment.here("sync", "desk", "--json")
            assert json.loads(done.stdout)["pages"]["added"] == 1, done.stderr
            declare(sandbox, self.desk())
            assert said(sandbox, instance) == "'desk' is changed."
            assert json.loads(environment.here("sync", "desk", "--json").stdout)["pages"]["added"] == 2

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ({"oldest": 1999}, "oldest"),
            ({"subjects_with": "two words"}, "is no word"),
            ({"subject": "x"}, "subject"),
            ({"token_variable": "DESK_TOKEN"}, "token_variable"),
            ({"path": ""}, "path"),
        ],
    )
    def test_what_it_does_not_take_is_refused_when_it_is_loaded(self, source: dict[str, Any], reason: str) -> None:
        with project("support") as sandbox:
            declare(sandbox, self.desk(**source))
            assert reason in refusal(sandbox)

    def test_each_of_its_attributes_has_a_description(self) -> None:
        from arcana_pipelines import ArcanaWorkspaces as Component

        (source,) = (
            part
            for name, part in Component.model().model_json_schema()["$defs"].items()
            if name.startswith("TicketDesk")
        )
        said = {name: attribute.get("description") for name, attribute in source["properties"].items()}
        assert said["oldest"] == "The first year whose tickets are read." and all(said.values())
