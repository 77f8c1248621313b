"""VAT numbers."""

from __future__ import annotations

import pytest

from studypack.billing.vat import checked_vat_id, country_of, is_reverse_charge


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("DE 136 695 976", "DE136695976"),
        ("atu13585627", "ATU13585627"),
        ("GR094259216", "EL094259216"),
        ("EL 094259216", "EL094259216"),
    ],
)
def test_a_number_is_kept_in_its_compact_form(typed: str, kept: str) -> None:
    assert checked_vat_id(typed) == kept


@pytest.mark.parametrize(
    "typed", ["DE136695975", "ATU13585626", "136695976", "XX123", "", "GB980780684", "XI432525179"]
)
def test_wrong_check_digits_and_numbers_of_no_member_state_are_refused(typed: str) -> None:
    assert checked_vat_id(typed) is None


def test_greece_writes_el() -> None:
    assert country_of("EL094259216") == "GR"


@pytest.mark.parametrize(
    ("seller", "buyer", "tax", "reverse"),
    [
        ("DE136695976", "ATU13585627", 0, True),
        ("DE136695976", "ATU13585627", 1, False),
        ("DE136695976", "DE136695976", 0, False),
        ("DE136695976", None, 0, False),
        (None, "ATU13585627", 0, False),
        ("CHE107787577IVA", "ATU13585627", 0, False),
    ],
)
def test_the_buyer_owes_the_tax_across_a_border_of_the_union(
    seller: str | None, buyer: str | None, tax: int, reverse: bool
) -> None:
    assert is_reverse_charge(seller_vat_id=seller, buyer_vat_id=buyer, tax=tax) is reverse
