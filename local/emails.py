"""`make emails`: every mail with its preview facts as html and text, and a picture of them all."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from studypack.core.business_settings import BusinessSettings
from studypack.emails.render import TEMPLATES, Rendered, context, render
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import EmailTemplate

OUT: Final = Path("build/emails")
BROWSERS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
HAPPENED_AT: Final = datetime(2026, 3, 3, 13, 5, tzinfo=UTC)
COLUMNS: Final = 5
"""Mails beside each other on the sheet."""
WIDTH: Final = 680
"""Of one mail's window, in CSS pixels; the sheet shows it at SCALE."""
PHONE_WIDTH: Final = 390
SCALE: Final = 0.5


@dataclass(frozen=True)
class Preview:
    """One template with one set of facts."""

    template: EmailTemplate
    case: str
    data: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name as a file."""
        return f"{self.template.lower()}-{re.sub(r'[^a-z0-9]+', '-', self.case.lower())}"


def previews() -> Iterator[Preview]:
    """All of them, in the templates' order; a template's first case is the usual one."""
    for template in EmailTemplate:
        cases = json.loads((TEMPLATES / template.lower() / "preview.json").read_text())
        for case, data in cases.items():
            yield Preview(template, case, data)


def preview_context(template: EmailTemplate) -> dict[str, Any]:
    """What every mail gets of its reader and its sender, made up."""
    entry = CATALOGUE[template]
    unsubscribe = "https://api.studypack.example/api/email/unsubscribe?token=AZ8yWm3kQ0-Yt1o"
    return context(
        email="ann.larsson@post.example",
        first_name=None if entry.is_to_another else "Ann",
        timezone="Europe/Stockholm",
        occurred_at=HAPPENED_AT,
        business=BusinessSettings(
            seller_name="StudyPack Learning AB",
            seller_address=("Storgatan 12", "111 51 Stockholm", "Sweden"),
            seller_email="help@studypack.example",
        ),
        unsubscribe_url=unsubscribe if entry.can_be_unsubscribed else None,
        web_base_url="https://app.studypack.example",
    )


def render_preview(preview: Preview) -> Rendered:
    """The mail as somebody would get it."""
    return render(preview.template, {**preview.data, **preview_context(preview.template)})


def write_all(out: Path) -> list[tuple[Preview, Rendered]]:
    """Write an html and a text file for each case."""
    out.mkdir(parents=True, exist_ok=True)
    made = [(preview, render_preview(preview)) for preview in previews()]
    for preview, mail in made:
        (out / f"{preview.name}.html").write_text(mail.html, encoding="utf-8")
        (out / f"{preview.name}.txt").write_text(
            f"Subject: {mail.subject}\n\n{mail.text}", encoding="utf-8"
        )
    return made


def sheet(mails: list[tuple[Preview, Rendered]], *, scheme: str, width: int) -> str:
    """A page that shows mails beside each other, each in a frame as tall as it is."""
    frames = "".join(
        f"<figure><figcaption><b>{preview.template}</b> {html.escape(preview.case)}<br>"
        f"{html.escape(mail.subject)}</figcaption><div><iframe "
        f'srcdoc="{html.escape(mail.html)}"></iframe></div></figure>'
        for preview, mail in mails
    )
    dark = scheme == "dark"
    ground, ink = ("#000000", "#e8eaf4") if dark else ("#c9cddb", "#1a1d2b")
    shown = int(width * SCALE)
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Mails</title><style>
body {{ margin: 0; padding: 24px; background: {ground}; color: {ink};
  font: 13px/1.4 sans-serif; width: {COLUMNS * (shown + 24)}px; }}
main {{ columns: {COLUMNS}; column-gap: 24px; }}
figure {{ margin: 0 0 24px 0; break-inside: avoid; width: {shown}px; }}
figcaption {{ padding: 0 0 6px 0; }}
div {{ overflow: hidden; border-radius: 6px; }}
iframe {{ border: 0; width: {width}px; transform: scale({SCALE}); transform-origin: 0 0;
  color-scheme: {scheme}; }}
</style><main>{frames}</main><script>
addEventListener("load", () => {{
  for (const frame of document.querySelectorAll("iframe")) {{
    const height = frame.contentDocument.documentElement.scrollHeight;
    frame.style.height = height + "px";
    frame.parentElement.style.height = height * {SCALE} + "px";
  }}
  document.documentElement.dataset.height = document.documentElement.scrollHeight;
  document.documentElement.dataset.width = document.body.offsetWidth;
}});
</script></html>"""


def photograph(browser: str, page: Path, picture: Path) -> None:
    """Take a picture of the whole page. It is opened twice: first to learn how tall it is."""
    flags = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
    flags.append("--force-device-scale-factor=1.5")
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to start as root with it
    url = page.resolve().as_uri()
    dumped = _run([*flags, "--virtual-time-budget=5000", "--dump-dom", url])
    sizes = dict(re.findall(r'data-(height|width)="(\d+)"', dumped[:2000]))
    size = f"--window-size={sizes['width']},{sizes['height']}"
    picture.unlink(missing_ok=True)
    _run([*flags, "--virtual-time-budget=5000", size, f"--screenshot={picture.resolve()}", url])
    if not picture.exists():
        raise RuntimeError("the browser took no picture")


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def main() -> int:
    """Write everything and say where it is."""
    made = write_all(OUT)
    largest = max(len(mail.html.encode()) for _, mail in made)
    print(f"{OUT}: {len(made)} mails of {len(CATALOGUE)} templates, the largest {largest:,} bytes")
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no contact sheet: it takes Chromium or Chrome, and there is none on the PATH")
        return 0
    usual = list({preview.template: (preview, mail) for preview, mail in reversed(made)}.values())
    for scheme, width, name in (
        ("light", WIDTH, "contact-sheet"),
        ("dark", WIDTH, "contact-sheet-dark"),
        ("light", PHONE_WIDTH, "contact-sheet-phone"),
    ):
        page = OUT / f"{name}.html"
        page.write_text(sheet(usual[::-1], scheme=scheme, width=width), encoding="utf-8")
        try:
            photograph(browser, page, OUT / f"{name}.png")
        except (subprocess.SubprocessError, RuntimeError, KeyError) as error:
            print(f"no {name}.png: {Path(browser).name} failed ({type(error).__name__})")
            return 1
        print(f"{OUT / name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
