"""One page gives one text, whatever dialect it comes in, and no word a person can read is lost."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arcana_pipelines.markdown.inline import readable
from arcana_pipelines.markdown.normalise import normalise
from arcana_pipelines.markdown.reader import without_literals

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PAGE = "1f7effb2-9211-800a-af32-c10cd6f51abc"
HEX = PAGE.replace("-", "")
BLOCK = "1f8effb2-9211-8024-8da6-d7c4ac2c3482"
SIGNED = "https://prod-files-secure.s3.us-west-2.amazonaws.com/a/b/plan.png?X-Amz-Algorithm=A&X-Amz-Signature="


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


INLINE = {
    "bold joins its neighbours": ("**H**ello", "Hello"),
    "italic, struck, both": ("*a* ~~b~~ ***c***", "a b c"),
    "tags of emphasis": ("<b>H</b><i>e</i><u>l</u><s>lo</s>", "Hello"),
    "colour spans nest": ('<span color="red"><span underline="true">r</span>ed</span>', "red"),
    "closing marker after a space (v1)": ("**굵게 **$`x`$** 다음**", "굵게 $x$ 다음"),
    "closing marker between punctuation and Hangul": ('**"말"**은', '"말"은'),
    "escaped star": (r"5 \* 3", "5 * 3"),
    "lone star": ("2 * 3 * 4", "2 * 3 * 4"),
    "unpacking": ("f(*args, **kw)", "f(*args, **kw)"),
    "snake case": ("a snake_case_name and __init__", "a snake_case_name and __init__"),
    "code span keeps everything": ("run `a**b** <b> \\*`", "run `a**b** <b> \\*`"),
    "double fence": ("``a ` b``", "``a ` b``"),
    "math keeps everything": (r"$a*b*c_{1}$", r"$a*b*c_{1}$"),
    "v1 math": (r"$`\lambda`$", r"$\lambda$"),
    "prices are no math": ("$5 and **$10**", "$5 and $10"),
    "entities": ("A &amp; B &copy; &#44032;", "A & B © 가"),
    "link": ("see [the *plan*](https://x.y/z)", "see the plan"),
    "link with brackets inside": ("[a [b] c](https://x.y/(z))", "a [b] c"),
    "link without text": ("[](https://x.y/z)", "https://x.y/z"),
    "linked picture": ("[![alt](https://x.y/i.png)](https://x.y)", "alt"),
    "autolink": ("<https://x.y/z>", "https://x.y/z"),
    "citation": ("Sure[^https://x.y/z].", "Sure https://x.y/z."),
    "picture without caption": (f"![]({SIGNED}1)", "plan.png"),
    "name in percent": ("![](https://x.y/%ED%95%9C%EA%B8%80%20a.png)", "한글 a.png"),
    "embedded data": ("a ![](data:image/png;base64,AAAA) b", "a b"),
    "break": ("a<br>b<br/>c<br />d", "a\nb\nc\nd"),
    "hard break": ("a\\\nb", "a\nb"),
    "mention": (f'<mention url="https://app.notion.com/p/x-{HEX}">Plan *B*</mention>!', r"Plan \*B\*!"),
    "v1 mention": (f'<mention-page url="https://www.notion.so/{HEX}">계획</mention-page>', "계획"),
    "mention without a name": (f'a <mention-page url="/{HEX}"/> b', "a b"),
    "date": ('<date start="2026-07-01"/>', "2026-07-01"),
    "date range": ('<date start="2026-07-01" end="2026-07-05" />', "2026-07-01 → 2026-07-05"),
    "v1 date with a time": (
        '<mention-date start="2026-07-01" startTime="09:00" timeZone="Asia/Seoul"/>',
        "2026-07-01 09:00 (Asia/Seoul)",
    ),
    "custom emoji": ("hi :party:", "hi :party:"),
    "colour of a block": ('a {color="red"}', "a"),
    "braces in text": ("a {b} c", "a {b} c"),
    "placeholder": ("Vec<T> and <your name here> and a < b", "Vec<T> and <your name here> and a < b"),
    "unknown tag": ('<future-thing x="1">text</future-thing>', '<future-thing x="1">text</future-thing>'),
    "literal tag": (r"\<b> and &lt;p&gt; and &lt;div>", r"\<b> and \<p> and \<div>"),
    "literal emphasis": (r"\*a\*", r"\*a\*"),
    "literal link": (r"\[a](b)", r"[a\](b)"),
    "windows path": (r"C:\dir\file", r"C:\dir\file"),
    "controls": ("a\x00b\ud800c\x1b\ufeff", "abc"),
    "composed": ("e\u0301", "é"),
    "tabs and doubled spaces": ("a\tb  c ", "a b c"),
}


@pytest.mark.parametrize(("source", "expected"), INLINE.values(), ids=INLINE.keys())
def test_text_inside_a_block(source: str, expected: str) -> None:
    assert normalise(source).text == expected
    assert normalise(expected).text == expected


BLOCKS = {
    "headings": ("# a\n## b\n#### d\n#no", "# a\n\n## b\n\n#### d\n\n#no"),
    "v1 list": ("- a\n\t- b\n\t\t1. c\n- d", "- a\n  - b\n    1. c\n- d"),
    "list with blank lines": ("* a\n\n* b\n\n    + c", "- a\n- b\n  - c"),
    "tasks": ("- [ ] a\n- [x] b\n- [X] c", "- [ ] a\n- [x] b\n- [x] c"),
    "numbers that count": ("1. a\n2. b\n3) c", "1. a\n1. b\n1. c"),
    "numbers that say something": ("2026. 7. 1. 회의록", "2026. 7. 1. 회의록"),
    "list beginning at five": ("5. a\n6. b", "5. a\n6. b"),
    "a list counts on behind what stands in an item": (
        "1. a\n\n   para\n\n1. b\n   ```\n   x\n   ```\n1. c\n\n    > q\n\n"
        "1. d\n\n   | t |\n   | - |\n1. e\nlazy\n1. f",
        "1. a\n\npara\n\n2. b\n\n```\nx\n```\n\n3. c\n\n> q\n\n4. d\n\n| t |\n| --- |\n\n5. e\n\nlazy\n\n6. f",
    ),
    "a list inside of another counts on too": (
        "1. a\n   1. x\n\n      px\n   1. y\n\n      - z\n\n        pz\n1. b",
        "1. a\n  1. x\n\npx\n\n2. y\n  - z\n\npz\n\n2. b",
    ),
    "a list of an item with a quote or a tag in it": (
        "> 1. a\n>\n>    para\n> 1. b\n\np\n\n1. c\n   <aside>\n   call\n   </aside>\n1. d",
        "1. a\n\n> para\n\n2. b\n\np\n\n1. c\n\ncall\n\n2. d",
    ),
    "what is not indented ends a list": (
        "1. a\n\nbetween\n\n1. b\n\n## h\n\n1. c\n\n---\n\n1. d\n```\nx\n```\n1. e",
        "1. a\n\nbetween\n\n1. b\n\n## h\n\n1. c\n\n---\n\n1. d\n\n```\nx\n```\n\n1. e",
    ),
    "items in an item stay in it behind a list that began deeper": (
        "- a\n  1. x\n\n     p\n  2. y\n- b\n  1. z\n     - zz\n- c",
        "- a\n  1. x\n\np\n\n2. y\n- b\n  1. z\n    - zz\n- c",
    ),
    "a list that begins again in another": ("1. a\n2. b\n\n   p\n\n1. c\n2. d", "1. a\n1. b\n\np\n\n1. c\n1. d"),
    "numbers that are counted as they are written": ("> 1. a\n\n1. b\n3. c", "1. a\n1. b\n1. c"),
    "numbers that are not": ("1. a\n\n   p\n\n   1. x\n   2. y\n2. b\n3. c", "1. a\n\np\n\n1. x\n1. y\n2. b\n3. c"),
    "a list that counts down": ("3. a\n2. b\n1. c", "3. a\n2. b\n1. c"),
    "line break in an item": ("- a<br>b\n- c", "- a\n  b\n- c"),
    "paragraph below an item (v1)": ("- a\n\tb\n\t- c", "- a\n\nb\n\n- c"),
    "empty items": ("-\n- a\n- [ ] ", "- a"),
    "quote": ("> a\n> b", "> a\n> b"),
    "v1 quote": ('> a<br>b {color="red"}\n> c', "> a\n> b\n\n> c"),
    "quote with a list and code": ("> a\n>\n> - b\n> ```py\n> > x\n> ```", "> a\n\n- b\n\n```py\n> x\n```"),
    "nested quotes": (">>> a", "> a"),
    "code": ("```python\na  \n\n\tb **c** \\*\n```", "```python\na  \n\n\tb **c** \\*\n```"),
    "code with fences in it": ("````\n```\na\n```\n````", "````\n```\na\n```\n````"),
    "tilde fence, never closed": ("~~~\na", "```\na\n```"),
    "code in a v1 toggle": (
        "<details>\n<summary>t</summary>\n\t```\n\ta\n\t\tb\n\t```\n</details>",
        "t\n\n```\na\n\tb\n```",
    ),
    "equation": ("$$\n\tx^2\n  \n y\n$$", "$$\nx^2\ny\n$$"),
    "equation on one line": ("$$x$$", "$$\nx\n$$"),
    "equation tag": ("<equation>a &lt; b</equation>", "$$\na < b\n$$"),
    "dollars that open nothing": ("$$\na", "\\$$\na"),
    "divider": ("a\n\n---\n\nb\n\n* * *", "a\n\n---\n\nb\n\n---"),
    "pipe table": (
        "| a | b\n|:--|-:|\n| `x\\|y` | 2 \\| **3** |\n| c |",
        "| a | b |\n| --- | --- |\n| `x\\|y` | 2 \\| 3 |\n| c |  |",
    ),
    "a table without bars at the ends of its lines": (
        "Ports\nNo | *Use*\n:-- | ---\n`80` | web\n443 | web \\| api\n\ntext",
        "Ports\n\n| No | Use |\n| --- | --- |\n| `80` | web |\n| 443 | web \\| api |\n\ntext",
    ),
    "bars that are text": (
        "a \\| b\\\n\\--- \\| ---\n\n- c\\\n  d | e\\\n  \\-- | --\n\nf | g\n---\n\nh | i\n-- | -- | --",
        "a | b\n\\--- | ---\n\n- c\n  d | e\n  \\-- | --\n\nf | g\n\n---\n\nh | i\n\\-- | -- | --",
    ),
    "v1 table": (
        '<table header-row="true">\n\t<colgroup>\n\t\t<col color="red">\n\t</colgroup>\n\t<tr color="red">\n'
        "\t\t<td>**a**</td>\n\t\t<td>b | c<br>d</td>\n\t</tr>\n"
        "\t<tr>\n\t\t<td/>\n\t\t<td>1</td>\n\t</tr>\n</table>",
        "| a | b \\| c d |\n| --- | --- |\n|  | 1 |",
    ),
    "v2 table": (
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>`</td>`</td></tr></table>\nafter",
        "| a | b |\n| --- | --- |\n| 1 | `</td>` |\n\nafter",
    ),
    "v1 list that counts on behind what stands in an item": (
        '1. a\n\tb\n1. c\n- d {color="red"}',
        "1. a\n\nb\n\n2. c\n- d",
    ),
    "v1 callout": ('<callout icon="🎯" color="red_bg">\n\ta\n\t- b\n</callout>', "🎯 a\n\n- b"),
    "v2 callout": ('<callout icon="💡" color="red_bg">\nTitle\n\n- b\n</callout>', "💡 Title\n\n- b"),
    "callout with a picture for an icon": ('<callout icon="/icons/a.svg">a</callout>', "a"),
    "export callout": (
        '<aside>\n<img src="https://www.notion.so/a.svg" alt="https://www.notion.so/a.svg" width="40px" />'
        "\n\n💡 a\n\n</aside>\n\nb",
        "💡 a\n\nb",
    ),
    "v1 toggle": ('<details color="red">\n<summary>**t**</summary>\n\ta\n\tb\n</details>', "t\n\na\n\nb"),
    "v1 toggle heading": ('## t {toggle="true" color="red"}\n\ta', "## t\n\na"),
    "v2 toggle": ('<toggle heading="h3" color="red">\nt\n\na\n</toggle>', "### t\n\na"),
    "export toggle": ("- t\n    \n    a\n    \n    b", "- t\n\na\n\nb"),
    "v2 titled tags": ("<h2>\na\n</h2>\n<quote>\nb\n\n- c\n</quote>\n<p>d</p>", "## a\n\n> b\n\n- c\n\nd"),
    "v2 list tags": (
        '<ol type="a"><li>a</li><li color="red">\nb\n\npara\n\n- c\n</li></ol>',
        "1. a\n1. b\n\npara\n\n- c",
    ),
    "v2 task": (
        '<todo checked="true" color="red">a</todo>\n<todo checked="false">b</todo>',
        "- [x] a\n- [ ] b",
    ),
    "columns": (
        '<columns>\n\t<column ratio="50">\n\t\ta\n\t</column>\n\t<column>\n\t\tb\n\t</column>\n</columns>',
        "a\n\nb",
    ),
    "tabs": (
        '<tabs>\n<tab icon="🎯">\nOne\n\na\n</tab>\n<tab>\nTwo\n\nb\n</tab>\n</tabs>',
        "One\n\na\n\nTwo\n\nb",
    ),
    "mail": ('<mail to="a@x.y" subject="Hello">\nBody\n</mail>', "Subject: Hello\n\nTo: a@x.y\n\nBody"),
    "meeting notes": (
        '<meeting-notes view-url="/x">Weekly<meeting-notes-section-notes>n</meeting-notes-section-notes>'
        "<meeting-notes-section-summary>s</meeting-notes-section-summary></meeting-notes>",
        "Weekly\n\nn\n\ns",
    ),
    "media": (
        '<image source="https://x.y/a.png" color="red">cap</image>\n<pdf source="https://x.y/r.pdf?sig=1"></pdf>\n'
        '<file src="https://x.y/b.zip">파일</file>\n<video source="https://youtu.be/watch?v=1"/>',
        "cap\n\nr.pdf\n\n파일 b.zip\n\nhttps://youtu.be/watch?v=1",
    ),
    "bookmark": (
        '<bookmark source="https://x.y/a?b=1&Signature=2&Expires=3">c</bookmark>',
        "c https://x.y/a",
    ),
    "child page": (f'<page url="https://app.notion.com/p/{HEX}" color="red">A \\* B</page>', "A * B"),
    "database": (
        '<database url="/x" inline="true" icon="🎯" data-source-url="collection://1">D</database>',
        "D",
    ),
    "contents and empty blocks": ('<table_of_contents color="red"/>\n<empty-block/>\na\n<p />', "a"),
    "v1 paragraphs": ("<empty-block/>\na\nb", "a\n\nb"),
    "literal markup at a line's start": (
        "\\# a\n\n\\- b\n\n1\\. c\n\n\\> d\n\n\\| e",
        "\\# a\n\n\\- b\n\n1\\. c\n\n\\> d\n\n\\| e",
    ),
    "tags in code are code": (
        "`<callout>` a\n\n```\n<details>\n\tb\n```",
        "`<callout>` a\n\n```\n<details>\n\tb\n```",
    ),
    "comments": (
        "<!-- a -->\nb <!-- c --> d<!---->\n\n<!--\n```\ne\n\n-->f\n\n<!-- [r]: x\n-->\n[r]",
        "b d\n\nf\n\n[r]",
    ),
    "comments that are text": (
        "`<!-- a -->` \\<!-- b -->\n\n```\n<!-- c -->\n```\n\n<!-- d",
        "`<!-- a -->` \\<!-- b -->\n\n```\n<!-- c -->\n```\n\n\\<!-- d",
    ),
    "a remark that is written as a reference": ("a\n\n[//]: # (hidden)\n\nb", "a\n\nb"),
    "a heading above a line of equals signs": ("Two\nlines\n=====\ntext\n\n====", "# Two lines\n\ntext\n\n===="),
    "equals signs that are text": ("a\n\\====", "a\n\\===="),
    "a divider below a line": ("a\n---\nb", "a\n\n---\n\nb"),
    "HTML of a read-me": (
        '<div align="center">\n<img src="a.png" alt="Logo">\n<b>Hi</b>\n</div>\n\n<center>\na\n</center>',
        "Logo\nHi\n\na",
    ),
    "line breaks with blanks around them": (
        "a <br>\nb\n\n| x | y |\n| - | - |\n| c <br> d | <br> |",
        "a\nb\n\n| x | y |\n| --- | --- |\n| c d | \\<br> |",
    ),
    "windows line ends": ("a\r\n\r\nb\r", "a\n\nb"),
}


@pytest.mark.parametrize(("source", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_blocks(source: str, expected: str) -> None:
    assert normalise(source).text == expected
    assert normalise(expected).text == expected


def test_links_are_found_once_and_in_order() -> None:
    other = "2" * 32
    source = (
        f"[a](/{HEX}?pvs=25) [b](https://www.notion.so/Some-Title-{other}#{'3' * 32}) "
        f'<mention url="https://app.notion.com/p/x-{HEX}">c</mention> '
        f'<mention url="user://{"4" * 32}">d</mention>\n\n'
        f'<page url="https://app.notion.com/p/{"5" * 32}">e</page>\n\n'
        f"[f](Folder%20x/Title%20{'6' * 32}.md) [g](https://x.y/{'7' * 32})"
    )
    digits = [link[0] for link in normalise(source).links]
    assert digits == ["1", "2", "5", "6"]
    assert normalise(source).links[0] == PAGE


def test_what_the_source_does_not_show_is_reported() -> None:
    result = normalise(f'a\n<unknown url="https://app.notion.com/p/{HEX}#{BLOCK.replace("-", "")}" alt="button"/>\nb')
    assert result.unresolved == (BLOCK,)
    assert words(result.text) == ["a", "b"]


@pytest.mark.parametrize(
    "query",
    [
        "X-Amz-Algorithm=A&X-Amz-Credential=c&X-Amz-Signature={}",
        "Expires={}&Signature=x&Key-Pair-Id=k",
        "sv=1&se={}&sig=abc",
        "table=block&id=1&expirationTimestamp={}&signature=s",
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        "![]({})",
        "![cap]({})",
        "[]({})",
        "{}",
        '<file source="{}">f</file>',
        '<embed source="{}"/>',
        "[{0}]({0})",
    ],
)
def test_a_new_signature_changes_nothing(form: str, query: str) -> None:
    first, second = (form.format(f"https://any.host/p/a.png?{query.format(n)}") for n in (1, 2))
    assert normalise(first).text == normalise(second).text != ""
    assert "?" not in normalise(first).text


def test_a_synced_block_is_shown_once_a_page() -> None:
    block = f'<synced_block url="https://app.notion.com/p/x#{HEX}">\n\ta\n</synced_block>'
    copy = block.replace("synced_block", "synced_block_reference")
    assert normalise(f"{block}\nb\n{copy}\nc").text == normalise(f"{copy}\nb\n{block}\nc").text == "a\n\nb\n\nc"
    assert words(normalise(f"{block}\nb\n{copy.removesuffix('</synced_block_reference>')}\nc").text)[-1] == "c"


def test_readable_drops_the_last_backslashes_outside_code() -> None:
    text = normalise("\\<b> `\\<b>` \\# a\n\n```\n\\*\n```\n\n\\# a").text
    assert readable(text) == "<b> `\\<b>` # a\n\n```\n\\*\n```\n\n# a"


MARKUP = st.sampled_from(
    [
        "*",
        "**",
        "***",
        "_",
        "~~",
        "`",
        "``",
        "```",
        "$",
        "$$",
        "[",
        "]",
        "](",
        "(",
        ")",
        "![",
        "<",
        ">",
        "<b>",
        "</b>",
        "<br>",
        "<p>",
        "</p>",
        "<quote>",
        "</quote>",
        "<ul>",
        '<ol type="a">',
        "</ol>",
        '<todo checked="true">',
        "</todo>",
        "<li>",
        "</li>",
        "</ul>",
        "<table>",
        "<tr>",
        "<td>",
        "</td>",
        "</table>",
        "<details>",
        "<summary>",
        "</summary>",
        "</details>",
        "<empty-block/>",
        "<h2>",
        "</h2>",
        "<equation>",
        "</equation>",
        "&",
        "&lt;",
        "&amp;",
        "&#42;",
        "\\",
        "\\*",
        "\\<",
        "\\`",
        "\\$",
        "#",
        ">",
        "-",
        "+",
        "1.",
        "3.",
        "[x]",
        "|",
        "|---|",
        "---",
        "~~~",
        '{color="red"}',
        "{",
        "}",
        "[^https://x.y]",
        "https://x.y/?sig=1&b=2",
        "<T>",
        "<foo>",
        "a",
        "한글",
        "é",
        "́",
        "5",
        "=",
        ":",
        "!",
        "\n",
        "\n\n",
        "\n  ",
        "\n    ",
        "\n\t",
        "\t",
        " ",
        "# ",
        "- ",
        "> ",
        "1. ",
        "- [ ] ",
        "| a |",
        "\r\n",
        "\x00",
        '<callout icon="💡">',
        "</callout>",
        f'<synced_block url="/{HEX}">',
        "</synced_block>",
        '<image source="https://a/b.png?sig=1">',
        "</image>",
    ]
)
TEXTS = st.lists(MARKUP | st.text(max_size=4), max_size=16).map("".join)


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_the_normal_form_is_its_own_normal_form(source: str) -> None:
    once = normalise(source).text
    assert normalise(once).text == once
    assert once == once.strip("\n")
    assert not re.search(r"\x00|[\ud800-\udfff]|\r", once)
    outside_code = re.sub(r"(?ms)^(`{3,})[^\n`]*\n.*?^\1$", "", once)
    assert not re.search(r"\n\n\n| $", outside_code.replace("```", ""), re.M) or "`" in source


@settings(max_examples=150)
@given(st.lists(st.text("abc한글xyz", min_size=1), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_words_survive_any_markup_around_them(content: list[str], random) -> None:  # type: ignore[no-untyped-def]
    around = [
        "**{}**", "*{}*", "~~{}~~", "<b>{}</b>", '<span color="red">{}</span>', "[{}](https://x.y)", "{}",
        "`{}`", '<mention url="user://1">{}</mention>', "# {}", "> {}", "- {}", "1. {}", "- [ ] {}",
        "| {} |\n|---|", "<callout>\n\t{}\n</callout>", "<toggle>\n{}\n</toggle>",
        "<details>\n<summary>{}</summary>\n</details>", "<table><tr><td>{}</td></tr></table>",
        "```\n{}\n```", "$$\n{}\n$$",
        '<file source="">{}</file>', "<u>{}</u>",
    ]  # fmt: skip
    source = "\n\n".join(random.choice(around).format(word) for word in content)
    assert [word for word in words(normalise(source).text) if word != "1"] == content  # the list's number


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "*",
        "**a",
        "*a ",
        "[",
        "](",
        "[a](",
        "[a](b)",
        "<",
        "<a",
        "<b>",
        '<a x="',
        "`",
        "` ``",
        "$",
        "$a",
        "\\",
        "&lt;",
        ">",
        "> ",
        "- ",
        "~~a",
        "<callout>",
        "<table>",
        '<mention url="a">',
        '{color="a"} ',
        "a ",
        "가",
        "| a",
        "a <br> ",
        "| a <br> ",
        "`<!--` ",
        "<!-- --> ",
        "<!--",
        "<img src=a> ",
        "x",
        "![",
        "\t",
    ],
)
def test_time_is_linear_in_any_line(unit: str) -> None:
    line = unit * (300_000 // len(unit))
    started = time.process_time()
    once = normalise(line).text
    assert time.process_time() - started < 2
    assert normalise(once).text == once


@pytest.mark.parametrize(
    "unit",
    [
        "<table>\n",
        "$$\n",
        "```\n",
        "> \n",
        "- a\n",
        "<ul>\n",
        "<details>\n",
        "*a\n",
        "`\n",
        "<!-- `\n",
        "a\n===\n",
        "a <br>\n",
        "1. a\n\n   b\n",
        "<div>\n",
    ],
)
def test_time_is_linear_in_lines(unit: str) -> None:
    started = time.process_time()
    normalise(unit * 20_000)
    assert time.process_time() - started < 2


def test_deep_nesting_neither_recurses_nor_grows() -> None:
    deep = "\n".join("\t" * level + f"- a{level}" for level in range(1200))
    text = normalise(deep).text
    assert words(text) == [f"a{level}" for level in range(1200)]
    assert len(text) < 80_000
    assert normalise(">" * 10_000 + " a").text == "> a"
    assert words(normalise("<callout>\n" * 5000 + "a\n" + "</callout>\n" * 5000).text) == ["a"]


def test_real_documentation_reads_the_same_twice() -> None:
    corpus = SHARED / "docs-corpus"
    if not corpus.is_dir():
        pytest.skip(f"SKIPPED LOUDLY: no recorded documents at {corpus}; this test proves nothing here")
    for path in sorted(corpus.rglob("*.md"))[::7]:
        once = normalise(path.read_text(encoding="utf-8")).text
        assert normalise(once).text == once, path.name


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("```html\n<a/>\n```\n<b/>", "       \n    \n   \n<b/>"),
        ("`<a/>` <b/>", "       <b/>"),
        ("\\`<a/>\\` <b/>", "  <a/>   <b/>"),
        ("````\n```\n<a/>\n````", "    \n   \n    \n    "),
    ],
)
def test_a_tag_in_code_is_none_but_one_between_escaped_ticks_is(source: str, kept: str) -> None:
    assert without_literals(source) == kept


@pytest.mark.timeout(20)
@pytest.mark.parametrize("below", ["", "\n> b", "\n\n> b\n\nend"])
def test_a_row_at_the_end_of_a_quote_is_no_table_with_the_line_below(below: str) -> None:
    text = normalise(f"> | a |\n| --- |{below}").text
    assert text.startswith("> \\| a |\n\n\\| --- |") and normalise(text).text == text


def test_a_file_that_is_referred_to_by_its_block_is_shown_by_its_name() -> None:
    said = (
        '{"source":"attachment:12345678-1234-1234-1234-123456789abc:연차 규정: 100%.pdf","permissionRecord":{"id":"x"}}'
    )
    assert normalise(f'<pdf source="file://{quote(said)}"></pdf>').text == "연차 규정: 100%.pdf"
    assert "file://" in normalise(f'<pdf source="file://{quote("{")}"></pdf>').text
