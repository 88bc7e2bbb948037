"""Mail: who wrote what to whom, in the words that people read, and each attachment as a file."""

from __future__ import annotations

import base64
import struct
from email.message import EmailMessage
from pathlib import Path

import olefile
import pytest
from oxmsg.storage import Storage, Stream

from arcana_pipelines.files.kinds import FileKind
from arcana_pipelines.files.parsing.blocks import Block, Inside, Note, Said, Title
from arcana_pipelines.files.parsing.mail import outlook
from arcana_pipelines.files.parsing.mail.compressed_rtf import unpacked
from arcana_pipelines.files.parsing.parsers import mail
from arcana_pipelines.files.parsing.protocol import Reason
from arcana_pipelines_tests.files.sayings import reason_of, said_of, shared, words_of

EML, MSG = FileKind.EML, FileKind.MSG


def sent(*lines: str | bytes) -> bytes:
    """A mail of these lines."""
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)


def in_words(text: str, charset: str, codec: str, size: int) -> str:
    """A header in encoded words of `size` bytes each, as mailers fold it that do not look at characters."""
    data = text.encode(codec)
    pieces = (base64.b64encode(data[at : at + size]).decode() for at in range(0, len(data), size))
    return "\r\n ".join(f"=?{charset}?B?{piece}?=" for piece in pieces)


def titles(said: list[Said]) -> list[str]:
    return [each.text for each in said if isinstance(each, Title)]


def files(said: list[Said], directory: Path) -> dict[str, bytes]:
    return {each.name: (directory / "written" / each.path).read_bytes() for each in said if isinstance(each, Inside)}


def test_the_handed_mail_of_the_internet_is_read(tmp_path: Path) -> None:
    said = said_of(mail, shared("eml/attachment.eml"), EML, tmp_path)
    assert titles(said) == ["Fake email with attachment"]
    assert "Lots of whitespace" in words_of(said)
    assert files(said, tmp_path) == {"fake-attachment.txt": b"Hey this is a fake attachment!"}


def test_the_handed_mail_of_outlook_is_read(tmp_path: Path) -> None:
    said = said_of(mail, shared("msg/attachments.msg"), MSG, tmp_path)
    assert titles(said) == ["Email with Attachment"]
    assert words_of(said).startswith(
        "From: Alice Example <alice@example.com> · To: Bob Example <bob@example.com> · Date: 2026-05-20 10:30+00:00 "
        "This email contains an attachment"
    )
    assert list(files(said, tmp_path)) == ["test.txt", "report.pdf"]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UTF-8", "utf-8"), ("euc-kr", "cp949"), ("ks_c_5601-1987", "cp949"), ("x-unknown", "cp949"), ("utf-8", "cp949")],
)
@pytest.mark.parametrize("size", [9, 45])
def test_a_korean_subject_is_read_however_it_was_folded(charset: str, codec: str, size: int, tmp_path: Path) -> None:
    subject = "똠방각하 뷁한 견적서를 보내드립니다"  # letters that EUC-KR has not
    raw = sent(f"Subject: {in_words(subject, charset, codec, size)}", "From: a@b.kr", "", "본문입니다.")
    assert titles(said_of(mail, raw, EML, tmp_path)) == [subject]


def test_headers_in_undeclared_bytes_are_read(tmp_path: Path) -> None:
    for codec in ("cp949", "utf-8"):
        raw = sent("Subject: 회의 일정 안내".encode(codec), "From: 홍길동 <hong@example.kr>".encode(codec), "", "안녕")
        title, head, _ = said_of(mail, raw, EML, tmp_path)
        assert (title, head) == (Title("회의 일정 안내"), Block("text", "From: 홍길동 <hong@example.kr>"))


def test_who_wrote_to_whom_and_when_stands_in_one_line_of_few_addresses(tmp_path: Path) -> None:
    many = ", ".join(f"u{number}@example.com" for number in range(12))
    raw = sent(
        f"From: {in_words('김철수', 'utf-8', 'utf-8', 45)} <kim@example.kr>",
        f"To: {many}",
        "Date: Tue, 3 Nov 2026 09:05:00 +0900",
        "Bcc: secret@example.com",
        "",
        "text",
    )
    head = said_of(mail, raw, EML, tmp_path)[0]
    assert head == Block(
        "text",
        "From: 김철수 <kim@example.kr> · To: u0@example.com, u1@example.com, u2@example.com, u3@example.com, "
        "u4@example.com (+7) · Date: 2026-11-03 09:05+09:00",
    )


