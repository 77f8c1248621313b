from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local import audit

SOUND = {"name": "sound", "version": "1.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI"}
HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": [], "description": "x"}
BROKEN = {"name": "broken", "version": "1.0", "vulns": [HOLE]}


def _tool(folder: Path, text: str) -> str:
    script = folder / "pip-audit"
    script.write_text(f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\nexit 1\n")
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([SOUND, UNKNOWN], 0, "1 dependencies looked at, 1 not found, 0 known"),
        ([SOUND, BROKEN], 1, "broken 1.0: PYSEC-2026-1, mended in 1.1"),
        ([UNKNOWN, UNKNOWN], 0, "NOT checked"),
        ([], 0, "NOT checked"),
    ],
)
def test_a_known_hole_fails_and_what_could_not_be_looked_at_is_not_called_sound(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    dependencies: list[dict[str, Any]],
    code: int,
    said: str,
) -> None:
    tool = _tool(tmp_path, json.dumps({"dependencies": dependencies, "fixes": []}))

    assert audit.main(tool) == code
    assert said in capsys.readouterr().out


def test_without_a_network_the_check_says_so_in_one_line_and_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(_tool(tmp_path, "")) == 0
    assert audit.main(str(tmp_path / "nothing")) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all("NOT checked" in line for line in lines)
