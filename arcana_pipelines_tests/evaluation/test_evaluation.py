"""Golden questions: read strictly, judged by page and passage, asked of any build, compared with a baseline."""

from __future__ import annotations

import csv
import json
import re
import uuid
from dataclasses import replace
from math import log2
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from arcana_pipelines.chunking.sizes import ChunkerSettings
from arcana_pipelines.cli.main import main
from arcana_pipelines.db.engine import Connection
from arcana_pipelines.defs.quality import retrieval_quality
from arcana_pipelines.defs.resources import ArcanaResource
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.errors import EmbeddingFailed, WrongUse
from arcana_pipelines.evaluation import quality
from arcana_pipelines.evaluation.drafts import Page, draft
from arcana_pipelines.evaluation.golden import Question, gains, holds, read_golden
from arcana_pipelines.evaluation.metrics import measure, ndcg, percentile, recall, reciprocal_rank
from arcana_pipelines.indexes import lifecycle
from arcana_pipelines.indexes.builds import Build, IndexSettings, builds_of
from arcana_pipelines.retrieval import query_embedders
from arcana_pipelines.retrieval.results import Hit, Place
from arcana_pipelines.testing.notion_server import NotionWorld
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.rerank_server import RerankingServer
from arcana_pipelines.workspaces import workspaces
from arcana_pipelines_tests.harness import Harness

A, B = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
LAMPS = (
    "A broken lamp is replaced by the facility team within two working days of the report that you send them. "
    "Until then somebody at the reception lends you one of the spare lamps from the cupboard behind the desk there, "
    "which goes back into the same cupboard together with its cable and its bulb when the work is done."
)


class TestMeasures:
    """Against figures worked out by hand."""

    def test_ndcg_is_grade_over_log_of_rank_over_the_ideal(self) -> None:
        found, ideal = [1, 0, 3], [3, 2, 1]
        expected = (1 / log2(2) + 3 / log2(4)) / (3 / log2(2) + 2 / log2(3) + 1 / log2(4))
        assert ndcg(found, ideal, 10) == pytest.approx(expected) == pytest.approx(0.525, abs=1e-4)
        assert ndcg([3, 2, 1], ideal, 10) == 1.0
        assert ndcg([0] * 10 + [3], ideal, 10) == 0.0, "rank 11 is too late"
        assert ndcg([1] * 12, [1] * 12, 10) == 1.0, "the ideal is cut at the same rank"

    def test_the_reciprocal_rank_is_that_of_the_first_relevant_one(self) -> None:
        assert reciprocal_rank([0, 0, 1, 3], 10) == pytest.approx(1 / 3)
        assert reciprocal_rank([0] * 10 + [1], 10) == 0.0

    def test_recall_is_the_share_of_all_that_is_relevant(self) -> None:
        assert recall([1, 0, 2, 0, 0, 1], relevant=4, k=5) == 0.5
        assert recall([1, 0, 2, 0, 0, 1], relevant=4, k=10) == 0.75

    def test_percentiles_are_values_that_were_measured(self) -> None:
        assert [percentile(list(range(1, 101)), percent) for percent in (50, 95, 99)] == [50, 95, 99]
        assert percentile([7.0], 50) == 7.0

    def test_every_measure_has_a_name(self) -> None:
        assert measure([1], [1]) == dict.fromkeys(("ndcg@10", "mrr@10", "recall@5", "recall@10", "recall@50"), 1.0)


