from __future__ import annotations

import pytest

from studypack.billing.money import decimal_amount, exponent, format_money, is_chargeable


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (4900, "usd", "49.00 USD"),
        (5, "usd", "0.05 USD"),
        (0, "eur", "0.00 EUR"),
        (123_456_789, "usd", "1,234,567.89 USD"),
        (-4900, "usd", "-49.00 USD"),
        (-5, "USD", "-0.05 USD"),
        (5000, "jpy", "5,000 JPY"),
        (-1, "jpy", "-1 JPY"),
        (5120, "kwd", "5.120 KWD"),
        (99_999_999, "bhd", "99,999.999 BHD"),
    ],
)
def test_money_is_written_with_the_decimals_of_its_currency(
    amount: int, currency: str, text: str
) -> None:
    assert format_money(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "number"),
    [(123_456, "usd", "1234.56"), (123_456, "jpy", "123456"), (-1, "tnd", "-0.001")],
)
def test_a_number_for_machines_has_no_thousands_separator(
    amount: int, currency: str, number: str
) -> None:
    assert decimal_amount(amount, currency) == number


def test_currencies_have_none_two_or_three_decimals() -> None:
    assert [exponent(each) for each in ("krw", "usd", "isk", "omr")] == [0, 2, 2, 3]


def test_of_three_decimals_the_last_one_must_be_zero_for_stripe_to_take_the_amount() -> None:
    assert is_chargeable(5120, "kwd")
    assert not is_chargeable(5124, "kwd")
    assert is_chargeable(5124, "usd")
    assert not is_chargeable(0, "usd")
