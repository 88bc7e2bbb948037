"""`arcana doctor` says what of the files of pages can be read here."""

from __future__ import annotations

import pytest

from arcana_pipelines.errors import ArcanaError, InvalidSetting
from arcana_pipelines.files.parsing import probe as module
from arcana_pipelines.files.parsing.confinement import Confined
from arcana_pipelines.files.parsing.probe import probe
from arcana_pipelines.files.parsing.protocol import Reason, Unreadable
from arcana_pipelines.settings import Settings


def settings(**values: str) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with everything."""
    monkeypatch.setattr(module, "confinement_here", lambda: Confined(True, True))
    monkeypatch.setattr(module, "installed_languages", lambda: frozenset({"eng", "kor", "osd"}))


def test_a_machine_with_everything() -> None:
    assert probe(settings(file_ocr="on")) == (
        "all kinds of files are read; scans by tesseract (kor+eng); each in a process without network, programs or "
        "other files"
    )


def test_scans_are_read_where_they_are_asked_for() -> None:
    assert "scans are not (FILE_OCR is off)" in probe(settings())


def test_a_language_without_data_is_named_with_what_to_install() -> None:
    with pytest.raises(InvalidSetting, match=r"no data of chi_sim, jpn.*tesseract-ocr-chi-sim tesseract-ocr-jpn\)"):
        probe(settings(file_ocr="on", file_ocr_languages="kor+jpn+chi_sim"))


def test_what_no_library_is_installed_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "missing_of", lambda parser: ("lxml",) if parser.name == "word" else ())
    assert probe(settings()).startswith("no library for docx (pip install 'arcana-pipelines[files]')")


def test_what_a_container_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "confinement_here", lambda: Confined(True, False))
    assert probe(settings()).endswith("but this kernel or container lacks Landlock")


def test_where_no_process_starts_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Confined:
        raise Unreadable(Reason.CRASHED, "its process ended with exit code 1")

    monkeypatch.setattr(module, "confinement_here", fails)
    with pytest.raises(ArcanaError, match="No process can be started to read files"):
        probe(settings())
