"""What a change in the middle of a period gives back and asks for; pure but for reading prices.

The credit is the unused part of what was billed for the period, the charge is the rest of the
period at the new price, both by seconds and rounded line by line
(docs.stripe.com/billing/subscriptions/prorations).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from local.stripe import money
from local.stripe.account import Account
from local.stripe.objects import coupons, lifecycle
from local.stripe.objects.lines import Line, described
from local.stripe.state import Doc


@dataclass(frozen=True)
class Wanted:
    """An item as it shall be; without a price it goes away."""

    item: str
    price: Doc | None
    quantity: int


@dataclass(frozen=True)
class Change:
    """A planned change of a subscription's items."""

    wanted: Sequence[Wanted]
    date: int
    behaviour: str
    lines: list[Line]
    """Credits and charges for the rest of the period; empty with the behaviour "none"."""
    new_period: tuple[int, int] | None
    """Given when the interval changes: the anchor moves to now and a whole period is billed."""

    @property
    def invoiced_now(self) -> bool:
        return self.new_period is not None or (
            self.behaviour == "always_invoice" and bool(self.lines)
        )


def plan(
    account: Account,
    subscription: Doc,
    wanted: Sequence[Wanted],
    *,
    date: int,
    behaviour: str,
) -> Change:
    """What changing the items at `date` means in money."""
    start, end = lifecycle.period_of(subscription)
    trialing = subscription["status"] == "trialing"
    interval = _interval(wanted)
    moved = not trialing and interval != _interval(current(account, subscription))
    new_period = (date, money.after_intervals(date, *interval)) if moved else None
    lines: list[Line] = []
    if behaviour != "none" and not trialing:
        now = {each.item: each for each in current(account, subscription)}
        for each in wanted:
            before = now.get(each.item)
            if (
                before is not None
                and before.price is each.price
                and (before.quantity == each.quantity and not moved)
            ):
                continue
            if before is not None:
                lines.extend(_credit(account, subscription, before, date, (start, end)))
            if each.price is not None and not moved:
                lines.append(_charge(account, subscription, each, date, (start, end)))
    if new_period:
        lines.extend(full_lines(account, wanted, new_period))
    return Change(wanted, date, behaviour, lines, new_period)


def current(account: Account, subscription: Doc) -> list[Wanted]:
    """The items as they are."""
    return [
        Wanted(item["id"], account.need("price", item["price"]["id"]), item["quantity"])
        for item in lifecycle.items_of(subscription)
    ]


def _interval(wanted: Sequence[Wanted]) -> tuple[str, int]:
    recurring = next(each.price["recurring"] for each in wanted if each.price is not None)
    return recurring["interval"], recurring["interval_count"]


def full_lines(account: Account, wanted: Sequence[Wanted], period: tuple[int, int]) -> list[Line]:
    """A whole period of each item."""
    return [
        Line(
            amount=each.price["unit_amount"] * each.quantity,
            description=described(each.price, each.quantity, _product(account, each.price)),
            price=each.price,
            quantity=each.quantity,
            start=period[0],
            end=period[1],
            item=each.item,
        )
        for each in wanted
        if each.price is not None
    ]


def _product(account: Account, price: Doc) -> Doc:
    return account.store.find("product", price["product"]) or {"name": price["product"]}


def _credit(
    account: Account, subscription: Doc, before: Wanted, date: int, period: tuple[int, int]
) -> list[Line]:
    item = next(each for each in lifecycle.items_of(subscription) if each["id"] == before.item)
    billed = item.get("~billed")
    price = before.price
    if not billed or not billed["net"] or price is None:
        return []
    text = _named(account, before, "Unused time on", date)
    source = (billed["invoice"], billed["line"]) if billed.get("invoice") else None
    amount = -money.prorated(billed["net"], date, *period)
    return [
        Line(
            amount,
            text,
            price,
            before.quantity,
            date,
            period[1],
            before.item,
            True,
            credited=source,
        )
    ]


def _charge(
    account: Account, subscription: Doc, after: Wanted, date: int, period: tuple[int, int]
) -> Line:
    price = after.price
    if price is None:
        raise LookupError("nothing to charge for")
    text = _named(account, after, "Remaining time on", date)
    amount = money.prorated(net_of(account, subscription, after, date), date, *period)
    return Line(amount, text, price, after.quantity, date, period[1], after.item, True)


def credits_for(
    account: Account, subscription: Doc, wanted: Sequence[Wanted], date: int
) -> list[Line]:
    """What is given back for the unused time of these items."""
    if subscription["status"] == "trialing":
        return []
    now = {each.item: each for each in current(account, subscription)}
    period = lifecycle.period_of(subscription)
    return [
        line
        for each in wanted
        for line in _credit(account, subscription, now[each.item], date, period)
    ]


def _named(account: Account, item: Wanted, what: str, date: int) -> str:
    price = item.price or {}
    name = _product(account, price)["name"]
    day = datetime.fromtimestamp(date, UTC).strftime("%d %b %Y")
    count = "" if item.quantity == 1 else f"{item.quantity} × "  # noqa: RUF001 (as Stripe writes)
    return f"{what} {count}{name} after {day}"


def net_of(account: Account, subscription: Doc, item: Wanted, at: int) -> int:
    """A whole period's price of an item less the discounts that work then."""
    if item.price is None:
        return 0
    amount = int(item.price["unit_amount"]) * item.quantity
    for discount in working_discounts(account, subscription, at):
        amount -= coupons.amounts_off([amount], discount["~coupon"])[0]
    return amount


def working_discounts(account: Account, subscription: Doc, at: int) -> list[Doc]:
    """The subscription's discounts that take something off at this time."""
    found = [account.need("discount", each) for each in subscription["discounts"]]
    return [each for each in found if coupons.works(each, at)]
