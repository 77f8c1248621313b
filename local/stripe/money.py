"""Billing arithmetic: periods, prorations, discounts, in whole minor units and UTC seconds."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

ZERO_DECIMAL = frozenset(
    {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"}
    | {"pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"}
)
"""Currencies whose smallest unit is the whole one (docs.stripe.com/currencies#zero-decimal)."""


def rounded(amount: Decimal) -> int:
    """To the nearest unit, halves away from zero."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def after_intervals(anchor: int, interval: str, count: int) -> int:
    """The moment `count` intervals after the anchor; a month too short ends on its last day."""
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in {"day", "week"}:
        return int((start + timedelta(days=count * (7 if interval == "week" else 1))).timestamp())
    months = start.month - 1 + count * (12 if interval == "year" else 1)
    year, month = start.year + months // 12, months % 12 + 1
    day = min(start.day, calendar.monthrange(year, month)[1])
    return int(start.replace(year=year, month=month, day=day).timestamp())


def period_end(anchor: int, interval: str, interval_count: int, start: int) -> int:
    """The first boundary after `start`, counted from the anchor (so the 31st stays the 31st)."""
    number = 1
    while (end := after_intervals(anchor, interval, number * interval_count)) <= start:
        number += 1
    return end


def prorated(amount: int, date: int, start: int, end: int) -> int:
    """The part of a period's amount that falls after `date`, by seconds."""
    left = min(max(end - date, 0), end - start)
    return rounded(Decimal(amount) * left / (end - start))


def percent_of(amount: int, percent: float) -> int:
    """A percentage of an amount."""
    return rounded(Decimal(amount) * Decimal(str(percent)) / 100)


def shares(amount: int, weights: list[int]) -> list[int]:
    """An amount cut in proportion to the weights, without losing a unit (largest remainder)."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    exact = [Decimal(amount) * weight / whole for weight in weights]
    parts = [int(each) for each in exact]
    order = sorted(range(len(parts)), key=lambda at: parts[at] - exact[at])
    for at in order[: amount - sum(parts)]:
        parts[at] += 1
    return parts


def display(amount: int, currency: str) -> str:
    """An amount for people."""
    sign = "-" if amount < 0 else ""
    if currency in ZERO_DECIMAL:
        return f"{sign}{abs(amount):,} {currency.upper()}"
    return f"{sign}{abs(amount) // 100:,}.{abs(amount) % 100:02} {currency.upper()}"
