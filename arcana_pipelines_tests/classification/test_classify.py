"""Documents get their topics once: by what people said, by rules, by what is nearest; and again when that changes."""

from __future__ import annotations

from arcana_pipelines.classification.conditions import Conditions
from arcana_pipelines.classification.rules import add_rule, remove_rule
from arcana_pipelines_tests.classification.handbook import TOPICS, Handbook


def test_without_a_taxonomy_nothing_is_done(handbook: Handbook) -> None:
    report = handbook.classify()
    assert (report.version, report.counts, report.problems) == (None, None, [])


def test_the_nearest_topic_is_suggested_with_others_and_nobody_claims_to_be_sure(handbook: Handbook) -> None:
    handbook.release()
    report = handbook.classify()
    assert (report.classified, report.embedded, report.decisions) == (2, len(TOPICS), 0)
    assert next(iter(handbook.topics("Vacation policy").items())) == ("People/Leave", "nearest?")
    assert next(iter(handbook.topics("Battery care").items())) == ("Robots/Batteries", "nearest?")
    assert report.counts is not None
    assert (report.queued, report.counts.with_topic, report.counts.coverage) == (2, 0, 0.0)


def test_what_was_classified_is_not_looked_at_again(handbook: Handbook) -> None:
    handbook.release()
    handbook.classify()
    opened = len(handbook.opened)
    report = handbook.classify()
    assert (report.classified, report.changed, report.embedded, len(handbook.opened)) == (0, 0, 0, opened)


def test_a_changed_document_alone_is_classified_again(handbook: Handbook) -> None:
    handbook.release()
    handbook.classify()
    page = handbook.page("Interviews", "Who meets a candidate, and who makes the offer after an interview.")
    handbook.sync()
    assert next(iter(handbook.topics("Interviews"))) == "People/Hiring", "the sync has classified it"
    handbook.acme.world.edit_page(page, [])
    handbook.acme.settle()
    with handbook.acme.session() as session:
        from arcana_pipelines.pipeline import sync

        sync.sync(session, sync.SyncRequest())
    assert handbook.classify().classified == 0


def test_a_rule_comes_before_what_is_nearest_and_takes_its_topics_back_when_it_goes(handbook: Handbook) -> None:
    handbook.release()
    add_rule(
        handbook.connection, handbook.workspace_id, "policies", handbook.node("People"), Conditions(title=("policy",))
    )
    report = handbook.classify()
    assert handbook.topics("Vacation policy") == {"People": "rule"}
    assert report.counts is not None
    assert report.counts.assigned == {"rule": 1}
    assert remove_rule(handbook.connection, handbook.workspace_id, "policies") == 1
    assert handbook.topics("Vacation policy") == {}
    handbook.classify()
    assert next(iter(handbook.topics("Vacation policy"))) == "People/Leave"
