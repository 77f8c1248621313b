from __future__ import annotations

from pathlib import Path

import pytest

from local import emails


def test_every_mail_is_written_and_a_missing_browser_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert emails.main() == 0

    written = {path.name for path in (tmp_path / emails.OUT).iterdir()}
    names = [preview.name for preview in emails.previews()]
    assert written == {f"{name}.{kind}" for name in names for kind in ("html", "txt")}
    assert len(set(names)) == len(names)
    assert "no contact sheet" in capsys.readouterr().out


def test_a_sheet_shows_each_mail_in_a_frame_of_its_own() -> None:
    made = [(preview, emails.render_preview(preview)) for preview in emails.previews()]
    page = emails.sheet(made, scheme="dark", width=600)
    assert page.count("<iframe ") == len(made)
    assert "color-scheme: dark" in page


def test_a_browser_that_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = tmp_path / "chromium"
    browser.write_text("#!/bin/sh\nexit 3\n")
    browser.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert emails.main() == 1
    assert "chromium failed (CalledProcessError)" in capsys.readouterr().out
