"""Rules are made, tried, and removed with what they found; those that cannot hold rest and say why."""

from __future__ import annotations

from uuid import uuid4

import pytest

from arcana_pipelines.classification import rules
from arcana_pipelines.classification.conditions import Conditions
from arcana_pipelines.classification.rules import add_rule, find_rule, list_rules, remove_rule, try_rule
from arcana_pipelines.db.query import scalars
from arcana_pipelines.errors import UnknownTaxonomyVersion, WrongUse
from arcana_pipelines.retrieval.filters import Filters, PropertyCondition
from arcana_pipelines.taxonomy import versions
from arcana_pipelines.taxonomy.labels import read_path
from arcana_pipelines.taxonomy.nodes import GivenNode
from arcana_pipelines_tests.classification.handbook import TOPICS, Handbook

POLICIES = Conditions(title=("policy",))


def test_rules_are_listed_in_their_order(handbook: Handbook) -> None:
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    add_rule(*key, "second", handbook.node("People"), POLICIES)
    add_rule(*key, "third", handbook.node("Robots"), POLICIES, confidence=0.7)
    add_rule(*key, "first", handbook.node("People/Leave"), POLICIES, position=0)
    listed = list_rules(*key)
    assert [(rule.name, rule.path, rule.rests) for rule in listed] == [
        ("first", ("People", "Leave"), None),
        ("second", ("People",), None),
        ("third", ("Robots",), None),
    ]
    assert listed[2].confidence == pytest.approx(0.7)
    assert find_rule(*key, " third ").rule_id == listed[2].rule_id
    actions = scalars(handbook.connection, "SELECT details->>'rule' FROM audit_logs WHERE action = 'taxonomy.changed'")
    assert sorted(actions) == ["first", "second", "third"]