class TestGoldenFiles:
    def read(self, *lines: str) -> list[Question]:
        return read_golden("\n".join(lines).encode())

    def test_relevant_pages_have_three_forms(self) -> None:
        long, short, graded = self.read(
            f'{{"query": "휴가는 며칠인가?", "relevant": [{{"external_id": "{A}", "passage": "5일", "grade": 3}}]}}',
            f'{{"query": "short", "relevant": ["{A}", "{B}"]}}',
            "",
            f'{{"query": "graded", "relevant": {{"{A}": 1, "{B}": 2}}}}',
        )
        assert (long.query, long.relevant[0].passage, long.ideal) == ("휴가는 며칠인가?", "5일", [3])
        assert [each.external_id for each in short.relevant] == [A, B] and short.ideal == [1, 1]
        assert graded.ideal == [2, 1]

    def test_ids_come_with_and_without_dashes_and_others_stay_as_they_are(self) -> None:
        (question,) = self.read(f'{{"query": "ids", "relevant": ["{A.replace("-", "").upper()}", "Ticket-7"]}}')
        assert [each.external_id for each in question.relevant] == [A, "Ticket-7"]

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ('{"query": "q"', "Invalid JSON"),
            ("[]", "object"),
            ('{"relevant": ["x"]}', "query: Field required"),
            ('{"query": "q"}', "relevant: Field required"),
            ('{"query": "q", "relevant": []}', "relevant"),
            ('{"query": " ?! ", "relevant": ["x"]}', "no word"),
            ('{"query": "q", "relevant": [""]}', "relevant.0.external_id"),
            ('{"query": "q", "relevant": {"x": 4}}', "relevant.0.grade"),
            ('{"query": "q", "relevant": {"x": true}}', "relevant.0.grade"),
            ('{"query": "q", "relevant": [{"external_id": "x", "passage": "***"}]}', "relevant.0.passage"),
            ('{"query": "q", "relevant": [{"page": "x"}]}', "relevant.0"),
            ('{"query": "q", "relevant": ["x"], "answer": "y"}', "answer"),
            ('{"query": "fine", "relevant": ["x"]}', "asks the same as line 1"),
        ],
    )
    def test_a_malformed_line_is_named_in_one_sentence(self, line: str, words: str) -> None:
        with pytest.raises(WrongUse, match=rf"^Line 3 .*{re.escape(words)}") as refused:
            self.read('{"query": "fine", "relevant": ["x"]}', "", line)
        assert "\n" not in str(refused.value)

    def test_bytes_that_are_no_text_and_files_without_questions_are_refused(self) -> None:
        with pytest.raises(WrongUse, match=r"Line 1 .* not UTF-8"):
            read_golden(b'{"query": "\xff"}')
        with pytest.raises(WrongUse, match="no golden questions"):
            read_golden(b"\n\n")

    def test_characters_that_no_database_takes_are_left_out(self) -> None:
        (question,) = self.read('{"query": "a\\u0000b", "relevant": ["x"]}')
        assert question.query == "ab"


class TestPassages:
    def test_markdown_case_and_spaces_do_not_matter(self) -> None:
        shown = "# Lamps\n\nA broken   lamp is replaced\nby the Facility team."
        assert holds(shown, "a **broken** lamp is [replaced](https://example.com/x) by the facility team")
        assert not holds(shown, "a broken chair is thrown away by whoever broke it")

    def test_a_passage_may_begin_and_end_inside_words(self) -> None:
        assert holds("경조휴가는 5일이며 배우자 출산은 10일이다.", "휴가는 5일")

    def test_either_half_of_a_passage_that_was_cut_in_two_shows_it(self) -> None:
        words = LAMPS.split()
        half = len(words) // 2
        for piece in (words[:half], words[half:]):
            assert holds(f"Other words before. {' '.join(piece)} And behind.", LAMPS)
        assert not holds(f"Other words before. {' '.join(words[:5])} and so on.", LAMPS)

    def test_a_chunk_inside_a_long_passage_shows_it(self) -> None:
        assert holds("replaced by the facility team", LAMPS)
        assert not holds("", LAMPS)


class TestGains:
    def hit(self, page: str, text: str, *duplicates: str) -> Hit:
        twins = [Place(twin, "", None) for twin in duplicates]
        return Hit(
            score=0.5, document_id="", external_id=page, kind="page", title="", url=None, link=None, path="",
            heading_path=[], position=0, text=text, version=1, last_edited_at=None, duplicates=twins,
        )  # fmt: skip

    def question(self, *relevant: dict[str, Any]) -> Question:
        return Question(query="lamps", relevant=relevant)  # type: ignore[arg-type]

    def test_a_page_counts_once_at_its_first_hit(self) -> None:
        question = self.question({"external_id": B, "grade": 2})
        hits = [self.hit(A, "one"), self.hit(A, "two"), self.hit(B, "three"), self.hit(B, "four"), self.hit("c", "")]
        assert gains(question, hits) == [0, 2, 0]

    def test_where_a_passage_answers_the_page_without_it_is_another_irrelevant_page(self) -> None:
        question = self.question({"external_id": A, "passage": LAMPS, "grade": 3})
        assert gains(question, [self.hit(A, "chairs"), self.hit(B, "x"), self.hit(A, LAMPS)]) == [0, 0, 3]
        assert gains(question, [self.hit(A, LAMPS), self.hit(A, LAMPS), self.hit(A, "chairs")]) == [3, 0]
        assert gains(question, [self.hit(B, LAMPS)]) == [0], "the same words on another page"

    def test_a_page_with_two_passages_is_one_page(self) -> None:
        question = self.question(
            {"external_id": A, "passage": "red lamps"}, {"external_id": A, "passage": "blue lamps", "grade": 2}
        )
        assert question.ideal == [2]
        assert gains(question, [self.hit(A, "red lamps"), self.hit(A, "blue lamps")]) == [1]

    def test_pages_that_a_hit_names_for_the_same_text_stand_behind_it(self) -> None:
        question = self.question({"external_id": B, "passage": LAMPS})
        assert gains(question, [self.hit(A, LAMPS, B), self.hit("c", "")]) == [0, 1, 0]


