"""An empty argument is a script's variable that is not set: no command does more because of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arcana_pipelines.cli.main import main


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "acme", "badge", "--below", ""], ["search", "acme", "badge", "--below="],
        ["search", "acme", "badge", "--links-to", " "], ["search", "acme", "badge", "--where", ""],
        ["search", "acme", "badge", "--topic", ""],
        ["search", "acme", "badge", "--as-of", ""], ["search", "acme", "badge", "--edited-since="],
        ["search", "acme", "badge", "--index", ""], ["search", "acme", "badge", "--kind", ""], ["search", "acme", ""],
        ["search", "acme", "  "], ["search", "", "badge"], ["retry", "acme", "--page", ""], ["status", ""],
        ["usage", ""], ["status", "--check", ""], ["sync", ""], ["sync", "acme", "--mode="],
        ["workspace", "add", "acme", "--source", "notion", "--token-env", ""],
        ["workspace", "add", "acme", "--source", "notion-export", "--path", ""],
        ["workspace", "set", "acme", "--name="],
        ["index", "rebuild", "acme", "default", "--model", ""], ["up", "--host", ""], ["webhooks", "--host="],
        ["eval", "acme", ""],
    ],
    ids=" ".join,
)  # fmt: skip
def test_is_refused_in_a_sentence_before_anything_is_done(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith("Error: ") and "empty" in said, said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("condition", ["Status=", "Status!="])
def test_a_condition_on_empty_cells_is_no_empty_argument(
    condition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCANA_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit):
        main(["search", "acme", "badge", "--where", condition])
    assert "There is no installation" in capsys.readouterr().err
