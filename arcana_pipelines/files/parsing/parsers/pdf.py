"""PDF, by PDFium: the text layer of its pages."""

from __future__ import annotations

from collections.abc import Iterator

import pypdfium2

from arcana_pipelines.files.parsing.blocks import Block, Place, Said
from arcana_pipelines.files.parsing.protocol import Job, Reason, Unreadable


def parse(job: Job) -> Iterator[Said]:
    """Say what stands on each page. Raises as `protocol.ParserModule.parse`."""
    try:
        document = pypdfium2.PdfDocument(job.path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Unreadable(Reason.ENCRYPTED, "it opens with a password") from error
        raise Unreadable(Reason.DAMAGED, "it is no PDF that can be opened") from error
    for number in range(len(document)):
        page = document[number]
        textpage = page.get_textpage()
        text = textpage.get_text_range().replace("\r\n", "\n").replace("￾", "").strip()
        textpage.close()
        page.close()
        if text:
            yield Block("text", text, place=Place(page=number + 1))