TOPICS = {
    "Swollen batteries": ("Disposal of batteries", "Put swollen batteries into the red box beside the loading dock."),
    "Broken lamps": ("Replacement of lamps", LAMPS),
    "Parking at the Berlin office": ("Guests by car", "Guests park on the second floor and show their code."),
    "경조사 휴가 규정": ("배우자 출산 휴가", "배우자가 출산하면 열흘의 유급 휴가를 쓸 수 있다."),
    "출장비 정산 방법": ("해외 출장 일비", "해외 출장 일비는 귀국한 날부터 일주일 안에 신청한다."),
    "로봇 충전 안전 수칙": ("충전기 과열", "충전기가 뜨거우면 즉시 전원을 뽑고 안전팀에 알린다."),
}
FILLER = "The committee met again and noted, as every quarter, that nothing else of this kind is to be decided. "


@pytest.fixture
def world() -> NotionWorld:
    """Six pages with a heading each, three of them in Korean; the answers stand deep in long text."""
    world = NotionWorld()
    for title, (heading, answer) in TOPICS.items():
        world.add_page(
            title,
            blocks=[
                blocks.paragraph(f"{title}: {FILLER * 2}"),
                blocks.heading(heading, 2),
                blocks.paragraph(answer),
                *(blocks.paragraph(f"{number}. {heading}. {FILLER * 3}") for number in range(6)),
            ],
        )
    world.clock.advance(600)
    return world


@pytest.fixture
def synced(acme: Harness) -> Harness:
    acme.sync()
    return acme


@pytest.fixture
def pages(synced: Harness) -> dict[str, str]:
    """The pages' ids by their titles."""
    return dict(synced.rows("SELECT title, external_id FROM source_page"))


