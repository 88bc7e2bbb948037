"""Private notes through every door: for keys with the scope `notes`, and as if they were not there for all others."""

from __future__ import annotations

import pytest

from arcana_pipelines_tests.private_notes import NOTE, NotesWorkspace
from arcana_pipelines_tests.web.conftest import Api

DOCUMENTS = "/v1/workspaces/desk/documents"


@pytest.fixture
def notes(api: Api) -> NotesWorkspace:
    return NotesWorkspace.beside(api.acme)


class TestDocuments:
    def test_are_listed_and_read_with_the_scope(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", "notes", slug="desk") as client:
            listed = client.get(DOCUMENTS).json()["documents"]
            read = client.get(f"{DOCUMENTS}/20-notes").json()
        assert {"20", "20-notes", "21", "21-notes", "22"} <= {each["external_id"] for each in listed}
        assert NOTE.strip() in read["text"] and read["kind"] == "notes"

    def test_are_as_if_they_were_not_there_without_it(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", slug="desk") as client:
            listed = client.get(DOCUMENTS).json()["documents"]
            there, missing = client.get(f"{DOCUMENTS}/20-notes"), client.get(f"{DOCUMENTS}/23-notes")
        assert {each["external_id"] for each in listed if each["kind"] != "file"} == {"20", "21", "22"}
        assert there.status_code == missing.status_code == 404
        assert there.json()["detail"] == missing.json()["detail"].replace("23-notes", "20-notes")

    def test_a_scope_for_one_workspace_opens_no_notes_of_another(self, api: Api, notes: NotesWorkspace) -> None:
        with api.client("read", "notes", slug="acme") as client:
            assert client.get(f"{DOCUMENTS}/20").status_code == 404
