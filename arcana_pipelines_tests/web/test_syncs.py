"""Syncs are asked for over HTTP; the sensor of the installation starts them."""

from __future__ import annotations

from arcana_pipelines.ledger import generations
from arcana_pipelines.ledger.polling import poll_and_record
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines.workspaces.workspaces import Workspace
from arcana_pipelines_tests.web.conftest import Api

ASK = "/v1/workspaces/acme/sync"


def needy(api: Api) -> list[str]:
    """The workspaces for which the sensor asks for a run."""
    with api.acme.database.connection() as connection:
        return [row.slug for row in workspaces.in_need_of_sync(connection)]


def acme(api: Api) -> Workspace:
    with api.acme.database.connection() as connection:
        return workspaces.find(connection, "acme")


def test_a_sync_has_its_number_before_it_begins_and_can_be_followed_to_its_end(api: Api) -> None:
    with api.client("sync") as client:
        assert client.get("/v1/workspaces/acme/syncs/1").json()["state"] == "finished"
        assert client.get("/v1/workspaces/acme/syncs/2").status_code == 404 and needy(api) == []
        asked = client.post(ASK)
        assert asked.status_code == 202 and asked.json()["generation"] == 2
        follow = asked.headers["location"]
        waiting = client.get(follow).json()
        assert waiting["state"] == "waiting" and waiting["asked_at"] and needy(api) == ["acme"]
        api.acme.world.add_page("Parking", blocks="Park behind the house.")
        api.acme.sync()
        done = client.get(follow).json()
        assert (done["state"], done["mode"], done["asked_at"]) == ("finished", "incremental", None)
        assert done["pages"]["added"] == 1 and done["listing_complete"] and done["finished_at"] > done["started_at"]
        assert needy(api) == [] and client.get("/v1/workspaces/acme/syncs/3").status_code == 404


def test_asked_twice_it_is_one_sync_and_beside_one_that_is_at_work_it_is_the_next(api: Api) -> None:
    with api.client("sync") as client:
        assert client.post(ASK).json()["generation"] == client.post(ASK).json()["generation"] == 2
        with api.acme.database.connection() as connection:
            generations.begin(connection, acme(api).workspace_id, Mode.INCREMENTAL)
        assert client.post(ASK).json()["generation"] == 3
        assert needy(api) == ["acme"]
        assert client.get("/v1/workspaces/acme/syncs/2").json()["state"] == "ended", "nobody is at work on it"


def test_a_look_that_finds_nothing_new_and_an_estimate_forget_none(api: Api) -> None:
    with api.client("sync") as client:
        client.post(ASK)
    poll_and_record(api.acme.database, acme(api))
    assert needy(api) == ["acme"]
    with api.acme.database.connection() as connection:
        generations.begin(connection, acme(api).workspace_id, Mode.INCREMENTAL, is_estimate=True)
    assert needy(api) == ["acme"]


def test_one_that_does_not_begin_says_what_to_look_at(api: Api) -> None:
    with api.client("sync") as client:
        assert client.post(ASK).json()["problems"] == []
        with api.acme.database.connection() as connection:
            connection.execute("UPDATE workspace SET sync_asked_at = now() - interval '3 minutes'")
        (problem,) = client.get("/v1/workspaces/acme/syncs/2").json()["problems"]
    assert "arcana status --check" in problem


def test_while_one_is_at_work_it_says_so(api: Api) -> None:
    with api.client("sync") as client, api.acme.session() as session:
        generations.begin(session.connection, session.workspace.workspace_id, Mode.FULL)
        assert client.get("/v1/workspaces/acme/syncs/2").json()["state"] == "running"


def test_a_paused_workspace_is_not_synced(api: Api) -> None:
    with api.acme.database.connection() as connection:
        workspaces.set_status(connection, acme(api).workspace_id, "paused")
    with api.client("sync") as client:
        refused = client.post(ASK)
    assert refused.status_code == 409 and "arcana workspace resume" in refused.json()["detail"] and needy(api) == []


def test_a_sync_is_asked_for_its_own_company_alone(api: Api) -> None:
    with api.client("sync") as client:
        assert client.post("/v1/workspaces/globex/sync").status_code == 404
        assert client.get("/v1/workspaces/globex/syncs/1").status_code == 404
    assert needy(api) == []
