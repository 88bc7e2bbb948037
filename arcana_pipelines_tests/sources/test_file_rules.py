"""What the settings say of files."""

from __future__ import annotations

import pytest

from arcana_pipelines.errors import InvalidSetting
from arcana_pipelines.settings import Settings
from arcana_pipelines.sources.file_names import file_label
from arcana_pipelines.sources.file_rules import FileRules, file_rules


def test_hosts_are_named_with_commas_between_them_and_compared_as_dns_has_them() -> None:
    named = " Files.Example.com., *.cdn.example.org ,, 파일.example.com, 93.184.216.34"
    rules = file_rules(Settings(file_external_hosts=named, file_covers="on"))
    hosts = ("files.example.com", "*.cdn.example.org", "xn--pu5bl5s.example.com", "93.184.216.34")
    assert rules == FileRules(True, hosts)


@pytest.mark.parametrize("named", ["*", "https://example.com", "example.com/a", "a b.com", "*.*.com", "a:80"])
def test_what_is_no_host_is_told(named: str) -> None:
    with pytest.raises(InvalidSetting, match="FILE_EXTERNAL_HOSTS"):
        file_rules(Settings(file_external_hosts=f"files.example.com,{named}"))


def test_off_is_off() -> None:
    assert file_rules(Settings(files="off")) is None
    assert file_rules(Settings()) == FileRules()


def test_a_name_has_its_ending_whatever_its_length() -> None:
    assert file_label("연차 규정.hwp", "", "file") == "연차 규정.hwp"
    assert file_label("", "https://example.com/a%20b.pdf?x=1", "pdf") == "a b.pdf"
    assert file_label("https://example.com/c/d.pdf", "https://example.com/c/d.pdf", "file") == "d.pdf"
    assert file_label("...", "", "image") == "image"
    assert len(name := file_label("가" * 500 + ".docx", "", "file")) == 200 and name.endswith("가.docx")