def test_a_rule_needs_a_name_of_its_own_a_topic_and_a_confidence(
    handbook: Handbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = handbook.connection, handbook.workspace_id
    with pytest.raises(UnknownTaxonomyVersion):
        add_rule(*key, "policies", uuid4(), POLICIES)
    handbook.release()
    people = handbook.node("People")
    for name in ("", "  ", 201 * "x"):
        with pytest.raises(WrongUse, match="needs a name"):
            add_rule(*key, name, people, POLICIES)
    with pytest.raises(WrongUse, match="from 0 to 1"):
        add_rule(*key, "policies", people, POLICIES, confidence=1.1)
    with pytest.raises(WrongUse, match="There is no topic"):
        add_rule(*key, "policies", uuid4(), POLICIES)
    add_rule(*key, "policies", people, POLICIES)
    with pytest.raises(WrongUse, match="already"):
        add_rule(*key, "policies", people, POLICIES)
    monkeypatch.setattr(rules, "MOST_RULES", 1)
    with pytest.raises(WrongUse, match="at most 1 rules"):
        add_rule(*key, "others", people, POLICIES)


def test_what_is_not_there_is_not_removed_and_not_found(handbook: Handbook) -> None:
    for look in (remove_rule, find_rule):
        with pytest.raises(WrongUse, match="There is no rule 'nothing'"):
            look(handbook.connection, handbook.workspace_id, "nothing")


def test_a_rule_is_tried_before_it_is_made(handbook: Handbook) -> None:
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    trial = try_rule(*key, Conditions(title=("policy", "care", "규정")), handbook.node("People"))
    assert trial.documents == 3
    assert [title for _, title in trial.first] == ["Battery care", "Vacation policy", "휴가 규정"]
    assert dict(trial.first)[handbook.document("Battery care")] == "Battery care"
    assert (trial.rejected, trial.elsewhere) == (0, 0)
    handbook.decide("Battery care", "Robots", "accepted")
    handbook.decide("Vacation policy", "People", "accepted")
    handbook.decide("휴가 규정", "People", "rejected")
    trial = try_rule(*key, Conditions(title=("policy", "care", "규정")), handbook.node("People"))
    assert (trial.rejected, trial.elsewhere) == (1, 1)
    trial = try_rule(*key, Conditions(title=("policy", "care")))
    assert (trial.rejected, trial.elsewhere) == (0, 0), "no topic is named"
    assert try_rule(*key, Conditions(title=("nothing",))).first == []


def test_a_rule_whose_topic_is_gone_rests_and_keeps_what_it_found(handbook: Handbook) -> None:
    handbook.release()
    add_rule(handbook.connection, handbook.workspace_id, "policies", handbook.node("People/Leave"), POLICIES)
    handbook.classify()
    assert handbook.topics("Vacation policy") == {"People/Leave": "rule"}
    handbook.release({path: about for path, about in TOPICS.items() if path != "People/Leave"})
    (rule,) = list_rules(handbook.connection, handbook.workspace_id)
    assert rule.path is None
    assert rule.rests is not None and "Its topic is not in version" in rule.rests
    report = handbook.classify()
    assert any("'policies' rests" in problem for problem in report.problems)
    assert handbook.topics("Vacation policy")["People"].startswith("rule? retired"), "a person is still asked"


@pytest.mark.parametrize("how", ["replaces", "replaced_by"])
def test_a_rule_goes_with_its_topic_where_that_is_merged_into_another_and_back(handbook: Handbook, how: str) -> None:
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    leave = handbook.node("People/Leave")
    add_rule(*key, "policies", leave, POLICIES)
    handbook.classify()
    others = {path: about for path, about in TOPICS.items() if not path.startswith("People/")}
    if how == "replaces":
        handbook.release(others, GivenNode(("People", "Time"), replaces=(leave, handbook.node("People/Hiring"))))
    else:
        handbook.release(
            {**others, "People/Time": ""},
            GivenNode(("People", "Leave"), retired=True, replaced_by=(("People", "Time"),)),
        )
    (rule,) = list_rules(*key)
    assert (rule.path, rule.node_id, rule.rests) == (("People", "Time"), handbook.node("People/Time"), None)
    handbook.classify()
    assert handbook.topics("Vacation policy")["People/Time"].split()[0] == "rule"
    versions.roll_back(*key)
    (rule,) = list_rules(*key)
    assert (rule.path, rule.node_id) == (("People", "Leave"), leave)
    handbook.classify()
    assert handbook.topics("Vacation policy") == {"People/Leave": "rule"}


def test_a_promotion_says_which_rules_will_rest(handbook: Handbook) -> None:
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    add_rule(*key, "stays", handbook.node("Robots"), POLICIES)
    add_rule(*key, "is split", handbook.node("People/Leave"), POLICIES)
    others = [GivenNode(read_path(path)) for path in TOPICS if path != "People/Leave"]
    parts = [GivenNode(("People", part), replaces=(handbook.node("People/Leave"),)) for part in ("Sick", "Holiday")]
    draft = versions.store_draft(*key, [*others, *parts])
    for dry_run in (True, False):
        report = versions.promote(*key, draft.version, dry_run=dry_run)
        assert (report.rules, report.rules_resting) == (2, ["is split"])


def test_a_rule_rests_while_a_property_is_not_there(handbook: Handbook) -> None:
    database = handbook.acme.world.add_database("Tasks", schema={"Team": "select"})
    handbook.acme.world.add_row(database.data_source_id, "Task", {"Team": "Robots"})
    handbook.sync()
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    team = Conditions(Filters(properties=(PropertyCondition.parse("Team=Robots"),)))
    add_rule(*key, "team", handbook.node("Robots"), team)
    handbook.classify()
    assert handbook.topics("Task") == {"Robots": "rule"}
    handbook.connection.execute("UPDATE source_page SET properties = '{}'")
    handbook.connection.execute("DELETE FROM document_property")
    handbook.connection.execute("DELETE FROM taxonomy_classified")
    (rule,) = list_rules(*key)
    assert rule.rests is not None and "There is no property 'Team'" in rule.rests
    report = handbook.classify()
    assert [note for note in report.notes if "The rule 'team' rests" in note]
    assert handbook.topics("Task") == {"Robots": "rule"}, "what it found is not lost to a slip"


def test_a_rule_that_another_release_wrote_rests(handbook: Handbook) -> None:
    handbook.release()
    key = handbook.connection, handbook.workspace_id
    add_rule(*key, "policies", handbook.node("People"), POLICIES)
    handbook.connection.execute("""UPDATE taxonomy_rule SET conditions = '{"moon": "full"}'""")
    (rule,) = list_rules(*key)
    assert rule.rests is not None and "cannot be meant" in rule.rests
    assert handbook.classify().counts is not None


def test_without_an_active_taxonomy_all_rules_rest(handbook: Handbook) -> None:
    handbook.connection.execute(
        "INSERT INTO taxonomy_rule (workspace_id, name, position, node_id, conditions) "
        """VALUES (%s, 'policies', 1, gen_random_uuid(), '{"title": ["policy"]}')""",
        [handbook.workspace_id],
    )
    (rule,) = list_rules(handbook.connection, handbook.workspace_id)
    assert rule.rests == "No taxonomy is active."
