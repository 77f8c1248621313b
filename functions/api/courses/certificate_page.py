"""The page behind a certificate's code, for people: html without scripts."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from html import escape

from fastapi.responses import HTMLResponse

from studypack.courses.models import Certificate

_STYLE = """
body{margin:0;font:17px/1.55 system-ui,sans-serif;background:#f6f7fb;color:#1a1d2b}
main{max-width:36rem;margin:8vh auto;padding:0 1.25rem}
article{background:#fff;border:1px solid #e0e3ee;border-top:6px solid #263078;border-radius:14px;
padding:1.6rem 1.75rem}
.brand{font-size:.8125rem;font-weight:600;letter-spacing:.16em;color:#263078;margin:0 0 1rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .4rem}
.badge{display:inline-block;border-radius:99px;padding:.15rem .8rem;font-size:.875rem;
font-weight:600;background:#e2f4ec;color:#17694a}.badge.bad{background:#fbe7e6;color:#a32a2a}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.45rem 1.25rem;margin:1.4rem 0}
dt{color:#5c6278}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
a{color:#3d4bb8}p{margin:0 0 .8rem}
@media(prefers-color-scheme:dark){body{background:#11131c;color:#e8eaf4}
article{background:#191c28;border-color:#2b3042;border-top-color:#9aa6ff}.brand,a{color:#9aa6ff}
dt{color:#a0a6bd}.badge{background:#15312a;color:#7ed7b0}
.badge.bad{background:#3a1d1f;color:#ff9c96}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Vary": "Accept",
}


def prefers_html(accept: str) -> bool:
    """Whether the header of a request asks for html rather than for JSON, as browsers do."""
    qualities: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        given = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        try:
            qualities[name] = float(given)
        except ValueError:
            qualities[name] = 0.0
    others = max(qualities.get("application/json", 0.0), qualities.get("application/*", 0.0))
    return qualities.get("text/html", 0.0) > others


def certificate_page(certificate: Certificate) -> HTMLResponse:
    """Who completed what and when, and whether it holds."""
    if certificate.revoked_at is None:
        badge = '<span class="badge">Valid</span>'
        heading = "This certificate is genuine"
        end = (
            f'<p><a href="/api/certificates/{escape(certificate.code)}.pdf">Download as PDF</a></p>'
        )
    else:
        badge = '<span class="badge bad">Revoked</span>'
        heading = "This certificate no longer holds"
        end = f"<p>It was revoked on {_day(certificate.revoked_at)}.</p>"
    facts = (
        ("Awarded to", certificate.recipient_name),
        ("Course", certificate.course_title),
        ("Issued on", _day(certificate.issued_at)),
        ("Certificate", certificate.code),
    )
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return _page(f"{badge}<h1>{heading}</h1><dl>{rows}</dl>{end}")


def unknown_page() -> HTMLResponse:
    """No certificate has the code."""
    return _page(
        '<span class="badge bad">Not found</span><h1>There is no such certificate</h1>'
        "<p>No certificate has this code. Compare it with the one on the certificate: it has"
        " sixteen letters and digits in four groups.</p>",
        status=404,
    )


def _page(body: str, *, status: int = 200) -> HTMLResponse:
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><title>Certificate - StudyPack</title>'
        f"<style>{_STYLE}</style></head><body><main><article>"
        f'<p class="brand">STUDYPACK</p>{body}</article></main></body></html>'
    )
    return HTMLResponse(document, status, headers=HEADERS)


def _day(moment: datetime) -> str:
    day = moment.astimezone(UTC)
    return f"{day.day} {day:%B %Y}"
