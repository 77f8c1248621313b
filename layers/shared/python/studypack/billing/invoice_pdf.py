"""Invoices and credit notes as PDF, A4 (pure: a document in, bytes out; equal documents give equal
bytes).

fpdf2 and the fonts are in the billing function's own requirements, not in the layer. The fonts know
Latin, Greek and Cyrillic; a character beyond them is printed as its plain letter, or as a question
mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Final

from studypack.billing.documents import Document, Line, Settlement
from studypack.billing.money import format_money
from studypack.core import printing

if TYPE_CHECKING:
    from fpdf import FPDF

_LONGEST_TEXT: Final = 600
"""Characters of one item's name: a line must fit on a page."""


_MARGIN: Final = 20.0
_WIDTH: Final = 210.0 - 2 * _MARGIN
_COLUMNS: Final = (88.0, 18.0, 32.0, 32.0)
_HEADINGS: Final = ("Description", "Quantity", "Unit price", "Amount")
_BOTTOM: Final = 297.0 - 30.0
"""Millimetres from the top; the footer stands below."""
_INK: Final = (28, 32, 43)
_FAINT: Final = (104, 112, 128)
_RULE: Final = (214, 219, 228)
_ACCENT: Final = (31, 78, 168)
_GREEN: Final = (20, 120, 72)
_RED: Final = (170, 36, 36)


def render(document: Document) -> bytes:
    """The PDF of a document."""
    page = _Page(document)
    page.head()
    page.parties()
    page.table()
    page.totals()
    page.notes()
    return page.bytes()


