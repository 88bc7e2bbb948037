"""The contract of a search: requests that cannot be are never made, and its JSON is as its schema says."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from arcana_pipelines.errors import WrongUse
from arcana_pipelines.retrieval import Filters, Hit, Place, PropertyCondition, Results, SearchRequest
from arcana_pipelines.retrieval.search_request import SearchOptions, request_of


def hit(**changes: Any) -> Hit:
    values: dict[str, Any] = {
        "score": 0.5, "document_id": "d", "external_id": "e", "kind": "page", "title": "휴가", "url": None,
        "link": None, "path": "w.p1", "heading_path": ["규정"], "position": 0, "text": "연차는 15일", "version": 1,
        "last_edited_at": None, "highlights": [(0, 2)],
    }  # fmt: skip
    return Hit(**values | changes)


class TestRequests:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"query": 7}, {"query": "x" * 4001}, {"query": "a\0"}, {"k": 0}, {"k": 1001}, {"k": True}, {"k": "5"},
            {"neighbours": -1}, {"neighbours": 101}, {"ranking": "best"}, {"fusion": None}, {"filters": {}},
            {"filters": Filters(below=" ")}, {"as_of": datetime(2026, 1, 1)}, {"index": 7}, {"index": "a\0"},
            {"index": "x" * 2001}, {"per_document": 1}, {"per_document": "no"},
            {"after": 7}, {"after": "a\0"}, {"after": "A" * 20_001},
        ],
        ids=lambda wrong: ascii(wrong)[:40],
    )  # fmt: skip
    def test_one_that_cannot_be_is_refused_when_it_is_made(self, wrong: Any) -> None:
        with pytest.raises(WrongUse, match=r"(?s)^[A-Za-z].*\.$"):
            SearchRequest(**{"query": "zebra"} | wrong)

    def test_a_changed_one_is_checked_again(self) -> None:
        with pytest.raises(WrongUse):
            dataclasses.replace(SearchRequest("zebra"), k=0)

    def test_nobody_changes_one(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            SearchRequest("zebra").k = 0  # type: ignore[misc]

    def test_its_times_are_in_utc(self) -> None:
        seoul = datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=9)))
        request = SearchRequest("zebra", as_of=seoul, filters=Filters(edited_since=seoul))
        assert request.filters is not None and request.filters.edited_since is not None
        assert {request.as_of, request.filters.edited_since} == {datetime(2026, 1, 5, tzinfo=UTC)}
        assert request.filters.edited_since.tzinfo is UTC

    def test_the_short_form_makes_the_same_one(self) -> None:
        options = SearchOptions(ranking="dense", neighbours=2, index="other")
        long = SearchRequest("zebra", k=3, ranking="dense", neighbours=2, index="other")
        assert request_of("zebra", 3, options) == long == request_of(long, None, {})
        assert request_of("zebra", None, {}) == SearchRequest("zebra", 10)

    @pytest.mark.parametrize(("k", "options"), [(3, {}), (10, {}), (None, {"neighbours": 1})])
    def test_what_stands_beside_a_request_is_not_lost_in_silence(self, k: Any, options: Any) -> None:
        with pytest.raises(WrongUse, match="give it alone"):
            request_of(SearchRequest("zebra"), k, options)

    def test_the_options_by_name_are_its_fields(self) -> None:
        fields = {field.name for field in dataclasses.fields(SearchRequest)}
        assert set(SearchOptions.__annotations__) == fields - {"query", "k"}


class TestSchemas:
    def test_every_field_says_what_it_means_unless_its_name_does(self) -> None:
        for contract in (SearchRequest, Results):
            schema = contract.json_schema()
            Draft202012Validator.check_schema(schema)
            assert schema["additionalProperties"] is False
            told = {"title", "text", "hits"}
            for described in (schema, *schema["$defs"].values()):
                for name, field in described["properties"].items():
                    assert name in told or field.get("description"), (described["title"], name)

    def test_a_request_s_schema_has_its_ranges_and_defaults(self) -> None:
        fields = SearchRequest.json_schema()["properties"]
        assert (fields["k"]["minimum"], fields["k"]["maximum"], fields["k"]["default"]) == (1, 1000, 10)
        assert fields["ranking"]["enum"] == ["fused", "dense", "lexical"]
        for accepted in (fields["k"]["minimum"], fields["k"]["maximum"]):
            assert SearchRequest("zebra", accepted).k == accepted

    def test_a_request_can_be_made_of_json(self) -> None:
        given = {
            "query": "휴가", "k": 3, "as_of": "2026-01-05T09:00:00+09:00",
            "filters": {"kinds": ["row"], "properties": [{"name": "Status", "operator": "=", "value": "Done"}]},
        }  # fmt: skip
        Draft202012Validator(SearchRequest.json_schema()).validate(given)
        filters = Filters(kinds=["row"], properties=[PropertyCondition("Status", "=", "Done")])
        expected = SearchRequest("휴가", 3, filters=filters, as_of=datetime(2026, 1, 5, tzinfo=UTC))
        assert TypeAdapter(SearchRequest).validate_python(given) == expected

    @pytest.mark.parametrize(
        "results",
        [
            Results([], 0.123456),
            Results([hit(duplicates=[Place("o", "Other", None, [("a", "b")])], before=["앞"])], 0.1, {"zbra": "zebra"}),
            Results([hit()], 0.1, is_reranked=True, least=0.2, notes=["No row has it."]),
            Results([hit()], 0.1, cursor="AQ", repeated=[hit()]),
        ],
    )
    def test_the_json_of_results_is_as_its_schema_says(self, results: Results) -> None:
        written = json.loads(json.dumps(results.to_dict()))
        Draft202012Validator(Results.json_schema()).validate(written)
        said = {name for name in ("corrections", "notes", "cursor", "repeated") if getattr(results, name)}
        assert set(written) == {"hits", "seconds"} | said
