"""What every source has to do (see `sources.protocol`)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pytest

from arcana_pipelines.errors import DownloadRefused, PageUnavailable, SourceError, WrongUse
from arcana_pipelines.markdown.urls import without_signatures
from arcana_pipelines.sources.protocol import FileRef, Listing, Mode, PageRef, Presence, Source
from arcana_pipelines.testing.conformance.threads import at_once

MOST_REQUESTS = 1000
MOST_BYTES = 2**20


class SourceConformance:
    """Inherit and give the fixtures `source`, `unknown_id`, and `broken` if the source can be out of reach."""

    @pytest.fixture
    def source(self) -> Source:
        """A source with three pages at least, all readable, none of them edited in the last minutes."""
        raise NotImplementedError

    @pytest.fixture
    def unknown_id(self) -> str:
        """An id as the source spells them, of a page that is not there."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Source:
        """The same kind of source, its server or disk out of reach."""
        pytest.skip("no source out of reach was given")

    def test_a_full_listing_ends_complete_with_a_cursor_and_says_so_only_at_its_end(self, source: Source) -> None:
        listing = source.enumerate(Mode.FULL, None, changed)
        assert not listing.complete
        refs = read(listing)
        assert listing.complete and listing.cursor is not None
        assert len([ref for ref in refs if not ref.is_container]) >= 3

    def test_every_mode_lists_what_a_full_listing_does_where_everything_is_new(self, source: Source) -> None:
        listed = {ref.external_id for ref in read(source.enumerate(Mode.FULL, None, changed))}
        for mode in (Mode.AUDIT, Mode.INCREMENTAL):
            listing = source.enumerate(mode, None, changed)
            assert {ref.external_id for ref in read(listing)} == listed
            # Without a cursor, an incremental listing may say that it had to be another.
            assert listing.complete or (mode is Mode.INCREMENTAL and listing.problems)

    def test_an_incremental_listing_of_nothing_new_is_complete(self, source: Source) -> None:
        first = source.enumerate(Mode.FULL, None, changed)
        refs = read(first)
        second = source.enumerate(Mode.INCREMENTAL, first.cursor, unchanged)
        again = {ref.external_id for ref in read(second)}
        assert second.complete and second.cursor is not None
        if source.capabilities.lists_everything:
            assert again == {ref.external_id for ref in refs}

    def test_what_is_listed_keeps_to_the_words_of_the_protocol(self, source: Source) -> None:
        listing = source.enumerate(Mode.FULL, None, changed)
        for ref in read(listing):
            assert ref.external_id and ref.kind and ref.parent_kind and not ref.problem
            assert ref.is_container or ref.kind in ("page", "row", "ticket", "article")
            assert ref.last_edited_at.tzinfo is not None
            assert ref.is_container or ref.revision
            assert ref.editor_id or not ref.editor_name
            assert all({"type", "text"} <= set(value) for value in ref.properties.values() if not ref.is_container)
        assert listing.source_time is None or listing.source_time.tzinfo is not None

    def test_capabilities_are_kept(self, source: Source) -> None:
        listing = source.enumerate(Mode.FULL, None, changed)
        refs = read(listing)
        read(incremental := source.enumerate(Mode.INCREMENTAL, listing.cursor, unchanged))
        said = source.capabilities
        assert said.absences_needed >= 1
        assert said.has_containers or not any(ref.is_container or ref.kind == "row" for ref in refs)
        assert said.lists_trash or (listing.trash is None and incremental.trash is None)
        assert not source.unchanged_since(None)
        assert source.unchanged_since(listing.cursor) == said.probes

    def test_a_sweep_shows_what_a_full_listing_does_and_goes_on_from_a_place_in_another_process(
        self, source: Source, unknown_id: str
    ) -> None:
        if not source.capabilities.sweeps:
            pytest.skip("it has no sweeps")
        refs = [ref for ref in read(source.enumerate(Mode.FULL, None, changed)) if not ref.in_trash]
        shown: set[str] = set()
        for container in (None, *(ref.external_id for ref in refs if ref.is_container)):
            place: str | None = None
            for _ in range(MOST_REQUESTS):
                answer = source.sweep(container, place)
                shown.update(answer.ids)
                place = answer.place
                if place is None:
                    break
            assert place is None, "it has no end"
        assert shown == {ref.external_id for ref in refs if not ref.is_container}
        with pytest.raises(PageUnavailable):
            source.sweep(unknown_id, None)

    def test_the_same_listing_is_given_twice(self, source: Source) -> None:
        first, second = (read(source.enumerate(Mode.FULL, None, changed)) for _ in range(2))
        assert {ref.external_id: facts(ref) for ref in first} == {ref.external_id: facts(ref) for ref in second}

    def test_every_listed_page_can_be_read_also_by_several_threads(self, source: Source) -> None:
        refs = [ref for ref in read(source.enumerate(Mode.FULL, None, changed)) if not ref.is_container]
        alone = [source.fetch(ref) for ref in refs]
        together = at_once(source.fetch, refs * 3)
        # Signatures in a body are other ones at each read, and no part of its text.
        once, thrice = ([without_signatures(page.markdown) for page in pages] for pages in (alone, together))
        assert thrice == once * 3
        assert all(page.fetched_at.tzinfo is not None for page in alone)

    def test_files_are_told_by_ids_that_stay_and_give_the_same_bytes_again(self, source: Source) -> None:
        refs = [ref for ref in read(source.enumerate(Mode.FULL, None, changed)) if not ref.is_container]
        for ref in refs:
            pages = [source.fetch(ref).files for _ in range(2)]
            assert all((files is not None) is source.capabilities.lists_files for files in pages)
            first, second = (files or () for files in pages)
            ids = [file.file_id for file in first]
            assert ids == [file.file_id for file in second] and len(ids) == len(set(ids))
            for file, again in zip(first, second, strict=True):
                assert file.name and not set(file.name) & set("/\\\n")
                assert file.expires_at is None or file.expires_at.tzinfo is not None
                if not file.is_external:
                    data = bytes_of(source, file)
                    assert bytes_of(source, again) == data
                    with pytest.raises(DownloadRefused):
                        source.download(again, io.BytesIO(), len(data) - 1)

    def test_every_listed_page_is_confirmed_as_it_was_listed(self, source: Source) -> None:
        refs = [ref for ref in read(source.enumerate(Mode.FULL, None, changed)) if not ref.is_container]
        for ref, (presence, now) in zip(refs, at_once(lambda ref: source.confirm(ref.external_id), refs), strict=True):
            assert presence is Presence.ALIVE and now is not None
            assert (now.external_id, now.kind, now.revision) == (ref.external_id, ref.kind, ref.revision)

    def test_a_page_that_is_not_there_is_said_to_be_gone(self, source: Source, unknown_id: str) -> None:
        some = read(source.enumerate(Mode.FULL, None, changed))[-1]
        assert source.confirm(unknown_id) == (Presence.GONE, None)
        with pytest.raises(PageUnavailable):
            source.fetch(replace(some, external_id=unknown_id))

    def test_a_container_is_found_by_its_id_or_not_known(self, source: Source, unknown_id: str) -> None:
        assert source.container(unknown_id) in ((Presence.GONE, None), (Presence.UNKNOWN, None))
        for ref in read(source.enumerate(Mode.FULL, None, changed)):
            presence, found = source.container(ref.external_id) if ref.is_container else (Presence.UNKNOWN, None)
            assert found is not None or not presence.is_there
            assert found is None or (found.external_id, found.is_container) == (ref.external_id, True)

    def test_who_it_is_does_not_change(self, source: Source) -> None:
        assert source.identity() == source.identity()
        assert source.credential() == source.credential()

    def test_a_source_out_of_reach_never_says_that_something_is_complete_or_gone(
        self, broken: Source, unknown_id: str
    ) -> None:
        failure, listing = None, Listing()
        try:
            listing = broken.enumerate(Mode.FULL, None, changed)
            read(listing)
        except (SourceError, WrongUse) as error:
            failure = error
        assert not listing.complete
        assert failure or listing.problems
        assert broken.confirm(unknown_id) == (Presence.UNKNOWN, None)
        if broken.capabilities.sweeps:
            with pytest.raises(SourceError):
                broken.sweep(None, None)
        assert not broken.unchanged_since("a cursor")

    def test_it_may_be_closed_twice(self, source: Source) -> None:
        source.close()
        source.close()


def changed(refs: Sequence[PageRef]) -> list[bool]:
    """A ledger that holds nothing."""
    return [False] * len(refs)


def unchanged(refs: Sequence[PageRef]) -> list[bool]:
    """A ledger that holds everything."""
    return [True] * len(refs)


def read(listing: Listing) -> list[PageRef]:
    """All references of a listing, each id once, the last one counting."""
    return list({ref.external_id: ref for batch in listing.batches for ref in batch}.values())


def bytes_of(source: Source, file: FileRef) -> bytes:
    """A file, downloaded over what was there before."""
    target = io.BytesIO(b"before")
    source.download(file, target, MOST_BYTES)
    return target.getvalue()


def facts(ref: PageRef) -> tuple[object, ...]:
    """What a listing says of an item; times may come from the clock."""
    place = (ref.kind, ref.is_container, ref.parent_kind, ref.parent_id)
    return (*place, ref.title, ref.revision, ref.editor_id, dict(ref.properties))