class _Page:
    """A cursor over the document's pages."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.pdf = _new_pdf(document)
        self.pdf.add_page()

    def bytes(self) -> bytes:
        return bytes(self.pdf.output())

    def head(self) -> None:
        """The seller's name, what this is, and what it is known by."""
        document, top = self.document, _MARGIN
        self._at(
            _MARGIN, top, _WIDTH / 2, document.seller.lines[0], size=17, bold=True, ink=_ACCENT
        )
        self._at(_MARGIN, top, _WIDTH, document.title, size=22, bold=True, align="R")
        facts = [
            (f"{document.title} number", document.number),
            ("Date of issue", _day(document.issued_on)),
        ]
        if document.credits:
            facts.append(("For invoice", document.credits.number))
        elif document.settlement is Settlement.OPEN and document.due_on:
            facts.append(("Date due", _day(document.due_on)))
        elif document.paid_on:
            facts.append(("Date paid", _day(document.paid_on)))
        facts.append(("Customer number", document.customer_number))
        y = top + 15
        for name, value in facts:
            self._at(_MARGIN + 95, y, 35, name, ink=_FAINT)
            self._at(_MARGIN + 130, y, _WIDTH - 130, value, bold=True, align="R")
            y += 5.2
        self._stamp(y + 3)
        self.pdf.set_y(top + 15)

    def _stamp(self, y: float) -> None:
        """PAID, VOID or nothing."""
        text, ink = {
            Settlement.PAID: ("PAID", _GREEN),
            Settlement.VOID: ("CANCELED", _RED),
        }.get(self.document.settlement, ("", _INK))
        if self.document.credits or not text:
            return
        width = 30.0
        left = _MARGIN + _WIDTH - width
        self.pdf.set_draw_color(*ink)
        self.pdf.set_line_width(0.6)
        self.pdf.rect(left, y, width, 9, style="D", round_corners=True, corner_radius=1.5)
        self._at(left, y + 1.6, width, text, size=12, bold=True, ink=ink, align="C")

    def parties(self) -> None:
        """Who sells, and below who buys."""
        document, pdf = self.document, self.pdf
        seller = list(document.seller.lines[1:])
        if document.seller.vat_id:
            seller.append(f"VAT ID {document.seller.vat_id}")
        if document.seller_email:
            seller.append(document.seller_email)
        self._block(seller, width=85)
        pdf.set_y(max(pdf.get_y() + 10, _MARGIN + 48))
        self._small_heading("Credit to" if document.credits else "Bill to")
        buyer = list(document.buyer.lines) or [f"Customer {document.customer_number}"]
        if document.buyer.vat_id:
            buyer.append(f"VAT ID {document.buyer.vat_id}")
        self._block(buyer[:1], width=110, bold=True)
        self._block(buyer[1:], width=110)
        pdf.set_y(pdf.get_y() + 10)

    def table(self) -> None:
        """The items, over as many pages as they need, each with the table's head."""
        self._table_head()
        for line in self.document.lines:
            self._row(line)

    def _table_head(self) -> None:
        y = self.pdf.get_y()
        self.pdf.set_fill_color(243, 245, 249)
        self.pdf.rect(_MARGIN, y, _WIDTH, 8, style="F")
        x = _MARGIN
        for heading, width in zip(_HEADINGS, _COLUMNS, strict=True):
            align = "L" if x == _MARGIN else "R"
            self._at(x + 2, y + 1.7, width - 4, heading, size=9, bold=True, ink=_FAINT, align=align)
            x += width
        self.pdf.set_y(y + 9.5)

    def _row(self, line: Line) -> None:
        currency = self.document.currency
        description = self._wrapped(line.description, _COLUMNS[0] - 4)
        period = _period(*line.period)
        height = 5.0 * len(description) + (4.6 if period else 0) + 3
        if self.pdf.get_y() + height > _BOTTOM:
            self.pdf.add_page()
            self.pdf.set_y(_MARGIN)
            self._table_head()
        y = self.pdf.get_y()
        for number, text in enumerate(description):
            self._at(_MARGIN + 2, y + 5.0 * number, _COLUMNS[0], text)
        if period:
            below = y + 5.0 * len(description)
            self._at(_MARGIN + 2, below, _COLUMNS[0], period, size=8.5, ink=_FAINT)
        whole = line.quantity > 0 and line.amount % line.quantity == 0
        unit = format_money(line.amount // line.quantity, currency) if whole else ""
        cells = (str(line.quantity), unit, format_money(line.amount, currency))
        x = _MARGIN + _COLUMNS[0]
        for text, width in zip(cells, _COLUMNS[1:], strict=True):
            self._at(x + 2, y, width - 4, text, align="R")
            x += width
        self._rule(y + height - 2)
        self.pdf.set_y(y + height)

    def totals(self) -> None:
        """Subtotal to total, and what was paid."""
        document = self.document
        rows = [("Subtotal", document.subtotal, False)]
        if document.discount:
            rows.append(("Discount", -document.discount, False))
        rows.append(("VAT", document.tax, False))
        rows.append(("Total credited" if document.credits else "Total", document.total, True))
        if not document.credits and document.settlement is not Settlement.VOID:
            rows += self._payments()
        self._keep_together(7.0 * len(rows) + 4)
        self.pdf.set_y(self.pdf.get_y() + 2)
        left = _MARGIN + _COLUMNS[0]
        for name, amount, bold in rows:
            y = self.pdf.get_y()
            if bold:
                self._rule(y, left=left)
                y += 1.5
            text = format_money(amount, document.currency)
            size = 11 if bold else 10
            self._at(left + 2, y, 50, name, bold=bold, size=size, ink=_INK if bold else _FAINT)
            self._at(left + 2, y, _WIDTH - _COLUMNS[0] - 4, text, bold=bold, size=size, align="R")
            self.pdf.set_y(y + (7.5 if bold else 6))

    def _payments(self) -> list[tuple[str, int, bool]]:
        document = self.document
        if document.settlement is not Settlement.PAID:
            return [("Amount due", document.total - document.amount_paid, True)]
        rows = []
        if 0 <= document.amount_paid < document.total:
            rows.append(("Paid from credit", document.amount_paid - document.total, False))
        paid = f"Paid on {_day(document.paid_on)}" if document.paid_on else "Paid"
        rows.append((paid, -document.amount_paid, False))
        return [*rows, ("Amount due", 0, True)]

    def notes(self) -> None:
        """Reverse charge, why it was credited, and what was credited of it."""
        document = self.document
        told = []
        if document.is_reverse_charge:
            told.append("Reverse charge: the recipient of the service is liable for the VAT.")
        if document.credits:
            invoice = document.credits
            told.append(
                f"This credit note corrects invoice {invoice.number} of {_day(invoice.issued_on)}"
                f" over {format_money(invoice.amount, document.currency)}."
            )
        if document.reason:
            told.append(f"Reason: {document.reason}")
        told += [
            f"Refunded: {format_money(note.amount, document.currency)} by credit note"
            f" {note.number} of {_day(note.issued_on)}."
            for note in document.credit_notes
        ]
        self.pdf.set_y(self.pdf.get_y() + 8)
        for text in told:
            for part in self._wrapped(text, _WIDTH):
                self._keep_together(6)
                self._at(_MARGIN, self.pdf.get_y(), _WIDTH, part, size=9.5)
                self.pdf.set_y(self.pdf.get_y() + 5)

    def _keep_together(self, height: float) -> None:
        if self.pdf.get_y() + height > _BOTTOM:
            self.pdf.add_page()
            self.pdf.set_y(_MARGIN)

    def _small_heading(self, text: str) -> None:
        self._at(_MARGIN, self.pdf.get_y(), 80, text, size=9, ink=_FAINT, bold=True)
        self.pdf.set_y(self.pdf.get_y() + 5.2)

    def _block(self, lines: Iterable[str], *, width: float, bold: bool = False) -> None:
        for line in lines:
            for part in self._wrapped(line, width, bold=bold):
                self._at(_MARGIN, self.pdf.get_y(), width, part, bold=bold)
                self.pdf.set_y(self.pdf.get_y() + 5)

    def _wrapped(self, text: str, width: float, *, bold: bool = False) -> Sequence[str]:
        self.pdf.set_font(_FAMILY, "B" if bold else "", 10)
        lines = self.pdf.multi_cell(
            width, 5, printable(self.pdf, text)[:_LONGEST_TEXT], align="L", dry_run=True,
            output="LINES",
        )  # fmt: skip
        return [str(line) for line in lines] if isinstance(lines, list) else [text]

    def _at(
        self,
        x: float,
        y: float,
        width: float,
        text: str,
        *,
        size: float = 10,
        bold: bool = False,
        ink: tuple[int, int, int] = _INK,
        align: str = "L",
    ) -> None:
        """One line of text in a box; it shrinks rather than leave the box."""
        pdf = self.pdf
        shown = printable(pdf, text)
        pdf.set_text_color(*ink)
        pdf.set_font(_FAMILY, "B" if bold else "", size)
        while pdf.get_string_width(shown) > width and size > 6:
            size -= 0.5
            pdf.set_font_size(size)
        pdf.set_xy(x, y)
        pdf.cell(width, size * 0.5, shown, align=align)

    def _rule(self, y: float, *, left: float = _MARGIN) -> None:
        self.pdf.set_draw_color(*_RULE)
        self.pdf.set_line_width(0.25)
        self.pdf.line(left, y, _MARGIN + _WIDTH, y)


_FAMILY: Final = "source-sans"


def _new_pdf(document: Document) -> FPDF:
    from importlib.resources import files

    from fpdf import FPDF

    class Paper(FPDF):
        """A4 with the seller's line and the page's number at the foot."""

        def footer(self) -> None:
            self.set_y(-18)
            self.set_draw_color(*_RULE)
            self.set_line_width(0.25)
            self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())
            self.set_y(-16)
            self.set_font(_FAMILY, "", 8)
            self.set_text_color(*_FAINT)
            about = [document.seller.lines[0]]
            if document.seller.vat_id:
                about.append(f"VAT ID {document.seller.vat_id}")
            about.append(f"{document.title} {document.number}")
            self.cell(_WIDTH - 30, 5, printable(self, "  ·  ".join(about)))
            # `{nb}` is replaced by a shorter number once all pages are there.
            shift = self.get_string_width("{nb}") - self.get_string_width("0")
            self.cell(30 + shift, 5, f"Page {self.page_no()} of {{nb}}", align="R")

    pdf = Paper(format="A4")
    fonts = files("font_source_sans_pro") / "files"
    pdf.add_font(_FAMILY, "", str(fonts / "SourceSansPro-Regular.ttf"))
    pdf.add_font(_FAMILY, "B", str(fonts / "SourceSansPro-Semibold.ttf"))
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.c_margin = 0
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(datetime.combine(document.issued_on, time(), UTC))
    pdf.set_lang("en")
    pdf.set_title(f"{document.title} {document.number}")
    pdf.set_author(document.seller.lines[0])
    return pdf


def printable(pdf: FPDF, text: str) -> str:
    """The text on one line, in characters that the font has. (fpdf2 would log an unknown one, and
    it may be part of a name.)
    """
    return printing.printable(text, getattr(pdf.fonts[_FAMILY], "cmap", {}))


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _period(start: date | None, end: date | None) -> str:
    """From the first day to the last; nothing for one without a start."""
    if start is None or start == end:
        return ""
    return f"{_day(start)} to {_day(end)}" if end else f"from {_day(start)}"
