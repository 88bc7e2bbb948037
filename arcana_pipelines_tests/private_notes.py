"""A workspace of tickets with private notes: nothing of the notes may be told to who may not see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any
from uuid import UUID

from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import Capabilities, FetchedPage, FileRef, Listing, Mode, PageRef
from arcana_pipelines_tests.harness import Harness
from arcana_pipelines_tests.pipeline.test_tickets import Desk, Ticket

SLUG = "desk"
# In everything that only the notes have: their text, and the name and the text of a file that hangs on one. The last
# one is one letter away from what tickets say.
SECRETS = ("zirkonquark", "쏙독새약속", "owlet-ledger", "batterien")
NOTE = (
    "The zirkonquark of this customer is overdue: 쏙독새약속 was given by telephone, and batterien were refused. "
    "Nobody outside may hear of it. "
)
PAPER = "<html><body><h1>Ledger</h1><p>What the zirkonquark owes: 4,711 crowns, the whole of it.</p></body></html>"
MANUAL = "<html><body><h1>Manual</h1><p>Hold the red button for nine seconds to reset the gripper.</p></body></html>"


@dataclass
class NotesDesk(Desk):
    """A desk whose tickets have files: those of customers, and those of notes."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)  # document → name → text

    @property  # type: ignore[override]
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, lists_files=True)

    def enumerate(
        self, mode: Mode, cursor: str | None, is_unchanged: Callable[[Sequence[PageRef]], Sequence[bool]]
    ) -> Listing:
        listing = super().enumerate(mode, cursor, is_unchanged)
        listing.batches = iter([[_asked(ref) for ref in batch] for batch in listing.batches])
        return listing

    def fetch(self, ref: PageRef) -> FetchedPage:
        page = super().fetch(ref)
        assert page.companions is not None
        companions = tuple(
            (
                replace(_asked(note), properties=_property("Visibility", "private") | _property("Zirkonquark", "yes")),
                self._with_files(note.external_id, body),
            )
            for note, body in page.companions
        )
        return replace(self._with_files(ref.external_id, page), companions=companions)

    def _with_files(self, document: str, page: FetchedPage) -> FetchedPage:
        names = self.files.get(document, {})
        return replace(page, files=tuple(FileRef(f"/{document}/{name}", name, f"{document}|{name}") for name in names))

    def download(self, file: FileRef, target: IO[bytes], most: int) -> None:
        document, _, name = file.address.partition("|")
        target.write(self.files[document][name].encode())


def _asked(ref: PageRef) -> PageRef:
    """With an address, and what people filter by."""
    url = f"https://desk.example.com/tickets/{ref.external_id}"
    return replace(ref, url=url, properties={**ref.properties, **_property("Priority", "High")})


def _property(name: str, text: str) -> dict[str, dict[str, Any]]:
    return {name: {"type": "select", "text": text, "value": text, "hidden": True}}


@dataclass
class NotesWorkspace:
    """The workspace `desk`, and how it is synced again."""

    harness: Harness
    desk: NotesDesk

    @classmethod
    def beside(cls, harness: Harness) -> NotesWorkspace:
        """One of the same company as another one, synced: three tickets, two of them with notes."""
        made = Harness.register(harness.database, harness.world, harness.server, SLUG)
        desk = NotesDesk()
        desk.tickets["20"] = Ticket(
            "Gripper stops", [("public", "customer", "The gripper stops and its battery is warm."),
                              ("public", "agent", "Replace the cable of the second joint."),
                              ("private", "agent", NOTE)],
        )  # fmt: skip
        desk.tickets["21"] = Ticket(
            "로봇이 멈춥니다", [("public", "customer", "로봇이 충전되지 않고 멈춥니다."),
                               ("private", "agent", "쏙독새약속에 따라 무상으로 교체한다. zirkonquark.")],
        )  # fmt: skip
        desk.tickets["22"] = Ticket("Invoice", [("public", "customer", "Where is the invoice of the gripper?")])
        desk.files["20"] = {"manual.html": MANUAL}
        desk.files["20-notes"] = {"owlet-ledger.html": PAPER, "manual-owlet-ledger.html": MANUAL}
        workspace = cls(made, desk)
        workspace.sync()
        return workspace

    def sync(self) -> None:
        """Bring the index up to date with the desk."""
        with workspace_session(
            self.harness.database, SLUG, open_source=lambda workspace, database: self.desk
        ) as session:
            sync(session, SyncRequest())

    def document(self, external_id: str) -> UUID:
        """The id of the document of a ticket, or of its notes."""
        asked = "SELECT p.document_id FROM source_page p JOIN workspace w USING (workspace_id) WHERE w.slug = %s AND "
        ((found,),) = self.harness.rows(asked + "p.external_id = %s", SLUG, external_id)
        return UUID(str(found))

    def file(self, name: str) -> UUID:
        """The id of the document of a file."""
        ((found,),) = self.harness.rows("SELECT document_id FROM source_file WHERE name = %s", name)
        return UUID(str(found))

    def chunks(self, document: UUID) -> list[int]:
        """The ids of the chunks of a document."""
        asked = (
            "SELECT k.document_chunk_id FROM document_chunk k JOIN document_content c USING (document_content_id) "
            "WHERE c.document_id = %s ORDER BY 1"
        )
        return [chunk for (chunk,) in self.harness.rows(asked, document)]