def test_a_body_in_a_wrong_or_unknown_charset_is_read(tmp_path: Path) -> None:
    for declared in ("utf-8", "us-ascii", "x-nonsense", "zlib", "euc-kr"):
        raw = sent(
            "Subject: a",
            f"Content-Type: text/plain; charset={declared}",
            "Content-Transfer-Encoding: 8bit",
            "",
            "첨부한 보고서를 펲 확인해 주세요.".encode("cp949"),
        )
        assert words_of(said_of(mail, raw, EML, tmp_path)) == "첨부한 보고서를 펲 확인해 주세요."


def test_lines_broken_for_the_screen_are_joined_and_others_are_not(tmp_path: Path) -> None:
    raw = sent(
        "Subject: a",
        "",
        "This line was broken by the program of its writer, which does so at",
        "column 72.",
        "지난주에 말씀드린 견적서의 세부 항목을 다시 정리하여 보내드리오니",
        "확인 부탁드립니다.",
        "",
        "  - 첫째",
        "  - 둘째",
        "1. one",
        "",
        "홍길동 드림",
        "02-123-4567",
        "",
        "> 어제 쓴 글",
        ">> 그제 쓴 글",
    )
    assert [(block.kind, block.text) for block in said_of(mail, raw, EML, tmp_path)[1:]] == [
        ("text", "This line was broken by the program of its writer, which does so at column 72."),
        ("text", "지난주에 말씀드린 견적서의 세부 항목을 다시 정리하여 보내드리오니 확인 부탁드립니다."),
        ("item", "첫째"),
        ("item", "둘째"),
        ("item", "1. one"),
        ("text", "홍길동 드림"),
        ("text", "02-123-4567"),
        ("quote", "어제 쓴 글"),
        ("quote", "그제 쓴 글"),
    ]


def test_flowed_text_is_joined_where_it_says_so(tmp_path: Path) -> None:
    raw = sent("Subject: a", "Content-Type: text/plain; format=flowed", "", "짧은 ", "문장.", "", "끝", "-- ", "서명")
    assert [block.text for block in said_of(mail, raw, EML, tmp_path)[1:]] == ["짧은 문장.", "끝", "--", "서명"]


def composed(subject: str = "제목") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "a@b.kr"
    return message


def test_a_mail_of_html_alone_is_read(tmp_path: Path) -> None:
    message = composed()
    message.set_content("<p>다음 주 <b>화요일</b>에 뵙겠습니다.</p>", subtype="html", charset="euc-kr")
    assert "다음 주 화요일에 뵙겠습니다." in words_of(said_of(mail, message.as_bytes(), EML, tmp_path))


def test_what_html_wants_to_load_or_hide_is_no_text(tmp_path: Path) -> None:
    message = composed()
    message.set_content(
        "<style>p{}</style><img src='https://track.example/1.gif'><div style='display:none'>preheader</div><p>본문</p>",
        subtype="html",
    )
    assert said_of(mail, message.as_bytes(), EML, tmp_path)[2:] == [Block("text", "본문")]


def test_of_two_ways_the_plain_one_is_read_unless_it_says_nothing(tmp_path: Path) -> None:
    message = composed()
    message.set_content("평문 본문")
    message.add_alternative("<p>HTML 본문</p>", subtype="html")
    words = words_of(said_of(mail, message.as_bytes(), EML, tmp_path))
    assert "평문 본문" in words and "HTML 본문" not in words
    message = composed()
    message.set_content("HTML을 지원하는 프로그램으로 보십시오.")
    message.add_alternative(f"<p>{'공지 사항입니다. ' * 30}</p>", subtype="html")
    words = words_of(said_of(mail, message.as_bytes(), EML, tmp_path))
    assert "공지 사항입니다." in words and "지원하는" not in words


def test_attachments_have_their_names_as_labels_and_ours_as_paths(tmp_path: Path) -> None:
    message = composed()
    message.set_content("본문")
    for name in ("견적서(최종).xlsx", "../../etc/passwd", "C:\\boot.ini", "a" * 400):
        message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=name)
    said = said_of(mail, message.as_bytes(), EML, tmp_path)
    insides = [each for each in said if isinstance(each, Inside)]
    assert [each.name for each in insides] == ["견적서(최종).xlsx", "../../etc/passwd", "C:\\boot.ini", "a" * 400]
    assert [each.path for each in insides] == [f"attachment-{number}" for number in (1, 2, 3, 4)]
    assert {path.name for path in (tmp_path / "written").iterdir()} == {each.path for each in insides}


