"""Pages made to take long: each pattern is repeated to any length.

A unit that is repeated finds what is searched for again from every place; two units, the second from the middle on,
find what looks for an end that comes late or never.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

_UNITS = {
    # brackets and links
    "openings of attributes": '{color="',
    "attributes without an end": '{color="red" ',
    "toggles without an end": '{toggle="true',
    "blanks and openings": ' {color="a" b',
    "brackets": "[",
    "closing brackets": "]",
    "picture brackets": "![",
    "half links": "[a](",
    "links in links": "[a](b [",
    "links without an end": "[a](<b ",
    "titles without an end": '[a](b "',
    "parentheses": "[a](b(",
    "balanced parentheses": "[a](b(c)",
    "links with blanks": "[a](    ",
    "references": "[a][b]",
    "definitions": "[a]: /b\n",
    "definitions without an end": "[a]:\n",
    "definitions in a line": "[a]: ",
    "definition labels": "[a\\",
    "citations": "[^http://a",
    "citations without an end": " [^/",
    "citations in citations": "[^/",
    "citations of the web in citations": "[^http://",
    "closed brackets": "[a]",
    "nested pictures": "[![a](b)](c) ",
    # tags
    "tags": "<b>",
    "tags without an end": "<b",
    "attributes": '<x a="b" ',
    "attributes of a known tag": '<span a="b" ',
    "many attributes": ' a="b"',
    "blanks in a tag": "<p          ",
    "equals signs": "<p a=",
    "quotes": "<p a='",
    "closing tags": "</p>",
    "placeholders": "<a-b>",
    "typed tags": "the <p> tag ",
    "weak openings": "<p> a\n",
    "weak openings and ends": "<p> <li> a</p>\n",
    "blanks in tags": "<p>    </p>",
    "open angles": "<",
    "closed angles": ">a",
    "autolinks": "<http://a",
    "autolinks with blanks": "<http://a b",
    "tables": "<table><tr><td>a",
    "tables without an end": "<table>\n",
    "cells": "<td>a</td>",
    "rows": "<tr>",
    "equations without an end": "<equation>\n",
    "callouts": "<callout>\n",
    "callouts in a line": "<callout>a",
    "quotes of tags": "<quote>\n",
    "toggles": "<toggle>\n",
    "details": "<details>\n<summary>a</summary>\n",
    "lists of tags": "<ul><li>a",
    "ordered lists of tags": "<ol><li>a\n",
    "pictures": '<image source="',
    "files": '<file source="a">',
    "synced": '<synced-block url="#1f8effb292118024 8da6d7c4ac2c3482">\n',
    "synced copies": '<synced-block url="/1f8effb2921180248da6d7c4ac2c3482">\n',
    "mentions": '<mention url="a">',
    "mentions without an end": "<mention ",
    "mentions with a label": "<mention>a</mention>",
    "unknown": '<unknown url="a"/>',
    "unknown without an end": "<unknown ",
    "escaped unknown without an end": "\\<unknown ",
    "unknown blocks": '<unknown url="#1f8effb292118024 8da6d7c4ac2c3482" alt="a"/> ',
    "synced references without an end": "<synced-block-reference ",
    "blanks before unknown": "  \t<unknown",
    "pages": '<page url="a">',
    "dates": '<date start="a" ',
    "breaks": "<br>",
    "comments": "<!--",
    # emphasis, code, equations
    "stars": "*",
    "stars and letters": "*a",
    "double stars": "**a",
    "triple stars": "***a ",
    "stars after blanks": "a *",
    "closers": "a* ",
    "stars of both kinds": "*a **b",
    "tildes": "~~a",
    "lone tildes": "~a",
    "underscores": "_a",
    "backticks": "`",
    "code": "`a",
    "double code": "``a`",
    "fences": "```\n",
    "fences and text": "a\n```b\n",
    "tilde fences": "~~~\na\n",
    "dollars": "$",
    "equations": "$a",
    "escaped equations": "$\\a",
    "equations with code": "$`a",
    "display equations": "$$\n",
    "display equations and text": "$$\na\n",
    "prices": "$1 ",
    "backslashes": "\\",
    "escapes": "\\*",
    "escaped brackets": "\\[a\\](b)",
    "entities": "&amp;",
    "entities without an end": "&a",
    "numbers of characters": "&#",
    "literal tags": "&lt;b&gt;",
    "ampersands": "&",
    # blocks
    "headings": "# a\n",
    "deep headings": "###### a\n\n",
    "hashes": "#",
    "headings without text": "#\n",
    "quotes in quotes": ">",
    "quoted lines": "> a\n",
    "quotes with blanks": "> > >\n",
    "lists": "- a\n",
    "list markers": "- ",
    "numbers": "1. a\n",
    "numbers in a line": "1. ",
    "tasks": "- [ ] a\n",
    "rules": "---\n",
    "dashes": "-",
    "dashes with blanks": "- - ",
    "pipes": "|",
    "pipe rows": "| a | b |\n",
    "rows with a delimiter": "| a |\n| - |\n",
    "delimiters": "| --- ",
    "delimiter rows": "|-|\n",
    "escaped pipes": "|\\|",
    "rows of bars": "|a\n",
    "blank lines": "\n",
    "blanks": " ",
    "tabs": "\t",
    "tabbed lines": "\ta\n",
    "lines of blanks": " \n",
    "line ends": "\r",
    "form feeds": "\x0c",
    # addresses
    "addresses": "http://a.b/c?d=e&",
    "addresses without a path": "http://",
    "signatures": "https://a/b?X-Amz-Signature=1 ",
    "one long address": "a?sig=",
    "ids": "1f7effb29211800aaf32c10cd6f51abc",
    "halves of ids": "1f7effb2-",
    "data": "data:image/png;base64,AAAA ",
    "data without an end": "data:a/b",
    "data in css": "url(data:a/b,",
    "quoted data": '"data:a/b;c=d,',
    "colons": ":",
    # words
    "letters": "a",
    "letters of base64": "aB3+",
    "wrapped base64": "aB3/" * 19 + "\n",
    "digits": "7",
    "numbers without spaces": "5185,",
    "decimals": "1.",
    "sentences": "a. ",
    "sentence ends": ".",
    "ends and blanks": "?) ",
    "Korean without spaces": "가나다",
    "Chinese without spaces": "中文",
    "Chinese sentences": "。",
    "closing quotes": "。」",
    "endings": "에서는",
    "jamo": "ᄀ",
    "kana": "ゔ",
    "combining marks": "\u0301",
    "marked letters": "e\u0301\u0316",
    "marks of many classes": "\u0315\u0300\u05ae\u0301",
    "Hebrew marks": "\u05b0\u05c4",
    "Devanagari marks": "\u093c\u094d",
    "zero-width": "\u200b",
    "joiners": "a\u200d",
    "direction marks": "\u202e",
    "tag characters": "\U000e0041",
    "flags": "\U0001f3f4\U000e0067",
    "emoji": "😀",
    "emoji families": "👨\u200d👩\u200d",
    "variations": "❤\ufe0f",
    "ligatures": "ﷺ",
    "identifiers": "a-",
    "identifiers with dots": "a.b",
    "plus signs": "c+",
    "signs": "#",
    "options": "--a",
    "at signs": "@a",
    "ampersand names": "a&b",
    "one identifier": "a_1-",
    "upper case": "İ",
    "code lines": "  a\n",
    "punctuation": "!?;:",
    "braces": "{a",
}

_LATE_ENDS = {
    "links that end late": ("[", "](a)"),
    "parentheses that end late": ("[a](" + "(", ")"),
    "tags that end late": ("<b>", "</b>"),
    "mentions that end late": ("<mention>", "</mention>"),
    "tables that end late": ("<table>", "</table>"),
    "tables over lines": ("<table>\n", "</table>\n"),
    "equations over lines": ("<equation>\n", "</equation>\n"),
    "callouts that end late": ("<callout>\n", "</callout>\n"),
    "lists that end late": ("<ul>\n<li>\n", "</li>\n</ul>\n"),
    "synced that end late": ('<synced-block url="/1f8effb2921180248da6d7c4ac2c3482">\n', "</synced-block>\n"),
    "stars that end late": ("*a ", " a*"),
    "bold that ends late": ("**a ", " a**"),
    "struck that ends late": ("~~a ", " a~~"),
    "code that ends late": ("`", "``"),
    "quotes and tables": ("> ", "| a |\n| - |\n"),
    "fences that end late": ("```a\n", "````\n"),
    "definitions that come late": ("[a][b] ", "\n[c]: /d"),
    "names without ends": ("<code>", "</kbd>"),
    "words closed late": ("<quote>", "</toggle>"),
    "weak openings that end late": ("<p> a\n", "</p>\n"),
    "tags with blanks that end late": ("<p>   ", "   </p>"),
    "spans that end late": ("<u>a", "a</u>"),
    "escaped ends": ("<table>\n", "\\</table>"),
    "escapes and code": ("\\<", "`a`"),
}

# What is repeated behind a beginning that stands once. Then comes a letter that ends nothing.
_BEGUN = {
    "a label without an end": ("](b)[", "a"),
    "a label of signs": ("](b)[", ";"),
    "a label of blanks": ("](b)[", " "),
    "a destination of blanks": ("[a](", " "),
    "a destination of blanks and lines": ("[a](", " \n"),
    "blanks behind a destination": ("[a](b", " "),
    "blanks behind an angle": ("[a](<b>", " "),
    "blanks behind a title": ("[a](b 'c'", " "),
    "a title without an end": ("[a](b 'c", " "),
    "an address of parentheses": ("[a](b", "(c)"),
    "blanks in a tag": ("<p", " "),
    "blanks behind an attribute": ("<p a", " "),
    "blanks behind an equals sign": ("<p a=", " "),
    "blanks behind a tag": ("<p>", " "),
    "blanks and a bar": ("a |", " "),
    "an equation of escapes": ("$a", "\\$"),
    "a signature and more": ("https://a/b?sig=", "&a="),
    "data of parameters": ("data:text/plain", ";a"),
    "blanks of many kinds": ("a", " \u00a0"),
    "a definition of blanks": ("[a]:", " "),
    "a definition and blanks": ("[a]: b", " "),
}


def _repeated(unit: str, size: int) -> str:
    return (unit * (size // len(unit) + 1))[:size]


def _halves(first: str, second: str, size: int) -> str:
    return _repeated(first, size // 2) + _repeated(second, size // 2)


def _growing(character: str, between: str, size: int) -> str:
    parts: list[str] = []
    written = length = 0
    while written < size:
        length += 1
        parts.append(character * length + between)
        written += length + len(between)
    return "".join(parts)[:size]


def _nested_list(size: int) -> str:
    lines: list[str] = []
    written = depth = 0
    while written < size:
        lines.append("  " * depth + "- a\n")
        written += len(lines[-1])
        depth = (depth + 1) % 200
    return "".join(lines)[:size]


def _mixed(seed: int, size: int) -> str:
    rng = random.Random(seed)
    units = rng.sample([unit for unit in _UNITS.values() if unit], 12)
    return "".join(rng.choice(units) for _ in range(size // 3))[:size]


def patterns() -> Iterator[tuple[str, Callable[[int], str]]]:
    """The name of each pattern, and what makes a page of so many characters of it."""
    for name, unit in _UNITS.items():
        if unit:
            yield name, lambda size, unit=unit: _repeated(unit, size)
    for name, (first, second) in _LATE_ENDS.items():
        yield name, lambda size, first=first, second=second: _halves(first, second, size)
    for name, (beginning, unit) in _BEGUN.items():
        yield name, lambda size, beginning=beginning, unit=unit: beginning + _repeated(unit, size) + "x"
    for name, address, reference in (
        ("pictures of one long address", "http://", "[][a] "),
        ("pictures of one long path", "", "![][a] "),
        ("links to one long address", "http://a/", "[b][a] "),
        ("links to one long path", "/%41", "[a] "),
        ("links to one long title", "/1f7effb29211800aaf32c10cd6f51abc?", "[a] "),
    ):
        yield name, lambda size, a=address, r=reference: f"[a]: {a}{'b' * (size // 2)}\n{_repeated(r, size // 2)}"
    for character in "`*$~#[<-_":
        yield f"growing runs of {character}", lambda size, c=character: _growing(c, "a ", size)
    yield "growing fences", lambda size: _growing("`", "\n", size)
    yield "nested lists", _nested_list
    yield "one deep quote", lambda size: "> " * (size // 4) + "a\n" * (size // 4)
    yield "one wide table", lambda size: _repeated("| a ", size // 2) + "\n|" + _repeated(" - |", size // 2) + "\n|b"
    yield "a wide row and many rows", lambda size: "|" + "a|" * (size // 4) + "\n|-|\n" + "|b\n" * (size // 6)
    for seed in range(12):
        yield f"mixture {seed}", lambda size, seed=seed: _mixed(seed, size)
