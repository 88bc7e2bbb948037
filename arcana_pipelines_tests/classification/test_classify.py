"""Documents get their topics once: by what people said, by rules, by what is nearest; and again when that changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest

from arcana_pipelines.classification import classify as classify_
from arcana_pipelines.classification import topic_vectors
from arcana_pipelines.classification.classify import ClassificationReport
from arcana_pipelines.classification.conditions import Conditions
from arcana_pipelines.classification.rules import add_rule, remove_rule
from arcana_pipelines.classification.topic_vectors import topic_texts
from arcana_pipelines.embedding.prices import PricingPolicy
from arcana_pipelines.embedding.protocol import Embedded, Vectors
from arcana_pipelines.errors import EmbeddingFailed, InputRejected
from arcana_pipelines.pipeline.sync import SyncRequest, sync
from arcana_pipelines.retrieval.filters import Filters
from arcana_pipelines.taxonomy.counts import TopicCounts
from arcana_pipelines.taxonomy.nodes import GivenNode, Node
from arcana_pipelines.taxonomy.stored_versions import hold_active
from arcana_pipelines_tests.classification.handbook import TOPICS, Handbook, WordEmbedder


def _first(topics: dict[str, str]) -> tuple[str, str] | None:
    return next(iter(topics.items()), None)


def test_without_a_taxonomy_nothing_is_done(handbook: Handbook) -> None:
    report = handbook.classify()
    assert (report.version, report.counts, report.problems) == (None, None, [])


def test_the_nearest_topic_is_suggested_with_others_and_nobody_claims_to_be_sure(handbook: Handbook) -> None:
    handbook.release()
    report = handbook.classify()
    assert (report.classified, report.embedded, report.decisions) == (3, len(TOPICS), 0)
    assert _first(handbook.topics("Vacation policy")) == ("People/Leave", "nearest?")
    assert _first(handbook.topics("Battery care")) == ("Robots/Batteries", "nearest?")
    assert report.counts is not None
    assert (report.queued, report.counts.with_topic, report.counts.coverage) == (2, 0, 0.0)


def test_a_text_in_letters_that_the_model_does_not_read_is_left_to_rules(handbook: Handbook) -> None:
    handbook.release()
    report = handbook.classify()
    assert handbook.topics("휴가 규정") == {}
    assert any("1 documents are written in letters that the model" in note for note in report.notes)


def test_a_topic_in_two_languages_has_a_text_in_each_and_one_that_the_model_does_not_read_has_none() -> None:
    bilingual = Node(
        uuid4(), None, "Leave", ("People", "Leave"), "Vacation days. 연차와 휴가.", ("holiday", "연차"), {"ko": "휴가"}
    )
    assert topic_texts(bilingual) == ["People > Leave. Vacation days. holiday", "휴가. 연차와 휴가. 연차"]


def test_a_topic_that_is_called_nothing_in_english_is_nearest_by_no_model_of_english(handbook: Handbook) -> None:
    handbook.release({**TOPICS, "직원": "회사에서 일하는 사람"})
    report = handbook.classify()
    assert report.embedded == len(TOPICS)
    assert any("does not read the texts of 1 topics" in note for note in report.notes)
    assert _first(handbook.topics("Vacation policy")) == ("People/Leave", "nearest?")


def test_topics_go_without_what_they_say_of_their_language_as_chunks_do(
    waiting: Handbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Means:
        def of_passages(self, vectors: Vectors) -> tuple[Vectors, list[str]]:
            return np.ones_like(vectors), []

    monkeypatch.setattr(topic_vectors, "means_of", lambda model: Means())
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    assert waiting.classify().queued == 0, "every topic is the same"


def test_where_the_model_reads_no_topic_nothing_is_suggested(handbook: Handbook) -> None:
    handbook.release({"직원": "회사에서 일하는 사람"})
    assert handbook.classify().queued == 0


def test_what_was_classified_is_not_looked_at_again(waiting: Handbook) -> None:
    report = waiting.classify()
    assert (report.classified, report.changed, report.embedded, waiting.opened) == (0, 0, 0, [])


def test_a_sync_classifies_what_is_new_and_what_changed(waiting: Handbook) -> None:
    page = waiting.page("Interviews", "Who meets a candidate, and who makes the offer after an interview.")
    waiting.sync()
    assert _first(waiting.topics("Interviews")) == ("People/Hiring", "nearest?")
    waiting.acme.world.edit_page(page, waiting.paragraphs("A battery cell is swelling: do not charge the battery."))
    waiting.sync()
    assert _first(waiting.topics("Interviews")) == ("Robots/Batteries", "nearest?")
    assert waiting.classify().classified == 0


def test_a_removed_document_waits_for_nobody(waiting: Handbook) -> None:
    waiting.acme.world.trash(waiting.page_id("Battery care"))
    waiting.sync()
    assert waiting.classify().queued == 1


def test_rules_come_before_what_is_nearest_and_take_their_topics_back_when_they_go(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    add_rule(*key, "policies", waiting.node("People"), Conditions(title=("policy", "휴가")))
    report = waiting.classify()
    assert waiting.topics("Vacation policy") == waiting.topics("휴가 규정") == {"People": "rule"}
    assert report.counts is not None
    assert report.counts.assigned == {"rule": 2}
    assert remove_rule(*key, "policies") == 2
    assert waiting.topics("Vacation policy") == {}
    waiting.classify()
    assert _first(waiting.topics("Vacation policy")) == ("People/Leave", "nearest?")


def test_a_document_has_the_topics_of_all_rules_and_the_first_says_how_sure_one_is(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    policy = Conditions(title=("policy",))
    add_rule(*key, "later", waiting.node("People"), policy, confidence=0.95)
    add_rule(*key, "sooner", waiting.node("People"), policy, confidence=0.92, position=0)
    add_rule(*key, "others", waiting.node("Robots"), policy)
    waiting.classify()
    assert waiting.topics("Vacation policy") == {"Robots": "rule", "People": "rule"}
    ((confidence,),) = waiting.connection.execute(
        "SELECT confidence FROM doc_taxonomy WHERE node_id = %s", [waiting.node("People")]
    ).fetchall()
    assert confidence == pytest.approx(0.92)


def test_a_rule_that_is_not_sure_asks_a_person_or_says_nothing(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    add_rule(*key, "perhaps", waiting.node("People"), Conditions(title=("규정",)), confidence=0.7)
    add_rule(*key, "hardly", waiting.node("Robots"), Conditions(title=("규정",)), confidence=0.4)
    waiting.classify()
    assert waiting.topics("휴가 규정") == {"People": "rule?"}


def test_a_rule_follows_a_page_that_is_moved(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    add_rule(*key, "below", waiting.node("People"), Conditions(Filters(below="Vacation policy")))
    waiting.classify()
    assert waiting.topics("휴가 규정") == {"People": "rule"}
    waiting.acme.world.move(waiting.page_id("휴가 규정"), waiting.page_id("Battery care"))
    waiting.sync()
    assert waiting.topics("휴가 규정") == {}


def test_a_rule_by_the_path_in_the_source_follows_what_pages_above_are_called(waiting: Handbook) -> None:
    key = waiting.connection, waiting.workspace_id
    add_rule(*key, "below", waiting.node("People"), Conditions(source_path="Leave/*"))
    waiting.classify()
    assert waiting.topics("휴가 규정") == {}
    waiting.acme.world.set_title(waiting.page_id("Vacation policy"), "Leave")
    waiting.sync()
    assert waiting.topics("휴가 규정") == {"People": "rule"}
    waiting.acme.world.set_title(waiting.page_id("Leave"), "Vacation policy")
    waiting.sync()
    assert waiting.topics("휴가 규정") == {}


def test_what_a_person_said_is_left_alone_and_nothing_is_suggested_beside_it(waiting: Handbook) -> None:
    waiting.say("Vacation policy", "Robots")
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    waiting.classify()
    assert waiting.topics("Vacation policy") == {"Robots": "person"}


def test_what_a_person_refused_is_found_by_no_rule_and_no_model(waiting: Handbook) -> None:
    waiting.decide("Vacation policy", "People/Leave", "rejected")
    key = waiting.connection, waiting.workspace_id
    add_rule(*key, "leave", waiting.node("People/Leave"), Conditions(title=("policy",)))
    waiting.classify()
    assert "People/Leave" not in waiting.topics("Vacation policy")


def test_what_waits_since_a_version_was_promoted_keeps_its_reason(waiting: Handbook) -> None:
    waiting.say("Battery care", "People", "nearest", waits=True)
    waiting.connection.execute(
        "UPDATE doc_taxonomy SET reason = 'split of ''X''' WHERE node_id = %s", [waiting.node("People")]
    )
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    waiting.classify()
    assert waiting.topics("Battery care")["People"] == "nearest? split of 'X'"


def test_after_50_decisions_what_people_mostly_accept_is_assigned(waiting: Handbook) -> None:
    _decide(waiting, 50, accepted=True)
    report = waiting.classify()
    assert report.decisions == 50
    assert waiting.topics("Vacation policy") == {"People/Leave": "nearest"}
    assert report.counts is not None
    assert report.counts.assigned == {"nearest": 2}


def test_after_50_decisions_what_people_mostly_reject_is_not_suggested(waiting: Handbook) -> None:
    _decide(waiting, 50, accepted=False)
    report = waiting.classify()
    assert waiting.topics("Vacation policy") == {}
    assert any("0 of 3 documents have a topic, and none is suggested" in problem for problem in report.problems)


def test_after_a_rejection_a_person_is_asked_again_however_sure_the_next_topic_seems(waiting: Handbook) -> None:
    _decide(waiting, 50, accepted=True)
    waiting.decide("Vacation policy", "People/Leave", "rejected")
    waiting.classify()
    assert all(how == "nearest?" for how in waiting.topics("Vacation policy").values())


def test_thresholds_are_the_workspaces_own(waiting: Handbook) -> None:
    _decide(waiting, 50, accepted=True)
    waiting.connection.execute(
        "INSERT INTO taxonomy_settings (workspace_id, accept_at) VALUES (%s, 0.99)", [waiting.workspace_id]
    )
    waiting.classify()
    assert _first(waiting.topics("Vacation policy")) == ("People/Leave", "nearest?")


def test_a_node_that_a_machine_proposed_is_less_sure(waiting: Handbook) -> None:
    _decide(waiting, 50, accepted=True)
    leave = GivenNode(("People", "Leave"), definition=TOPICS["People/Leave"], confidence=0.6)
    others = {path: about for path, about in TOPICS.items() if path != "People/Leave"}
    waiting.release(others, leave)
    waiting.classify()
    assert _first(waiting.topics("Vacation policy")) == ("People/Leave", "nearest?")


def test_a_topic_that_is_called_otherwise_costs_one_embedding(waiting: Handbook) -> None:
    waiting.release({**TOPICS, "Robots": "machines that carry"})
    report = waiting.classify()
    assert (report.classified, report.embedded) == (3, 1)
    assert [each.embedded for each in waiting.opened] == [["Robots. machines that carry"]]


def test_a_provider_that_fails_is_a_note_and_rules_are_followed(handbook: Handbook) -> None:
    handbook.release()
    add_rule(handbook.connection, handbook.workspace_id, "all", handbook.node("People"), Conditions(title=("policy",)))

    class Failing(WordEmbedder):
        def embed(self, texts: object) -> Embedded:
            raise EmbeddingFailed("no answer")

    report = classify_.classify(handbook.connection, handbook.workspace_id, Failing)
    assert report.notes == ["Topics could not be embedded, so that rules alone were followed: no answer"]
    assert handbook.topics("Vacation policy") == {"People": "rule"}
    assert handbook.topics("Battery care") == {}
    assert handbook.classify().classified == 3, "the next run goes on"
    assert _first(handbook.topics("Battery care")) == ("Robots/Batteries", "nearest?")


def test_what_is_near_stays_while_the_provider_fails(waiting: Handbook) -> None:
    before = waiting.topics("Battery care")
    assert _first(before) == ("Robots/Batteries", "nearest?")

    class Failing(WordEmbedder):
        def embed(self, texts: object) -> Embedded:
            raise EmbeddingFailed("no answer")

    waiting.release({**TOPICS, "Robots": "machines that carry"})
    add_rule(waiting.connection, waiting.workspace_id, "all", waiting.node("People"), Conditions(title=("policy",)))
    report = classify_.classify(waiting.connection, waiting.workspace_id, Failing)
    assert report.classified == 3 and report.queued == 1
    assert waiting.topics("Battery care") == before
    assert waiting.topics("Vacation policy") == {"People": "rule"}, "what rules say is followed"


def test_a_budget_that_is_reached_is_a_note(handbook: Handbook) -> None:
    handbook.release()
    handbook.connection.execute("UPDATE workspace SET embedding_budget = 0.0000001")
    handbook.connection.execute("UPDATE rag_index_build SET embedding_model = 'text-embedding-3-small'")
    report = handbook.classify(PricingPolicy())
    assert [note for note in report.notes if "has spent" in note]
    handbook.connection.execute("UPDATE workspace SET embedding_budget = 1")
    assert handbook.classify(PricingPolicy(Decimal("0.02"))).embedded == len(TOPICS)


def test_a_topic_whose_text_the_provider_refuses_is_never_nearest(handbook: Handbook) -> None:
    handbook.release()

    class Picky(WordEmbedder):
        def embed(self, texts):  # type: ignore[no-untyped-def]
            if any("swelling" in text for text in texts):
                raise InputRejected("swelling is not a word")
            return super().embed(texts)

    report = classify_.classify(handbook.connection, handbook.workspace_id, Picky)
    assert report.embedded == len(TOPICS) - 1
    assert any("does not read the texts of 1 topics" in note for note in report.notes)
    assert "Robots/Batteries" not in handbook.topics("Battery care")
    handbook.connection.execute("DELETE FROM taxonomy_classified")
    assert handbook.classify().embedded == 0, "it is not sent again"


def test_what_is_not_published_is_compared_with_nothing(handbook: Handbook) -> None:
    handbook.release()
    handbook.connection.execute("UPDATE rag_index_build SET state = 'building'")
    report = handbook.classify()
    assert (report.classified, report.queued) == (3, 0)
    assert report.notes == ["Nothing is published yet, so that no text can be compared with topics."]


def test_a_version_that_becomes_active_meanwhile_ends_the_run(
    waiting: Handbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    monkeypatch.setattr(classify_, "hold_active", lambda *_: None)
    report = waiting.classify()
    assert report.classified == 0
    assert report.notes == ["Another version of the taxonomy became active: the next run classifies by it."]


def test_batches_are_committed_each_and_a_killed_run_is_gone_on_with(
    handbook: Handbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    handbook.release()
    monkeypatch.setattr(classify_, "BATCH", 1)
    begun = []

    def hold(*key):  # type: ignore[no-untyped-def]
        begun.append(key)
        if len(begun) == 3:
            raise KeyboardInterrupt
        return hold_active(*key)

    with monkeypatch.context() as patch:
        patch.setattr(classify_, "hold_active", hold)
        with pytest.raises(KeyboardInterrupt):
            handbook.classify()
    assert handbook.classify().classified == 1
    assert handbook.classify().queued == 2


def test_a_person_who_decided_since_is_heard(waiting: Handbook) -> None:
    assert waiting.classify().classified == 0
    waiting.decide("Vacation policy", "People/Leave", "rejected")
    assert waiting.classify().classified == 1


def test_what_documents_bring_is_given_to_them_first(waiting: Handbook) -> None:
    database = waiting.acme.world.add_database("Tasks", schema={"Topic": "select"})
    waiting.acme.world.add_row(
        database.data_source_id, "Charge", {"Topic": "Robots/Batteries"}, waiting.paragraphs("Who meets a candidate?")
    )
    waiting.sync()
    waiting.connection.execute(
        "INSERT INTO taxonomy_settings (workspace_id, topic_properties) VALUES (%s, '{Topic}')", [waiting.workspace_id]
    )
    report = waiting.classify()
    assert report.given == 1
    assert list(waiting.topics("Charge")) == ["Robots/Batteries"]
    assert waiting.topics("Charge")["Robots/Batteries"].startswith("given")


def test_a_stage_is_a_part_of_every_sync_but_no_estimate(waiting: Handbook) -> None:
    waiting.connection.execute("DELETE FROM taxonomy_classified")
    with waiting.acme.session() as session:
        sync(session, SyncRequest())
    ((classified,),) = waiting.connection.execute("SELECT count(*) FROM taxonomy_classified").fetchall()
    assert classified == 3


def test_a_report_says_what_somebody_should_see_to() -> None:
    long_ago = datetime.now(UTC) - timedelta(days=20)
    counts = TopicCounts("acme", "1.0.0", 5, 10, 2, {"rule": 2}, 3, long_ago, 4)
    report = ClassificationReport("1.0.0", counts=counts, queued=3, notes=["A note."])
    assert report.problems == [
        "A note.",
        "4 paths came with documents and are no topic of the taxonomy.",
        "3 documents wait for a person, one for 20 days.",
    ]
    recent = TopicCounts("acme", "1.0.0", 5, 10, 9, {"rule": 9}, 1, datetime.now(UTC), 0)
    assert ClassificationReport("1.0.0", counts=recent, queued=1).problems == []


def _decide(waiting: Handbook, times: int, accepted: bool) -> None:
    """Decisions of people on other suggestions of the same model, at every margin."""
    waiting.connection.execute(
        "INSERT INTO taxonomy_decision (doc_id, node_id, workspace_id, verdict, decided_by, origin, margin, model) "
        "SELECT d.document_id, gen_random_uuid(), i.workspace_id, %s, 'user:kim', 'nearest', number / 1000.0, "
        "i.embedding_model FROM rag_indexes i, unnest(%s::uuid[]) WITH ORDINALITY AS d (document_id, number)",
        ["accepted" if accepted else "rejected", waiting.others(times)],
    )
