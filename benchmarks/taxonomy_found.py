"""How well topics are found that nobody gave: `python benchmarks/taxonomy_found.py` (about five minutes).

The sample's handbook and tickets lie in one workspace without their tree, properties and files' names, so that the text
alone says what they are about. Two questions with known answers:

- sections: each page of the handbook is about the section that it stands in. A section is called as it is, with its
  name in the other language and the first sentence of its own page.
- topics: pages, files and tickets by the sample's taxonomy of 25 topics (`demo/taxonomy.csv`). What is right stands
  below, written down before anything was found; where two topics are right, both are.

Then somebody who knows the answers accepts and rejects what is suggested for seven eighths of the documents, round by
round, until there are 50 decisions; the others are classified by them. Each eighth has its turn. Everything goes
through the product.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from index_build import installation, registered_with, run_stages
from machine import print_machine

from arcana_pipelines import demo
from arcana_pipelines.classification.calibration import LEAST_DECISIONS
from arcana_pipelines.classification.classify import classify
from arcana_pipelines.classification.review import decide, queue
from arcana_pipelines.classification.topic_vectors import is_foreign
from arcana_pipelines.db.engine import Connection, Database
from arcana_pipelines.embedding.catalogue import MULTILINGUAL_MODEL, SMALL_MODEL, dimensions_of
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.indexes.builds import IndexSettings
from arcana_pipelines.pipeline import registration
from arcana_pipelines.pipeline.session import workspace_session
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.sources.protocol import Mode
from arcana_pipelines.taxonomy import versions
from arcana_pipelines.taxonomy.exchange.formats import read_file
from arcana_pipelines.taxonomy.nodes import GivenNode

SAMPLE = Path(demo.__file__).parent
FOLDS = 8
ROUNDS = 10
LENIENT = 0.8  # beside the usual threshold

# A section, its name in the other language, and how its own page begins.
SECTIONS = {
    "People": (
        "사람",
        "The People team looks after everyone from the first interview to the last day.",
    ),
    "일하는 방식": ("How we work", "서울과 베를린이 함께 일하려면 규칙은 적고 분명해야 합니다."),
    "보안과 데이터": ("Security and data", "고객은 우리에게 창고 지도와 물동량을 맡깁니다."),
    "Product": ("제품", "What we sell, how to handle it safely and how we help customers."),
    "Engineering": ("개발", "Forty-nine engineers in six teams build the robots and the software that moves them."),
    "Projects": ("프로젝트", ""),
}

# What documents are about, by the sample's taxonomy: pages and files by title, tickets by number.
ABOUT = {
    "People": ("People"),
    "People/Hiring and onboarding": ("Hiring process, Onboarding checklist, 성수 오피스 첫 주 안내"),
    "People/Time off": ("Vacation policy, 경조사 및 특별휴가"),
    "People/Pay and reviews": ("Performance reviews, 복리후생"),
    "Workplace": ("일하는 방식, 부서별_예산_2026.xlsx"),
    "Workplace/Remote work and meetings": ("회의 운영 원칙, 재택근무 지침"),
    "Workplace/Travel and expenses": (
        "베를린 출장 안내, 출장 규정, 경비 정산, 여비_기준표_2026.pdf, 부서별_예산_2026.xlsx"
    ),
    "Workplace/Offices and equipment": ("장비 지급 및 교체, Berlin office guide, 사무실 안내"),
    "Workplace/Security and privacy": (
        "Data requests from EU customers, 보안과 데이터, 데이터 보관 및 파기, 정보보안 정책, 정보보안_서약서.hwpx"
    ),
    "Engineering": ("Engineering, 성수 테스트 존 확장"),
    "Engineering/Development and releases": (
        "Release process, 개발 환경 설정, Code review, 성수 테스트 존 확장, 1220, 1227"
    ),
    "Engineering/Incidents and on-call": ("Fleet alert runbook, On-call, Incident response"),
    "Robots": ("Product overview, Product"),
    "Robots/Motion": ("1203, 1209, 1211, 1212, 1213, 1220, 1222, 1223"),
    "Robots/Power/Batteries": ("배터리 취급, BP-60 배터리 양산, 1214"),
    "Robots/Power/Charging docks": ("1201, 1204, 1207, 1219"),
    "Robots/Safety": (
        "로봇 안전 수칙, Safety recertification 2026, 현장 교육 콘텐츠 개편, Daily_safety_checklist.docx, 1230"
    ),
    "Nuri/Accounts and log-in": ("1202, 1208, 1215, 1225"),
    "Nuri/Maps and orders": ("Nuri map editor rewrite, 1205, 1206, 1210, 1216"),
    "Customers": ("Product"),
    "Customers/Contracts and support": (
        "Support tiers, 현장 교육 콘텐츠 개편, 야간 무인 운영 실증, HR-450 Busan pilot"
    ),
    "Customers/Parts and deliveries": ("Berlin spare parts hub, 1201, 1218, 1221, 1224, 1228, 1229"),
    "Customers/Invoices": ("1217, 1226"),
}


@dataclass(frozen=True)
class Text:
    """A document, and its section in the handbook (empty: it is none of its pages)."""

    name: str
    title: str
    text: str
    section: str


@dataclass
class Found:
    """What was found of documents whose answers are known."""

    documents: int = 0
    first: int = 0
    right: int = 0
    among: int = 0
    assigned: int = 0
    assigned_right: int = 0
    foreign: int = 0
    decisions: list[int] = field(default_factory=list)

    def line(self, name: str) -> str:
        readable = self.documents - self.foreign
        cells = (
            f"{self.documents}" + (f" ({self.foreign} not read)" if self.foreign else ""),
            _share(self.first, readable),
            _share(self.right, self.first),
            _share(self.among, self.first),
            _share(self.assigned, readable) if self.decisions else "–",
            _share(self.assigned_right, self.assigned) if self.decisions else "–",
            "–" if not self.decisions else ", ".join(map(str, self.decisions)),
        )
        return f"| {name} | {' | '.join(cells)} |"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2f} ({part} of {whole})" if whole else "–"


def texts_of_sample(database: Database) -> list[Text]:
    """What the samples say, read by the product: pages, files, tickets."""
    index = IndexSettings.of_model(SMALL_MODEL, dimensions_of(SMALL_MODEL))
    sources = {"handbook": ("notion_export", {"path": str(SAMPLE / "handbook")}), "helpdesk": ("sample_helpdesk", {})}
    for slug, (platform, config) in sources.items():
        registration.register(
            database, slug, platform, index, lambda _: None, lambda _: None, source_config=dict(config)
        )
        with workspace_session(database, slug) as session:
            sync(session, SyncRequest(Mode.FULL))
    with database.connection() as connection:
        rows = connection.execute(
            "WITH RECURSIVE above AS (SELECT external_id, workspace_id, document_id, title, kind, "
            "  ARRAY[title] AS path FROM source_page p WHERE NOT EXISTS (SELECT FROM source_page o "
            "  WHERE o.workspace_id = p.workspace_id AND o.external_id = p.parent_external_id) "
            "  UNION ALL SELECT p.external_id, p.workspace_id, p.document_id, p.title, p.kind, above.path || p.title "
            "  FROM above JOIN source_page p ON p.workspace_id = above.workspace_id "
            "  AND p.parent_external_id = above.external_id), "
            "named AS (SELECT document_id, external_id AS name, title, kind, path FROM above UNION ALL "
            "  SELECT f.document_id, f.name, f.name, 'file', above.path || f.name FROM source_file f "
            "  JOIN above ON above.workspace_id = f.workspace_id AND above.external_id = f.page_external_id) "
            "SELECT named.kind, named.name, named.title, c.contents->>'text', named.path[2] FROM named "
            "JOIN document d USING (document_id) "
            "JOIN document_content c ON c.document_content_id = d.latest_content_id "
            "WHERE named.kind IN ('page', 'row', 'file', 'ticket') AND cardinality(named.path) > 1 "
            "  OR named.kind = 'ticket' ORDER BY named.name"
        ).fetchall()
    return [
        Text(name if kind == "ticket" else title, title, text, "" if kind == "ticket" or title == section else section)
        for kind, name, title, text, section in rows
    ]


def by_sections(texts: Sequence[Text]) -> tuple[list[GivenNode], dict[str, set[str]]]:
    nodes = [
        GivenNode((name,), definition=about or None, labels={"xx": other}) for name, (other, about) in SECTIONS.items()
    ]
    return nodes, {text.name: {text.section} for text in texts if text.section in SECTIONS}


def by_topics(texts: Sequence[Text]) -> tuple[list[GivenNode], dict[str, set[str]]]:
    right: dict[str, set[str]] = {}
    for path, names in ABOUT.items():
        for name in names.split(", "):
            right.setdefault(name, set()).add(path)
    return list(read_file(SAMPLE / "taxonomy.csv").nodes), {
        text.name: right[text.name] for text in texts if text.name in right
    }


class World:
    """A workspace of texts, whose topics are found."""

    def __init__(
        self, database: Database, slug: str, model: str, texts: Sequence[Text], nodes: list[GivenNode],
        right: dict[str, set[str]],
    ) -> None:  # fmt: skip
        self.database, self.model, self.right = database, model, right
        self.texts = {text.name: text for text in texts if text.name in right}
        index = IndexSettings.of_model(model, dimensions_of(model))
        documents = [(text.name, text.title, text.text) for text in self.texts.values()]
        self.workspace_id = registered_with(database, slug, documents, index)
        run_stages(database, slug)
        with database.connection() as connection:
            draft = versions.store_draft(connection, self.workspace_id, nodes)
            versions.promote(connection, self.workspace_id, draft.version)

    def classify(self, connection: Connection) -> int:
        return classify(connection, self.workspace_id, partial(open_embedder, self.database.settings)).decisions

    def count(self, connection: Connection, names: Sequence[str], found: Found) -> None:
        """Count what is suggested first, what else, and what is assigned, of some documents."""
        rows = connection.execute(
            "SELECT p.external_id, array_to_string(t.path, '/'), t.hitl_required FROM doc_taxonomy t "
            "JOIN source_page p ON p.document_id = t.doc_id WHERE t.workspace_id = %s AND t.origin = 'nearest' "
            "AND p.external_id = ANY(%s) ORDER BY t.confidence DESC, t.score DESC",
            [self.workspace_id, list(names)],
        ).fetchall()
        suggested: dict[str, list[str]] = {}
        for name, path, waits in rows:
            suggested.setdefault(name, []).append(path)
            found.assigned += not waits
            found.assigned_right += not waits and path in self.right[name]
        found.documents += len(names)
        found.foreign += sum(self.model == SMALL_MODEL and is_foreign(self._begin(name)) for name in names)
        found.first += len(suggested)
        found.right += sum(paths[0] in self.right[name] for name, paths in suggested.items())
        found.among += sum(bool(self.right[name].intersection(paths)) for name, paths in suggested.items())

    def review(self, connection: Connection, names: Sequence[str]) -> int:
        """Accept and reject what is suggested first for some documents until enough was decided."""
        for _ in range(ROUNDS):
            for row in queue(connection, self.workspace_id, limit=100).rows:
                if row.external_id in names:
                    verdict = "accepted" if "/".join(row.path) in self.right[row.external_id] else "rejected"
                    decide(connection, self.workspace_id, row.document_id, row.node_id, verdict, "somebody who knows")
            if (decisions := self.classify(connection)) >= LEAST_DECISIONS:
                return decisions
        return 0

    @contextmanager
    def lenient(self, connection: Connection) -> Iterator[None]:
        """More is assigned without a question meanwhile."""
        connection.execute(
            "INSERT INTO taxonomy_settings (workspace_id, accept_at) VALUES (%s, %s)", [self.workspace_id, LENIENT]
        )
        yield
        connection.execute("DELETE FROM taxonomy_settings WHERE workspace_id = %s", [self.workspace_id])

    def forget(self, connection: Connection) -> None:
        """Nobody has said or found anything."""
        for table in ("taxonomy_decision", "doc_taxonomy", "taxonomy_classified"):
            connection.execute(f"DELETE FROM {table} WHERE workspace_id = %s", [self.workspace_id])

    def _begin(self, name: str) -> str:
        text = self.texts[name]
        return f"{text.title}\n{text.text}"[:1000]


def measure(database: Database, model: str, what: str, texts: Sequence[Text], make: Callable[..., object]) -> None:
    nodes, right = by_sections(texts) if make is by_sections else by_topics(texts)
    world = World(database, f"{what}-{'small' if model == SMALL_MODEL else 'many'}", model, texts, nodes, right)
    names = sorted(world.texts)
    before, after, lenient = Found(), Found(), Found()
    with database.connection() as connection:
        world.classify(connection)
        world.count(connection, names, before)
        print(before.line(f"{what}, {model}: before"), flush=True)
        for fold in range(FOLDS):
            world.forget(connection)
            world.classify(connection)
            held_out = names[fold::FOLDS]
            decisions = world.review(connection, [name for name in names if name not in held_out])
            if not decisions:
                print(f"| {what}, {model}: after | too few documents for {LEAST_DECISIONS} decisions | | | | | | |")
                return
            after.decisions.append(decisions)
            lenient.decisions.append(decisions)
            world.count(connection, held_out, after)
            with world.lenient(connection):
                world.classify(connection)
                world.count(connection, held_out, lenient)
        print(after.line(f"{what}, {model}: after"), flush=True)
        print(lenient.line(f"{what}, {model}: after, --accept-at {LENIENT}"), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=("sections", "topics"), help="of one alone")
    parser.add_argument("--model", choices=(SMALL_MODEL, MULTILINGUAL_MODEL), help="of one alone")
    given = parser.parse_args()
    print_machine()
    with installation() as database:
        texts = texts_of_sample(database)
        print(
            "\n| | documents | something suggested | the first is right | one of three is | assigned | of these right "
            "| decisions |\n| --- | --- | --- | --- | --- | --- | --- | --- |",
            flush=True,
        )
        for model in (given.model,) if given.model else (MULTILINGUAL_MODEL, SMALL_MODEL):
            for what, make in (("sections", by_sections), ("topics", by_topics)):
                if given.what in (None, what):
                    measure(database, model, what, texts, make)
    return 0


if __name__ == "__main__":
    sys.exit(main())
