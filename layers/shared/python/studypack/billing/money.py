"""Amounts as text for people. Everywhere else they are integers in a currency's minor units.

Source of the exponents: Stripe, "Supported currencies" (zero-decimal and three-decimal ones). They
are Stripe's, not ISO 4217's: the Icelandic króna is counted in hundredths there.
"""

from __future__ import annotations

from typing import Final

ZERO_DECIMAL: Final = frozenset(
    [
        "bif",
        "clp",
        "djf",
        "gnf",
        "jpy",
        "kmf",
        "krw",
        "mga",
        "pyg",
        "rwf",
        "ugx",
        "vnd",
        "vuv",
        "xaf",
        "xof",
        "xpf",
    ]
)
THREE_DECIMAL: Final = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def exponent(currency: str) -> int:
    """How many decimals an amount of the currency (ISO 4217, in any case) is written with."""
    code = currency.lower()
    if code in ZERO_DECIMAL:
        return 0
    return 3 if code in THREE_DECIMAL else 2


def decimal_amount(amount: int, currency: str) -> str:
    """Minor units as a plain decimal number, for machines: `decimal_amount(123456, "usd")` is
    `1234.56`; a zero-decimal currency has no point.
    """
    return _written(amount, currency, "d")


def format_money(amount: int, currency: str) -> str:
    """Minor units for people, e.g. `1,234.56 USD`, `-500 JPY`, `5.120 KWD`."""
    return f"{_written(amount, currency, ',d')} {currency.upper()}"


def is_chargeable(amount: int, currency: str) -> bool:
    """Whether Stripe takes this amount: of three decimals the last one must be zero."""
    return amount > 0 and (exponent(currency) < 3 or amount % 10 == 0)


def _written(amount: int, currency: str, form: str) -> str:
    digits = exponent(currency)
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), 10**digits)
    decimals = f".{rest:0{digits}d}" if digits else ""
    return f"{sign}{whole:{form}}{decimals}"
