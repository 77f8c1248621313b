"""A certificate as PDF, A4 landscape (pure: equal faces give equal bytes).

fpdf2 and the fonts are in the courses function's own requirements, not in the layer. A name that
the fonts cannot write is shown as far as they can; the page behind the code has it in full.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Final

from studypack.core import printing
from studypack.courses.certificate_face import Face
from studypack.courses.qr_code import matrix

if TYPE_CHECKING:
    from fpdf import FPDF

Ink = tuple[int, int, int]

_WIDTH: Final = 297.0
_HEIGHT: Final = 210.0
_CENTER: Final = _WIDTH / 2
_SIDE: Final = 34.0
_INNER: Final = _WIDTH - 2 * _SIDE
_INK: Final = (26, 29, 43)
_SOFT: Final = (96, 103, 122)
_NAVY: Final = (38, 48, 120)
_GOLD: Final = (178, 138, 62)
_PAPER: Final = (253, 252, 248)
_FAMILY: Final = "source-sans"
_LIGHT: Final = "source-sans-light"
_SMALLEST: Final = 9.0


def render(face: Face) -> bytes:
    """The PDF."""
    pdf = _new_pdf(face)
    pdf.add_page()
    _paper(pdf)
    _words(pdf, face)
    _foot(pdf, face)
    return bytes(pdf.output())


def _new_pdf(face: Face) -> FPDF:
    from importlib.resources import files

    from fpdf import FPDF

    pdf = FPDF(orientation="landscape", format="A4")
    fonts = files("font_source_sans_pro") / "files"
    pdf.add_font(_FAMILY, "", str(fonts / "SourceSansPro-Regular.ttf"))
    pdf.add_font(_FAMILY, "B", str(fonts / "SourceSansPro-Semibold.ttf"))
    pdf.add_font(_LIGHT, "", str(fonts / "SourceSansPro-Light.ttf"))
    pdf.set_margins(0, 0)
    pdf.c_margin = 0
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(datetime.combine(face.issued_on, time(), UTC))
    pdf.set_lang("en")
    pdf.set_title(f"Certificate {face.code}")
    pdf.set_author("StudyPack")
    return pdf


def _paper(pdf: FPDF) -> None:
    """The ground, a double border, and an ornament in each corner."""
    pdf.set_fill_color(*_PAPER)
    pdf.rect(0, 0, _WIDTH, _HEIGHT, style="F")
    for inset, width, ink in ((9.0, 1.6, _NAVY), (12.4, 0.35, _GOLD)):
        pdf.set_draw_color(*ink)
        pdf.set_line_width(width)
        pdf.rect(inset, inset, _WIDTH - 2 * inset, _HEIGHT - 2 * inset)
    pdf.set_line_width(0.35)
    for x, right in ((12.4, 1), (_WIDTH - 12.4, -1)):
        for y, down in ((12.4, 1), (_HEIGHT - 12.4, -1)):
            _corner(pdf, x, y, right, down)


def _corner(pdf: FPDF, x: float, y: float, right: int, down: int) -> None:
    pdf.set_draw_color(*_GOLD)
    for reach in (9.0, 12.0):
        pdf.line(x + right * reach, y, x + right * reach, y + down * reach)
        pdf.line(x, y + down * reach, x + right * reach, y + down * reach)
    pdf.set_fill_color(*_NAVY)
    middle = (x + right * 4.5, y + down * 4.5)
    pdf.polygon(
        [
            (middle[0] + 2.2 * math.cos(turn), middle[1] + 2.2 * math.sin(turn))
            for turn in (0, math.pi / 2, math.pi, 3 * math.pi / 2)
        ],
        style="F",
    )


def _words(pdf: FPDF, face: Face) -> None:
    """From the publisher's name down to the course's title."""
    _mark(pdf, _CENTER - 4.5, 22.5)
    _centered(pdf, 33.5, "STUDYPACK", size=11, bold=True, ink=_NAVY, spaced=2.2)
    _centered(pdf, 43, "Certificate of Completion", size=38, light=True)
    _centered(pdf, 66, "This is to certify that", size=14, ink=_SOFT)
    name, is_whole = _name(pdf, face.recipient)
    _centered(pdf, 76, name, size=36, bold=True, ink=_NAVY)
    half = min(_INNER, max(124.0, pdf.get_string_width(name) + 20)) / 2
    pdf.set_draw_color(*_GOLD)
    pdf.set_line_width(0.5)
    pdf.line(_CENTER - half, 94, _CENTER + half, 94)
    below = 0.0
    if not is_whole:
        below = 4.0
        note = "The name is written in full on the page that verifies this certificate."
        _centered(pdf, 95.5, note, size=9, ink=_SOFT)
    _centered(pdf, 101 + below, "has completed every module of the course", size=14, ink=_SOFT)
    lines, size = _title(pdf, face.course)
    top = 112.0 + below
    for line in lines:
        _centered(pdf, top, line, size=size, bold=True)
        top += size * 0.45


def _mark(pdf: FPDF, x: float, y: float) -> None:
    """StudyPack's sign: three leaves one above the other."""
    pdf.set_draw_color(*_NAVY)
    pdf.set_line_width(0.7)
    top = [(x, y + 2.5), (x + 4.5, y), (x + 9, y + 2.5), (x + 4.5, y + 5)]
    pdf.polygon(top, style="D")
    for step in (2.3, 4.6):
        left, tip, right = ((px, py + step) for px, py in (top[0], top[3], top[2]))
        pdf.line(*left, *tip)
        pdf.line(*tip, *right)


