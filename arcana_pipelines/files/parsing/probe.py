"""Whether the files of pages can be read here, for `arcana doctor`."""

from __future__ import annotations

from arcana_pipelines.errors import ArcanaError, InvalidSetting, ReadersBroken
from arcana_pipelines.files.kinds import FileKind, kinds_named
from arcana_pipelines.files.parsing.languages import installed_languages
from arcana_pipelines.files.parsing.protocol import Unreadable
from arcana_pipelines.files.parsing.registry import EXTRA, PARSERS, missing_of
from arcana_pipelines.files.parsing.run import confinement_here
from arcana_pipelines.settings import Settings


def probe(settings: Settings) -> str:
    """What is read here, and how what reads it is confined, in a sentence.

    Raises:
        InvalidSetting: FILE_TYPES names what is no kind; OCR is on, and tesseract or the data of a language is missing.
        ArcanaError: no process can be started.
    """
    return "; ".join([_parsers(kinds_named(settings.file_types)), _ocr(settings), _confinement()])


def _parsers(allowed: frozenset[FileKind]) -> str:
    missing = [parser for parser in PARSERS if missing_of(parser) and (not allowed or allowed & parser.kinds)]
    if not missing:
        return f"files of the kinds {', '.join(sorted(allowed))} are read" if allowed else "all kinds of files are read"
    kinds = ", ".join(sorted(kind.value for parser in missing for kind in parser.kinds))
    return f"no library for {kinds} (pip install 'arcana-pipelines[{EXTRA}]')"


def _ocr(settings: Settings) -> str:
    if settings.file_ocr == "off":
        return "scans are not (FILE_OCR is off)"
    languages = settings.file_ocr_languages
    if missing := sorted(set(languages.split("+")) - installed_languages()):
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in missing)
        raise InvalidSetting(
            f"FILE_OCR is on, and tesseract has no data of {', '.join(missing)}. Install it (on Debian: "
            f"apt-get install tesseract-ocr tesseract-ocr-osd {packages}), "
            "or choose other FILE_OCR_LANGUAGES."
        )
    return f"scans by tesseract ({languages})"


def _confinement() -> str:
    try:
        confined = confinement_here()
    except (Unreadable, ReadersBroken, OSError) as error:
        raise ArcanaError(f"No process can be started to read files: {error}") from error
    missing = [name for name, holds in (("seccomp", confined.calls), ("Landlock", confined.paths)) if not holds]
    if not missing:
        return "each in a process without network, programs or other files"
    return f"each in a process with limits, but this kernel or container lacks {' and '.join(missing)}"
