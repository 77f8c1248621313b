"""Invoices and credit notes on paper."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date

import pytest

from studypack.billing.documents import Document, Line, Party, Reference, Settlement
from studypack.billing.invoice_pdf import render
from tests.support.pdf import pages_of, text_of

DAY = date(2026, 11, 21)
INVOICE = Document(
    number="INV-2026-000123",
    issued_on=DAY,
    seller=Party(("StudyPack GmbH", "Lindenstraße 12", "10969 Berlin"), "DE136695976"),
    seller_email="billing@example.com",
    buyer=Party(("Žofie Łukasiewicz", "Schulgasse 4", "1090 Wien", "AT"), "ATU13585627"),
    customer_number="9F3A21BC77D0",
    currency="usd",
    lines=(
        Line("ENTERPRISE annual", 5, 199_500, (DAY, date(2027, 11, 21))),
        Line("Unused time on PRO monthly", 1, -3_266, (DAY, date(2026, 12, 11))),
    ),
    subtotal=196_234,
    discount=19_623,
    tax=33_556,
    total=210_167,
    is_reverse_charge=False,
    settlement=Settlement.PAID,
    paid_on=DAY,
    amount_paid=210_167,
)


def test_it_says_everything_that_an_invoice_must() -> None:
    said = text_of(render(INVOICE))

    for words in [
        "Invoice",
        "INV-2026-000123",
        "21 November 2026",
        "StudyPack GmbH",
        "Lindenstraße 12",
        "VAT ID DE136695976",
        "Žofie Łukasiewicz",
        "VAT ID ATU13585627",
        "9F3A21BC77D0",
        "ENTERPRISE annual",
        "21 November 2026 to 21 November 2027",
        "399.00 USD",
        "1,995.00 USD",
        "-32.66 USD",
        "1,962.34 USD",
        "-196.23 USD",
        "335.56 USD",
        "2,101.67 USD",
        "PAID",
        "Paid on 21 November 2026",
    ]:
        assert words in said.split("\n"), words


def test_equal_documents_give_equal_bytes() -> None:
    assert render(INVOICE) == render(replace(INVOICE))
    assert render(INVOICE) != render(replace(INVOICE, number="INV-2026-000124"))


def test_an_open_one_says_what_is_due_and_by_when() -> None:
    said = text_of(
        render(
            replace(
                INVOICE,
                settlement=Settlement.OPEN,
                paid_on=None,
                amount_paid=0,
                due_on=date(2026, 12, 1),
            )
        )
    ).split("\n")

    assert "PAID" not in said
    assert said[said.index("Date due") + 1] == "1 December 2026"
    assert said[said.index("Amount due") + 1] == "2,101.67 USD"


def test_a_void_one_is_stamped_and_asks_for_nothing() -> None:
    said = text_of(render(replace(INVOICE, settlement=Settlement.VOID))).split("\n")

    assert "CANCELED" in said
    assert "Amount due" not in said


def test_credit_paid_a_part() -> None:
    said = text_of(render(replace(INVOICE, amount_paid=200_000))).split("\n")

    assert said[said.index("Paid from credit") + 1] == "-101.67 USD"
    assert said[said.index("Amount due") + 1] == "0.00 USD"


def test_reverse_charge_and_credit_notes_are_noted() -> None:
    note = Reference("CN-2026-000004", date(2026, 11, 25), 5_000)
    said = text_of(render(replace(INVOICE, is_reverse_charge=True, credit_notes=(note,))))

    assert "Reverse charge: the recipient of the service is liable for the VAT." in said
    assert "Refunded: 50.00 USD by credit note CN-2026-000004 of 25 November 2026." in said


def test_a_credit_note_names_its_invoice() -> None:
    credited = replace(
        INVOICE,
        number="CN-2026-000004",
        total=5_000,
        settlement=Settlement.OPEN,
        credits=Reference("INV-2026-000123", DAY, 210_167),
        reason="paid twice",
    )
    said = text_of(render(credited))

    assert "Credit note" in said
    assert "INV-2026-000123 of 21 November 2026 over 2,101.67 USD" in said
    assert "Reason: paid twice" in said
    assert "Amount due" not in said


def test_a_long_name_wraps_and_many_lines_go_over_pages_under_the_same_head() -> None:
    name = "A course for everybody who has ever wondered what occupational therapy is about " * 3
    lines = tuple(Line(f"{name}{number}", 1, 100, (None, None)) for number in range(60))

    pages = pages_of(render(replace(INVOICE, lines=lines)))

    assert len(pages) > 3
    assert all("Description" in page for page in pages[:-1])
    shown = " ".join(" ".join(page) for page in pages)
    assert all(f"about {number}" in shown for number in range(60))
    assert [page[-2:] for page in pages] == [
        [f"Page {number} of ", str(len(pages))] for number in range(1, len(pages) + 1)
    ]


def test_a_name_without_a_place_to_break_is_broken_all_the_same() -> None:
    said = text_of(render(replace(INVOICE, lines=(Line("X" * 400, 1, 100, (None, None)),))))

    assert said.count("X") == 400


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("Ελένη Παπαδοπούλου", "Ελένη Παπαδοπούλου"),
        ("Олена Ґудзь", "Олена Ґудзь"),
        ("Nguyễn Thị Ánh", "Nguyễn Thị Ánh"),
        ("e\u0301cole", "école"),
        ("学生 Li", "?? Li"),
        ("line\r\nbreak\ttab\x07", "line break tab"),
        ("(back\\slash)", "(back\\slash)"),
        ("\u202eright to left", "right to left"),
    ],
)
def test_names_of_other_languages(
    name: str, printed: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        said = text_of(render(replace(INVOICE, buyer=Party((name,), None))))

    assert printed in said
    assert caplog.records == []


def test_currencies_without_decimals() -> None:
    assert "196,234 JPY" in text_of(render(replace(INVOICE, currency="jpy")))
