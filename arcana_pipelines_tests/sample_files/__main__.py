"""Writes the files that hang on pages of the sample workspace; a test fails while one differs from what this makes."""

from __future__ import annotations

from arcana_pipelines_tests.sample_files.made import FILES, FOLDER

if __name__ == "__main__":
    for path, make in FILES.items():
        (FOLDER / path).parent.mkdir(exist_ok=True)
        (FOLDER / path).write_bytes(make())