def test_the_name_of_an_attachment_in_encoded_words_is_read(tmp_path: Path) -> None:
    name = in_words("회의록 뷁.hwp", "euc-kr", "cp949", 5)
    raw = sent(
        "Subject: a",
        "Content-Type: multipart/mixed; boundary=B",
        "",
        "--B",
        f'Content-Type: application/octet-stream; name="{name}"',
        "Content-Disposition: attachment",
        "Content-Transfer-Encoding: base64",
        "",
        "aGk=",
        "--B--",
    )
    assert files(said_of(mail, raw, EML, tmp_path), tmp_path) == {"회의록 뷁.hwp": b"hi"}


def test_a_mail_in_a_mail_is_a_file_that_is_read_as_one(tmp_path: Path) -> None:
    inner = composed("안쪽 메일")
    inner.set_content("안쪽 본문 똠", charset="utf-8", cte="8bit")
    outer = composed("바깥")
    outer.set_content("전달합니다.")
    outer.add_attachment(inner)
    found = files(said_of(mail, outer.as_bytes(), EML, tmp_path), tmp_path)
    assert list(found) == ["안쪽 메일.eml"]
    (again := tmp_path / "again").mkdir()
    said = said_of(mail, found["안쪽 메일.eml"], EML, again)
    assert titles(said) == ["안쪽 메일"] and "안쪽 본문 똠" in words_of(said)


def test_a_mail_in_a_mail_may_be_packed_as_other_files_are(tmp_path: Path) -> None:
    inner = base64.encodebytes(sent("Subject: inner", "From: a@b.kr", "", "text")).decode()
    raw = sent("Subject: a", "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", inner)
    found = files(said_of(mail, raw, EML, tmp_path), tmp_path)
    assert found == {"inner.eml": sent("Subject: inner", "From: a@b.kr", "", "text")}