class Quality:
    """The functions of `pipeline.quality` on one workspace."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.settings = harness.database.settings
        with harness.database.connection() as connection:
            self.workspace_id = workspaces.find(connection, harness.slug).workspace_id

    def builds(self) -> list[Build]:
        with self.harness.database.connection() as connection:
            return builds_of(connection, self.workspace_id)

    def evaluate(self, questions: list[Question], build: Build | None = None) -> quality.Evaluation:
        with self.harness.database.connection() as connection:
            return quality.evaluate(connection, self.settings, build or self.builds()[0], questions)

    def keep(self, questions: list[Question]) -> None:
        with self.harness.database.connection() as connection:
            quality.save_golden(connection, self.workspace_id, questions)

    def kept(self) -> list[Question]:
        with self.harness.database.connection() as connection:
            return quality.load_golden(connection, self.workspace_id)

    def gate(self, build: Build, asked: list[int] | None = None) -> list[str]:
        with self.harness.database.connection() as connection:
            return quality.gate(connection, self.settings, build, ([] if asked is None else asked).append)

    def suggest(self, limit: int) -> list[Question]:
        with self.harness.database.connection() as connection:
            return quality.suggest(connection, self.workspace_id, limit)

    def rebuilt(self, tokens: int) -> Build:
        """Another build, filled and waiting, with chunks of another size."""

        def change(held: IndexSettings) -> IndexSettings:
            return replace(held, chunker=ChunkerSettings.of_target(tokens))

        with self.harness.database.connection() as connection:
            lifecycle.rebuild_index(connection, self.workspace_id, "default", change)
        self.harness.fill()
        return self.builds()[-1]

    def results(self) -> list[tuple[Any, ...]]:
        return self.harness.rows(
            "SELECT rag_index_build_id, questions, is_baseline FROM retrieval_quality ORDER BY retrieval_quality_id"
        )


@pytest.fixture
def of_acme(synced: Harness) -> Quality:
    return Quality(synced)


@pytest.fixture
def questions(pages: dict[str, str]) -> list[Question]:
    """One a page, about the sentence below its heading."""
    return [
        Question(query=heading, relevant=({"external_id": pages[title], "passage": answer},))  # type: ignore[arg-type]
        for title, (heading, answer) in TOPICS.items()
    ]


def emptied(connection: Connection, build: Build, page: str) -> None:
    """A build that lost the chunks of a page."""
    connection.execute(
        "UPDATE chunk k SET deleted_at = now() FROM document_content c "
        "WHERE k.rag_index_build_id = %s AND c.document_content_id = k.document_content_id "
        "AND c.contents->>'external_id' = %s",
        [build.rag_index_build_id, page],
    )
    connection.execute(
        "DELETE FROM chunk_terms t USING chunk k WHERE t.rag_index_build_id = %s "
        "AND k.rag_index_build_id = t.rag_index_build_id AND k.document_chunk_id = t.document_chunk_id "
        "AND k.deleted_at IS NOT NULL",
        [build.rag_index_build_id],
    )


class TestEvaluation:
    def test_every_question_is_asked_by_every_ranking(self, of_acme: Quality, questions: list[Question]) -> None:
        found = of_acme.evaluate(questions)
        assert len(found.answers) == 6 and found.unknown == ()
        assert set(found.metrics) == {"fused", "dense", "lexical", "latency_ms"}
        assert found.metrics["fused"]["recall@10"] == 1.0
        assert found.metrics["latency_ms"]["p50"] <= found.metrics["latency_ms"]["p99"]
        json.dumps(found.to_dict())

    def test_questions_outlive_a_rebuild_with_chunks_of_another_size(
        self, of_acme: Quality, questions: list[Question]
    ) -> None:
        small = of_acme.rebuilt(32)
        texts = of_acme.harness.rows(
            "SELECT chunk_content FROM document_chunk WHERE rag_index_build_id = %s", small.rag_index_build_id
        )
        assert not any(LAMPS in text for (text,) in texts), "the passage is cut in two"
        assert of_acme.evaluate(questions, small).metrics["fused"]["recall@10"] == 1.0

    def test_pages_that_are_not_there_are_named_and_left_out(
        self, synced: Harness, of_acme: Quality, questions: list[Question], pages: dict[str, str]
    ) -> None:
        gone = pages["Broken lamps"]
        synced.world.trash(gone)
        synced.settle()
        synced.sync()
        never = str(uuid.UUID(int=7))
        half = Question(query="batteries", relevant=({"external_id": never}, *questions[0].relevant))  # type: ignore[arg-type]
        found = of_acme.evaluate([*questions, half])
        assert found.unknown == tuple(sorted((gone, never)))
        assert len(found.answers) == 6, "the question about nothing else is not asked"
        assert found.answers[-1].measures["fused"]["recall@50"] == 1.0

    def test_passages_that_their_page_does_not_say_are_named_and_left_out(
        self, of_acme: Quality, questions: list[Question], pages: dict[str, str]
    ) -> None:
        lamps = pages["Broken lamps"]
        wrong = {"external_id": lamps, "passage": "Lamps are repaired by whoever broke them"}
        only = Question(query="who repairs lamps", relevant=(wrong,))  # type: ignore[arg-type]
        right = {"external_id": lamps, "passage": LAMPS[:60]}
        half = Question(query="broken lamps", relevant=(wrong, right))  # type: ignore[arg-type]
        found = of_acme.evaluate([only, half])
        assert [answer.question.query for answer in found.answers] == ["broken lamps"], "it cannot be found"
        assert found.answers[0].measures["fused"]["recall@50"] == 1.0 and found.unknown == ()
        assert found.to_dict()["unsaid"] == [wrong, wrong]

    def test_another_workspace_s_pages_are_unknown(self, another: Any, questions: list[Question]) -> None:
        stranger = another("beta")
        stranger.world.add_page("Broken lamps", blocks=[blocks.paragraph(LAMPS)])  # it has the id of the first page
        stranger.sync()
        assert Quality(stranger).evaluate(questions[1:]).answers == ()

    def test_a_result_without_meaning_is_no_result(
        self, of_acme: Quality, questions: list[Question], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(*_: Any, **__: Any) -> Embedder:
            raise EmbeddingFailed("down")

        monkeypatch.setattr(query_embedders, "open_embedder", fails)
        with pytest.raises(EmbeddingFailed, match="golden questions"):
            of_acme.evaluate(questions)


class TestBaseline:
    def test_results_are_compared_on_the_questions_that_both_answered(
        self, of_acme: Quality, questions: list[Question]
    ) -> None:
        evaluation = of_acme.evaluate(questions)
        before = {questions[0].key: 1.0, questions[1].key: 0.5, "of a question that was changed": 0.0}
        found = quality.compare(evaluation, before)
        assert found is not None and (found.questions, found.before) == (2, 0.75)
        assert quality.compare(evaluation, {"other": 1.0}) is None

    @pytest.mark.parametrize(("now", "holds"), [(0.8, True), (0.791, True), (0.78, False)])
    def test_a_hundredth_is_tolerated(self, now: float, holds: bool) -> None:
        assert quality.Comparison(10, before=0.8, now=now).holds is holds

    def test_an_index_has_one_baseline_which_outlives_its_build(
        self, synced: Harness, of_acme: Quality, questions: list[Question]
    ) -> None:
        with synced.database.connection() as connection:
            for _ in range(2):
                quality.store(connection, of_acme.evaluate(questions), is_baseline=True)
            quality.store(connection, of_acme.evaluate(questions[:2]))
        first = of_acme.builds()[0].rag_index_build_id
        assert of_acme.results() == [(first, 6, False), (first, 6, True), (first, 2, False)]
        of_acme.rebuilt(32)
        with synced.database.connection() as connection:
            lifecycle.promote(connection, of_acme.workspace_id, "default")
        lifecycle.drop_builds(synced.database, [first])
        with synced.database.connection() as connection:
            held = quality.baseline(connection, of_acme.builds()[0])
        assert held is not None and len(held) == 6


class TestKeptQuestions:
    def test_they_are_what_was_kept_last(self, of_acme: Quality, questions: list[Question]) -> None:
        of_acme.keep(questions)
        assert {question.key for question in of_acme.kept()} == {question.key for question in questions}
        changed = questions[0].model_copy(update={"relevant": questions[1].relevant})
        of_acme.keep([changed, questions[2]])
        assert {question.key for question in of_acme.kept()} == {changed.key, questions[2].key}


class TestGate:
    def test_without_kept_questions_everything_passes(self, of_acme: Quality) -> None:
        asked: list[int] = []
        assert of_acme.gate(of_acme.rebuilt(32), asked) == [] and of_acme.results() == [] and asked == []

    def test_a_build_that_answers_as_well_passes_and_both_results_are_stored(
        self, of_acme: Quality, questions: list[Question]
    ) -> None:
        of_acme.keep(questions)
        build = of_acme.rebuilt(256)
        asked: list[int] = []
        assert of_acme.gate(build, asked) == [] and asked == [6], "who waits is told how many are asked"
        assert [row[:2] for row in of_acme.results()] == [(each.rag_index_build_id, 6) for each in of_acme.builds()]

    def test_one_that_answers_worse_does_not(
        self, synced: Harness, of_acme: Quality, questions: list[Question], pages: dict[str, str]
    ) -> None:
        of_acme.keep(questions)
        build = of_acme.rebuilt(256)
        with synced.database.connection() as connection:
            emptied(connection, build, pages["Broken lamps"])
        (problem,) = of_acme.gate(build)
        assert "on 6 golden questions" in problem

    def test_the_serving_build_and_questions_about_unknown_pages_decide_nothing(
        self, of_acme: Quality, questions: list[Question]
    ) -> None:
        of_acme.keep(questions)
        assert of_acme.gate(of_acme.builds()[0]) == []
        of_acme.keep([Question(query="lamps", relevant=({"external_id": A},))])  # type: ignore[arg-type]
        assert of_acme.gate(of_acme.rebuilt(32)) == []


class TestDrafts:
    def test_titles_and_headings_that_one_page_has_become_questions_that_are_answered(self, of_acme: Quality) -> None:
        drafts = of_acme.suggest(50)
        assert {each.query for each in drafts} == {*TOPICS, *(heading for heading, _ in TOPICS.values())}
        assert of_acme.suggest(50) == drafts
        lamps = next(each for each in drafts if each.query == "Replacement of lamps")
        assert lamps.relevant[0].passage == LAMPS[: LAMPS.index(" Until")]
        assert of_acme.evaluate(drafts).metrics["fused"]["recall@10"] == 1.0

    def test_what_two_pages_are_called_and_what_says_too_little_is_left_out(self) -> None:
        named = [Page(page, "Weekly meeting", "# Notes\n\nx\n\n## 용어\n\n## 2024-01-05 12:00") for page in (A, B)]
        assert draft(
            [*named, Page("c", "Untitled", "# **WEEKLY** meeting\n\n# Lamps and bulbs\n\n| a |\n| - |")], 9
        ) == [
            Question(query="Lamps and bulbs", relevant=({"external_id": "c"},))  # type: ignore[arg-type]
        ]

    def test_a_passage_is_a_sentence_without_its_list_marker(self) -> None:
        text = "# What to do first\n\n1. Pull the plug of it.\n2. Call.\n\n# What to do then\n\n- [ ] Wait.\n\n- Wait."
        drafts = draft([Page(A, "", text)], 9)
        assert {each.query: each.relevant[0].passage for each in drafts} == {
            "What to do first": "Pull the plug of it.",
            "What to do then": None,
        }

    def test_a_few_drafts_keep_the_proportion_of_languages_and_come_from_different_pages(self) -> None:
        english = [Page(f"e{number}", f"English page number {number}", "# ") for number in range(30)]
        korean = [Page(f"k{number}", f"한국어 문서 번호 {number}", f"# 한국어 제목 {number}") for number in range(5)]
        drafts = draft([*english, *korean], 12)
        assert len(drafts) == 12
        assert sum(each.query.startswith("한국어") for each in drafts) == 3
        assert len({each.relevant[0].external_id for each in drafts}) == 12

    def test_of_nothing_there_is_nothing_to_draft(self) -> None:
        assert draft([], 10) == []


@pytest.fixture
def here(synced: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to call `arcana` in, on this test's database."""
    settings = synced.database.settings
    assert settings.database_url is not None
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("ARCANA_HOME", str(settings.home))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestCommand:
    @pytest.fixture
    def run(self, here: Path, capsys: pytest.CaptureFixture[str]) -> Any:
        def run(*arguments: str, code: int = 0) -> tuple[str, str]:
            with pytest.raises(SystemExit) as ended:
                main(["eval", "acme", *arguments])
            said = capsys.readouterr()
            assert (ended.value.code or 0) == code, said.out + said.err
            return said.out, said.err

        return run

    def test_suggested_questions_are_evaluated_kept_and_asked_again(self, run: Any, here: Path) -> None:
        drafts, hint = run("--suggest", "--limit", "8")
        assert "Look through them" in hint
        (here / "golden.jsonl").write_text(drafts, encoding="utf-8")
        found = json.loads(run("golden.jsonl", "--keep", "--baseline", "--json")[0])
        assert set(found) == {
            "workspace", "index", "build", "questions", "unknown", "unsaid", "metrics", "latency_ms", "per_query",
            "baseline",
        }  # fmt: skip
        assert found["questions"] == 8 and found["metrics"]["fused"]["recall@10"] == 1.0
        assert set(found["per_query"][0]) == {"query", "fused", "dense", "lexical", "difference"}
        again = json.loads(run("--json", "--csv", str(here / "measures.csv"))[0])
        with (here / "measures.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 8 * 3 * 5 and list(rows[0]) == ["question", "key", "query", "ranking", "measure", "value"]
        fused = [float(row["value"]) for row in rows if (row["ranking"], row["measure"]) == ("fused", "ndcg@10")]
        assert sum(fused) / 8 == pytest.approx(again["metrics"]["fused"]["ndcg@10"], abs=1e-4)
        assert again["baseline"] == {
            "questions": 8,
            "before": found["metrics"]["fused"]["ndcg@10"],
            "now": found["metrics"]["fused"]["ndcg@10"],
            "holds": True,
        }

    def test_below_the_baseline_the_exit_code_is_3_until_a_new_one_is_set(
        self, run: Any, here: Path, synced: Harness, of_acme: Quality, questions: list[Question], pages: dict[str, str]
    ) -> None:
        of_acme.keep(questions)
        run("--baseline")
        with synced.database.connection() as connection:
            emptied(connection, of_acme.builds()[0], pages["경조사 휴가 규정"])
        out, _ = run(code=3)
        assert "is below the baseline" in out and "배우자 출산 휴가" in out
        assert json.loads(run("--json", code=3)[0])["baseline"]["holds"] is False
        run("--baseline")
        run()

    def test_another_fusion_or_a_reranker_is_tried_without_a_trace(
        self, run: Any, of_acme: Quality, questions: list[Question], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_acme.keep(questions)
        assert "RERANKER_URL" in run("--rerank", code=2)[1]
        run("--fusion", "rrf", "--baseline", code=2)
        assert "baseline" not in run("--fusion", "rrf")[0]
        with RerankingServer() as server:
            monkeypatch.setenv("RERANKER_URL", server.url)
            found = json.loads(run("--rerank", "--json")[0])
            assert found["questions"] == 6 and len(server.requests) == 12, "ranked once, timed once"
            run()
            assert len(server.requests) == 12, "an index is judged by itself"
            server.answers = [(503, "loading")]
            assert "cannot be judged" in run("--rerank", code=1)[1]
        assert [row[1:] for row in of_acme.results()] == [(6, False)]

    def test_any_build_of_the_index_can_be_asked(self, run: Any, of_acme: Quality, questions: list[Question]) -> None:
        of_acme.keep(questions)
        build = of_acme.rebuilt(32).rag_index_build_id
        assert json.loads(run("--build", str(build), "--json")[0])["build"] == build
        assert "no build 99" in run("--build", "99", code=2)[1]

    def test_wrong_use_is_one_sentence_and_evaluates_nothing(self, run: Any, here: Path, of_acme: Quality) -> None:
        assert "No golden questions are kept" in run(code=2)[1]
        (here / "bad.jsonl").write_text('{"query": "q"}\n', encoding="utf-8")
        assert "Line 1" in json.loads(run("bad.jsonl", "--keep", "--json", code=2)[0])["error"]
        (here / "strange.jsonl").write_text(f'{{"query": "q", "relevant": ["{A}"]}}\n', encoding="utf-8")
        assert "name no page" in run("strange.jsonl", "--keep", code=2)[1]
        for arguments in (["nothing.jsonl"], ["--keep"], ["--suggest", "--baseline"], ["--suggest", "--csv", "x.csv"]):
            run(*arguments, code=2)
        assert of_acme.results() == [] and of_acme.kept() == []


class TestAsset:
    def materialized(self) -> dg.ExecuteInProcessResult:
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("arcana_workspace", ["acme"])
            return dg.materialize(
                [retrieval_quality],
                partition_key="acme",
                instance=instance,
                resources={"arcana": ArcanaResource()},
                raise_on_error=False,
            )

    def metadata(self, result: dg.ExecuteInProcessResult) -> dict[str, Any]:
        (event,) = result.get_asset_materialization_events()
        return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}

    @pytest.mark.usefixtures("here")
    def test_without_questions_the_check_reports_nothing(self) -> None:
        result = self.materialized()
        assert result.success and not result.get_asset_check_evaluations()
        assert self.metadata(result)["questions"] == 0

    @pytest.mark.usefixtures("here")
    def test_the_serving_build_s_measures_are_metadata_and_below_the_baseline_the_run_fails(
        self, synced: Harness, of_acme: Quality, questions: list[Question], pages: dict[str, str]
    ) -> None:
        of_acme.keep(questions)
        evaluation = of_acme.evaluate(questions)
        with synced.database.connection() as connection:
            quality.store(connection, evaluation, is_baseline=True)
        result = self.materialized()
        assert result.success
        metadata = self.metadata(result)
        assert metadata["questions"] == 6
        assert metadata["default fused ndcg@10"] == evaluation.metrics["fused"]["ndcg@10"]
        assert metadata["default latency_ms p95"] > 0

        with synced.database.connection() as connection:
            emptied(connection, of_acme.builds()[0], pages["Broken lamps"])
        result = self.materialized()
        (check,) = result.get_asset_check_evaluations()
        assert not check.passed and check.blocking
        ((event),) = result.get_asset_materialization_events()
        worst = event.step_materialization_data.materialization.metadata["default worst queries"]
        assert "Replacement of lamps" in [record.data["query"] for record in worst.records]
        (compared,) = check.metadata["indexes"].records
        assert compared.data["index"] == "default" and compared.data["now"] < compared.data["before"]
        assert len(of_acme.results()) == 3