def _foot(pdf: FPDF, face: Face) -> None:
    """When it was issued, the seal, and how to verify it."""
    top = 152.0
    _column(pdf, _SIDE, top, "ISSUED ON", _day(face.issued_on))
    _column(pdf, _SIDE, top + 17, "CERTIFICATE", face.code)
    _seal(pdf, _CENTER, top + 9)
    _qr(pdf, face.address, _WIDTH - _SIDE - 29, top - 2, 29)
    _set(pdf, 8.5, ink=_SOFT)
    shown = _printable(pdf, f"Verify at {face.address}")
    size = _fit(pdf, shown, _INNER, 8.5)
    pdf.set_font_size(size)
    pdf.set_xy(_SIDE, 188)
    pdf.cell(_INNER, 4, shown, align="C", link=face.address)


def _column(pdf: FPDF, x: float, y: float, label: str, value: str) -> None:
    _set(pdf, 8, ink=_SOFT, bold=True)
    pdf.set_char_spacing(1.2)
    pdf.text(x, y, label)
    pdf.set_char_spacing(0)
    _set(pdf, 13)
    pdf.text(x, y + 6, _printable(pdf, value))


def _seal(pdf: FPDF, x: float, y: float) -> None:
    """A rosette with a tick."""
    pdf.set_fill_color(*_NAVY)
    for side in (-1, 1):
        pdf.polygon(
            [(x + side * 2, y + 8), (x + side * 9, y + 6), (x + side * 11, y + 20),
             (x + side * 6.6, y + 17.4), (x + side * 4, y + 21)],
            style="F",
        )  # fmt: skip
    pdf.set_fill_color(*_GOLD)
    points = 36
    pdf.polygon(
        [
            (x + reach * math.cos(turn), y + reach * math.sin(turn))
            for step in range(points * 2)
            for reach in [13.2 if step % 2 else 12.0]
            for turn in [math.pi * step / points]
        ],
        style="F",
    )
    pdf.set_draw_color(*_PAPER)
    pdf.set_line_width(0.5)
    pdf.circle(x, y, 10.2, style="D")
    pdf.set_line_width(1.7)
    pdf.polyline([(x - 4.4, y + 0.3), (x - 1.2, y + 3.6), (x + 4.8, y - 3.4)])


def _qr(pdf: FPDF, address: str, x: float, y: float, side: float) -> None:
    """The address for a camera; nothing when it is too long for one."""
    modules = matrix(address)
    if modules is None:
        return
    size = side / len(modules)
    pdf.set_fill_color(*_INK)
    for row, line in enumerate(modules):
        start = None
        for column, is_dark in enumerate([*line, False]):
            if is_dark and start is None:
                start = column
            elif not is_dark and start is not None:
                # A hair wider and higher, so that no viewer shows seams.
                width = (column - start) * size
                pdf.rect(x + start * size, y + row * size, width + 0.01, size + 0.01, style="F")
                start = None


def _name(pdf: FPDF, recipient: str) -> tuple[str, bool]:
    """The name as far as the fonts have its letters, and whether that is all of it."""
    shown = _printable(pdf, recipient)
    if shown.count("?") == recipient.count("?"):
        return shown, True
    readable = " ".join(shown.replace("?", " ").split())
    if not any(map(str.isalnum, readable)):
        return "The holder of this certificate", False
    return readable, False


def _title(pdf: FPDF, course: str) -> tuple[list[str], float]:
    """The course's title on one line or two, and in which size."""
    shown = _printable(pdf, course)
    _set(pdf, 26, bold=True)
    if pdf.get_string_width(shown) <= _INNER:
        return [shown], 26
    words, size = shown.split(" "), 22.0
    _set(pdf, size, bold=True)
    cuts = [
        (" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))
    ] or [(shown, "")]
    lines = min(cuts, key=lambda cut: max(map(pdf.get_string_width, cut)))
    widest = max(lines, key=pdf.get_string_width)
    return [line for line in lines if line], _fit(pdf, widest, _INNER, size)


def _centered(
    pdf: FPDF,
    y: float,
    shown: str,
    *,
    size: float,
    bold: bool = False,
    light: bool = False,
    ink: Ink = _INK,
    spaced: float = 0,
) -> None:
    """One line in the middle; it shrinks rather than leave the page, and is cut when even that
    does not help.
    """
    _set(pdf, size, bold=bold, light=light, ink=ink)
    pdf.set_font_size(_fit(pdf, shown, _INNER, size))
    while pdf.get_string_width(shown) > _INNER:
        shown = shown[:-2].rstrip() + "…"
    pdf.set_char_spacing(spaced)
    pdf.set_xy(_SIDE, y)
    pdf.cell(_INNER, size * 0.45, shown, align="C")
    pdf.set_char_spacing(0)


def _set(
    pdf: FPDF, size: float, *, bold: bool = False, light: bool = False, ink: Ink = _INK
) -> None:
    pdf.set_font(_LIGHT if light else _FAMILY, "B" if bold else "", size)
    pdf.set_text_color(*ink)


def _fit(pdf: FPDF, shown: str, width: float, size: float) -> float:
    """The largest size of the set font in which it fits, down to the smallest one can read."""
    pdf.set_font_size(size)
    needed = pdf.get_string_width(shown)
    if needed <= width:
        return size
    return max(_SMALLEST, math.floor(size * width / needed * 2) / 2)


def _printable(pdf: FPDF, text: str) -> str:
    return printing.printable(text, getattr(pdf.fonts[_FAMILY], "cmap", {}))


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"