def test_pictures_of_the_layout_and_signatures_are_no_files(tmp_path: Path) -> None:
    message = composed()
    message.set_content("본문")
    message.add_alternative("<p>본문 <img src='cid:logo'></p>", subtype="html")
    related = message.get_payload()[1]  # type: ignore[index]
    related.add_related(b"png", maintype="image", subtype="png", cid="<logo>", filename="logo.png")
    message.make_mixed()
    message.add_attachment(b"s", maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    said = said_of(mail, message.as_bytes(), EML, tmp_path)
    assert files(said, tmp_path) == {} and Note("pictures of the layout: 1") in said


def test_more_attachments_than_twenty_are_counted(tmp_path: Path) -> None:
    message = composed()
    message.set_content("본문")
    for number in range(23):
        message.add_attachment(b"x", maintype="text", subtype="csv", filename=f"{number}.csv")
    said = said_of(mail, message.as_bytes(), EML, tmp_path)
    assert len(files(said, tmp_path)) == 20
    assert said[-1] == Note("attachments that are too many or too large: 3")


def test_an_encrypted_mail_says_so(tmp_path: Path) -> None:
    raw = sent("Subject: 비밀", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "", "MIAG")
    assert reason_of(mail, raw, EML, tmp_path) is Reason.ENCRYPTED


@pytest.mark.parametrize(
    "raw",
    [
        sent("Subject: a", "Content-Type: multipart/mixed", "", "no boundary"),
        sent("Subject: a", 'Content-Type: multipart/mixed; boundary="B"', "", "--B", "", "never ends"),
        sent("Subject: =?utf-8?B?AAAAA?= =?utf-8?Q?=ZZ?=", 'From: "<<>>,;:@', "Date: 99 99 9999", "", "body"),
        sent("Subject: a", "Content-Type: /;;;=", "Content-Transfer-Encoding: base64", "", "%%%not base64%%%"),
        sent("Subject: a", "Content-Type: text/plain; charset*=utf-8''%ff; format*0*=x", "", "body"),
        sent("Subject: a", "Content-Type: message/rfc822", "Content-Transfer-Encoding: base64", "", "QUJD"),
        sent("Subject: a\0b", "", "nul \0 in the body"),
    ],
)
def test_mail_that_breaks_the_rules_is_read_as_far_as_it_goes(raw: bytes, tmp_path: Path) -> None:
    assert said_of(mail, raw, EML, tmp_path)


def nested(depth: int) -> bytes:
    within = ((f"Content-Type: multipart/mixed; boundary=B{n}", "", f"--B{n}") for n in range(depth))
    return sent("Subject: a", *(line for lines in within for line in lines), "", "deep")


def test_parts_within_parts_without_end_are_given_up(tmp_path: Path) -> None:
    said = said_of(mail, nested(60), EML, tmp_path)
    assert said[-1] == Note("parts that are not read: 1") and "deep" not in words_of(said)
    assert reason_of(mail, nested(3000), EML, tmp_path) is Reason.DAMAGED


# --- Outlook ---------------------------------------------------------------------------------------


def changed(tmp_path: Path, **streams: bytes) -> Path:
    """The handed mail with the contents of these streams replaced, which keep their sizes."""
    path = tmp_path / "changed.msg"
    path.write_bytes(shared("msg/attachments.msg").read_bytes())
    with olefile.OleFileIO(str(path), write_mode=True) as ole:
        for name, data in streams.items():
            size = ole.get_size(f"__substg1.0_{name}")
            ole.write_stream(f"__substg1.0_{name}", data[:size].ljust(size, b"\0"))
    return path


def test_text_of_outlook_is_read_with_its_nuls_and_halves_of_letters(tmp_path: Path) -> None:
    said = said_of(mail, changed(tmp_path, **{"0037001F": "견적 문의".encode("utf-16-le")}), MSG, tmp_path)
    assert titles(said) == ["견적 문의"]


@pytest.mark.parametrize("page", [949, 51949, 65001, 950, 99999])
def test_a_code_page_that_python_calls_otherwise_or_not_at_all_is_no_obstacle(page: int) -> None:
    codec = {65001: "utf-8", 950: "cp950"}.get(page, "cp949")
    text = "繁體中文" if page == 950 else "한국어 제목입니다"
    listed = bytes(32) + struct.pack("<HHIQ", 3, 0x3FDE, 0, page)
    streams = (Stream("__properties_version1.0", listed), Stream("__substg1.0_0037001E", text.encode(codec)))
    assert outlook._letter(Storage("", streams, ()), 32, 0).subject == text


def test_a_mail_in_a_mail_of_outlook_is_read_in_its_place() -> None:
    def text(name: str, said: str) -> Stream:
        return Stream(f"__substg1.0_{name}001F", said.encode("utf-16-le"))

    inner = Storage(
        "__substg1.0_3701000D",
        (Stream("__properties_version1.0", bytes(24)), text("0037", "안쪽"), text("1000", "안쪽 본문")),
        (),
    )
    method = Stream("__properties_version1.0", bytes(8) + struct.pack("<HHIQ", 3, 0x3705, 0, 5))
    attachment = Storage("__attach_version1.0_#00000000", (method,), (inner,))
    outer = Storage("", (Stream("__properties_version1.0", bytes(32)), text("0037", "바깥")), (attachment,))
    letter = outlook._letter(outer, 32, 0)
    assert [(each.subject, each.texts[0].text) for each in letter.inner] == [("안쪽", "안쪽 본문")]


# The two examples of [MS-OXRTFCP] 4.1 and 4.2: with what every window begins with, and with what repeats itself.
_HELLO = (
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0",
    b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
)
_REPEATS = ("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}")


@pytest.mark.parametrize(("packed", "rtf"), [_HELLO, _REPEATS])
def test_the_rtf_of_outlook_is_unpacked(packed: str, rtf: bytes) -> None:
    whole = bytes.fromhex(packed)
    assert unpacked(whole) == rtf
    assert all(rtf.startswith(unpacked(whole[:kept])) for kept in range(len(whole)))


def test_what_is_no_rtf_of_outlook_or_says_that_it_is_huge_is_none() -> None:
    whole = bytes.fromhex(_HELLO[0])
    assert unpacked(b"") == unpacked(bytes(40)) == unpacked(whole[:4] + b"\xff" * 4 + whole[8:]) == b""


def test_a_mail_of_outlook_that_is_rtf_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = Stream("__substg1.0_10090102", bytes.fromhex(_HELLO[0]))
    storage = Storage("", (Stream("__properties_version1.0", bytes(32)), packed), ())
    monkeypatch.setattr(outlook, "read", lambda path: outlook._letter(storage, 32, 0))
    assert said_of(mail, b"", MSG, tmp_path) == [Block("text", "hello world")]
    assert [path.name for path in (tmp_path / "written").iterdir()] == ["body"]  # which a parser cannot remove


@pytest.mark.parametrize("kept", [8, 600, 3000])
def test_a_mail_of_outlook_that_was_cut_off_is_damaged(kept: int, tmp_path: Path) -> None:
    assert reason_of(mail, shared("msg/attachments.msg").read_bytes()[:kept], MSG, tmp_path) is Reason.DAMAGED
