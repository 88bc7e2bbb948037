"""Mail, of the internet (.eml) and of Outlook (.msg). What is attached is said as files of their own."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Inside, Note, Said, Title
from arcana_pipelines.files.parsing.mail import internet, outlook
from arcana_pipelines.files.parsing.mail.letter import Letter, Text
from arcana_pipelines.files.parsing.mail.plain_text import paragraphs
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable

_MOST_ADDRESSES = 5
_MOST_FILES = 20
# Of all files of a mail.
_MOST_BYTES = 256 * 2**20
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, struct.error, OSError)


def parse(job: Job) -> Iterator[Said]:
    """Say a mail: its subject as the title, who wrote to whom and when, its text, its files.

    Raises:
        Unreadable: damaged, or encrypted and nothing else.
    """
    try:
        letter = outlook.read(job.path) if job.kind is FileKind.MSG else internet.read(job.path)
    except _BROKEN as error:
        raise Unreadable(Reason.DAMAGED, "the mail is damaged") from error
    if letter.encrypted and not letter.texts:
        raise Unreadable(Reason.ENCRYPTED, "it is encrypted, or packed as what is (S/MIME, PGP)")
    if letter.subject:
        yield Title(letter.subject)
    yield from _said(letter, job)
    yield from _files([letter, *_inner(letter)], job)


def _said(letter: Letter, job: Job) -> Iterator[Block]:
    heads = [f"{name}: {_few(who)}" for name, who in letter.people if who]
    heads += [f"Date: {letter.date}"] if letter.date else []
    if heads:
        yield Block("text", " · ".join(heads))
    for text in letter.texts:
        yield from _blocks(text, job)
    for inner in letter.inner:
        if inner.subject:
            yield Block("heading", inner.subject, 2)
        yield from _said(inner, job)


def _few(names: list[str]) -> str:
    more = len(names) - _MOST_ADDRESSES
    return ", ".join(names[:_MOST_ADDRESSES]) + (f" (+{more})" if more > 0 else "")


def _blocks(text: Text, job: Job) -> Iterator[Block]:
    if text.form == "plain":
        yield from paragraphs(text.text, text.flowed)
        return
    from arcana_pipelines.files.parsing.parsers import html, rtf  # what they need is seldom needed

    if text.form == "html":
        yield from html.blocks(text.text)
    else:
        (path := job.directory / "body").write_bytes(text.text.encode("latin-1"))
        yield from (said for said in rtf.parse(replace(job, path=path)) if isinstance(said, Block))


def _inner(letter: Letter) -> Iterator[Letter]:
    for each in letter.inner:
        yield each
        yield from _inner(each)


def _files(letters: list[Letter], job: Job) -> Iterator[Said]:
    files = [file for letter in letters for file in letter.files]
    size = written = 0
    for name, data in files:
        size += len(data)
        if written < _MOST_FILES and size <= _MOST_BYTES:
            written += 1
            path = f"attachment-{written}"
            (job.directory / path).write_bytes(data)
            yield Inside(name, path)
    counts = {
        "attachments that are too many or too large": len(files) - written,
        "pictures of the layout": sum(letter.pictures for letter in letters),
        "parts that are not read": sum(letter.not_read for letter in letters),
    }
    yield from (Note(f"{what}: {count}") for what, count in counts.items() if count)
