"""A customer's whole life at Stripe, lived once at the stand-in, and what our tables make of its
events in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text

from local.stripe import ApiError, StandIn
from studypack.billing import inbox
from studypack.billing.events.handlers import HANDLERS
from studypack.core.database import transaction
from tests.support.in_process import client_of

Document = dict[str, Any]

DAY = 86_400
BEGIN = 1_767_960_000
"""2026-01-09 12:00 UTC, long before the tests' own present."""
CUSTOMER = UUID("10000000-0000-7000-8000-000000000001")
USER = UUID("20000000-0000-7000-8000-000000000001")
GOOD, FAILS_LATER = "4242424242424242", "4000000000000341"


@dataclass
class Product:
    """A product of ours with its price at the stand-in."""

    id: UUID
    sku: str
    amount: int
    interval: str | None
    price_id: str = ""
    stripe_id: str = ""


@dataclass
class Visit:
    """A visit to the payment page: our reservation, which is there before any event."""

    checkout: UUID
    purchase: UUID | None
    product: Product
    session_id: str = ""


@dataclass
class Lifecycle:
    """What was lived, and the stand-in as it is at the end: the truth that is asked for."""

    standin: StandIn
    client: Any
    requests: list[str]
    customer_id: str = ""
    products: list[Product] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)

    @property
    def events(self) -> list[Document]:
        """The events that have a handler, in the order in which they were told."""
        return [each for each in self.standin.events if each["type"] in HANDLERS]

    def ties(self) -> int:
        """How many events share their second with another of the same object."""
        seen = Counter((e["data"]["object"]["id"], e["created"]) for e in self.events)
        return sum(number for number in seen.values() if number > 1)


def _id(kind: int, number: int) -> UUID:
    return UUID(f"{kind:08d}-0000-7000-8000-{number:012d}")


class _Life:
    """Lives it, a step a method."""

    def __init__(self, lived: Lifecycle) -> None:
        self.lived = lived
        self.v1 = lived.client.v1
        self.standin = lived.standin

    def product(self, sku: str, amount: int, interval: str | None = None) -> Product:
        number = len(self.lived.products) + 1
        made = Product(_id(3, number), sku, amount, interval)
        made.stripe_id = self.v1.products.create({"name": sku}).id
        params: Document = {"product": made.stripe_id, "unit_amount": amount, "currency": "usd"}
        if interval:
            params["recurring"] = {"interval": interval}
        made.price_id = self.v1.prices.create(params).id
        self.lived.products.append(made)
        return made

    def visit(self, product: Product, **subscription_data: Any) -> Visit:
        """Open the payment page as our checkout does."""
        number = len(self.lived.visits) + 1
        once = product.interval is None
        visit = Visit(_id(4, number), _id(5, number) if once else None, product)
        metadata = {
            "studypack_checkout_id": str(visit.checkout),
            "studypack_user_id": str(USER),
        }
        own = "payment_intent_data" if once else "subscription_data"
        visit.session_id = self.v1.checkout.sessions.create(
            {
                "mode": "payment" if once else "subscription",
                "customer": self.lived.customer_id,
                "line_items": [{"price": product.price_id, "quantity": 1}],
                "success_url": "https://app.example.com/thanks",
                "metadata": metadata,
                own: {"metadata": metadata, **subscription_data},
            }
        ).id
        self.lived.visits.append(visit)
        return visit

    def pass_days(self, days: float) -> None:
        self.standin.advance(self.lived.customer_id, seconds=int(days * DAY))

    def refund(self, intent_id: str, amount: int | None = None, **metadata: str) -> None:
        params: Document = {"payment_intent": intent_id, "metadata": metadata}
        if metadata:
            params["reason"] = "duplicate"
        if amount is not None:
            params["amount"] = amount
        self.v1.refunds.create(params)

    def newest_intent(self) -> Document:
        found: Document = self.standin.all("payment_intent")[-1]
        return found

    def intent_of(self, visit: Visit) -> str:
        session = self.standin.find("checkout.session", visit.session_id)
        assert session is not None
        return str(session["payment_intent"])

    def subscription_id(self) -> str:
        return str(self.standin.all("subscription")[0]["id"])


def live(seed: str = "lifecycle") -> Lifecycle:
    """Purchases (one paid twice, one declined first, one by a slow method, one that expires), a
    subscription from its trial over a renewal, a failed one, its recovery and a change of plan to a
    dispute and its end; a second subscription beside it; refunds in part and in full.
    """
    standin = StandIn("http://127.0.0.1:9", seed=seed, now=lambda: BEGIN)
    client, transport = client_of(standin)
    lived = Lifecycle(standin, client, transport.requests)
    life = _Life(lived)
    clock = life.v1.test_helpers.test_clocks.create({"frozen_time": BEGIN})
    lived.customer_id = life.v1.customers.create(
        {"email": "lea@example.com", "name": "Lea Brandt", "test_clock": clock.id}
    ).id
    pack, bundle = life.product("pack", 2900), life.product("bundle", 1900)
    monthly = life.product("monthly", 4900, "month")
    annual = life.product("annual", 39900, "year")
    _buy(life, pack, bundle)
    _subscribe(life, monthly, annual)
    transport.requests.clear()
    return lived


def _buy(life: _Life, pack: Product, bundle: Product) -> None:
    first, second = life.visit(pack), life.visit(pack)
    try:
        life.standin.pay(first.session_id, "4000000000000002")
    except ApiError:
        life.standin.pay(first.session_id, GOOD)
    life.pass_days(1 / 24)
    life.standin.pay(second.session_id, GOOD)  # the same product: paid twice
    life.refund(
        life.intent_of(second),
        studypack_refund_id=str(_id(9, 1)),
        studypack_refund_origin="AUTOMATIC",
    )
    life.pass_days(1)
    slow = life.visit(bundle)
    life.standin.pay(slow.session_id, "DE89370400440532013000", kind="sepa_debit")
    life.pass_days(3)
    life.standin.settle(life.intent_of(slow), succeeded=True)
    life.refund(life.intent_of(slow), 500)
    life.visit(bundle)
    life.pass_days(2)  # nobody pays: it expires
    life.refund(life.intent_of(first), 900)
    life.refund(life.intent_of(first))


def _subscribe(life: _Life, monthly: Product, annual: Product) -> None:
    v1, standin = life.v1, life.standin
    visit = life.visit(monthly, trial_period_days=7)
    standin.pay(visit.session_id, GOOD)
    customer = life.lived.customer_id
    subscription = life.subscription_id()
    life.pass_days(1)
    # A second one, begun while the first stands: cancelled and paid back.
    other = life.visit(annual)
    standin.pay(other.session_id, GOOD)
    paid = life.newest_intent()["id"]
    twice = standin.all("subscription")[-1]["id"]
    v1.subscriptions.cancel(twice)
    life.refund(paid, studypack_refund_id=str(_id(9, 2)), studypack_refund_origin="AUTOMATIC")
    life.pass_days(7)  # the trial ends, the first month is paid
    life.pass_days(32)  # a renewal
    standin.replace_card(customer, FAILS_LATER)
    life.pass_days(31)  # a renewal that fails, and its first repetition
    life.pass_days(4)
    standin.replace_card(customer, GOOD)
    life.pass_days(8)  # it recovers
    item = standin.find("subscription", subscription)["items"]["data"][0]["id"]  # type: ignore[index]
    v1.subscriptions.update(
        subscription,
        {
            "items": [{"id": item, "price": annual.price_id}],
            "proration_behavior": "always_invoice",
        },
    )
    upgrade = life.newest_intent()
    life.pass_days(2)
    v1.subscriptions.update(subscription, {"cancel_at_period_end": True})
    v1.subscriptions.update(subscription, {"cancel_at_period_end": False})
    dispute = standin.dispute(upgrade["latest_charge"])
    life.pass_days(5)
    standin.close_dispute(dispute, won=False)
    v1.subscriptions.cancel(subscription)
    life.pass_days(1)
    again = life.visit(monthly)  # after the first has ended: nothing is paid twice
    standin.pay(again.session_id, GOOD)
    life.pass_days(3)
    life.refund(life.newest_intent()["id"])
    methods = v1.payment_methods.list({"customer": customer}).data
    v1.payment_methods.detach(methods[0].id)
    v1.customers.delete(customer)


# What our tables make of it --------------------------------------------------------------------

TABLES = (
    "credit_notes",
    "invoices",
    "refunds",
    "disputes",
    "transactions",
    "payment_methods",
    "subscriptions",
    "purchases",
    "checkouts",
    "customers",
    "number_series",
    "stripe_events",
)
_TRUNCATE = "TRUNCATE " + ", ".join(
    [
        *(f"payments.{name}" for name in (*TABLES, "seats", "seat_invitations")),
        *(f"notifications.{name}" for name in ("email_logs", "email_queue", "notifications")),
        "activity.analytics_events",
    ]
)


def install_products(lived: Lifecycle) -> None:
    """The products, and the user; once a database."""
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO auth.users (id, email, first_name, timezone)"
                " VALUES (:id, 'lea.of.the.lifecycle@example.com', 'Lea', 'UTC')"
            ),
            {"id": USER},
        )
        for each in lived.products:
            session.execute(
                text(
                    "INSERT INTO payments.products (id, sku, name, kind, plan, interval,"
                    " price_amount, currency, access_window_days, stripe_product_id,"
                    " stripe_price_id) VALUES (:id, :sku, :sku, :kind, :plan, :interval, :amount,"
                    " 'usd', :days, :product, :price)"
                ),
                {
                    "id": each.id,
                    "sku": f"lifecycle-{each.sku}",
                    "kind": "SUBSCRIPTION" if each.interval else "ONE_TIME",
                    "plan": "PRO" if each.interval else None,
                    "interval": {"month": "MONTHLY", "year": "ANNUAL"}.get(each.interval or ""),
                    "amount": each.amount,
                    "days": None if each.interval else 90,
                    "product": each.stripe_id,
                    "price": each.price_id,
                },
            )


def begin(lived: Lifecycle) -> None:
    """Empty tables but for the customer and the reservations, which come before any event."""
    with transaction() as session:
        session.execute(text(_TRUNCATE))
        session.execute(
            text(
                "INSERT INTO payments.customers (id, user_id, stripe_customer_id)"
                " VALUES (:id, :user, :stripe)"
            ),
            {"id": CUSTOMER, "user": USER, "stripe": lived.customer_id},
        )
        for visit in lived.visits:
            # As if replaced meanwhile: at most one may be open, and Stripe's page goes on working.
            values = {
                "id": visit.checkout,
                "user": USER,
                "customer": CUSTOMER,
                "product": visit.product.id,
                "mode": "SUBSCRIPTION" if visit.product.interval else "PAYMENT",
                "status": "EXPIRED",
                "amount": visit.product.amount,
                "price": visit.product.price_id,
            }
            session.execute(
                text(
                    "INSERT INTO payments.checkouts (id, user_id, customer_id, product_id, mode,"
                    " status, price_amount, currency, stripe_price_id, success_url, cancel_url,"
                    " expires_at) VALUES (:id, :user, :customer, :product, :mode, :status, :amount,"
                    " 'usd', :price, 'https://app.example.com/', 'https://app.example.com/',"
                    " timestamptz '2026-01-10 12:00Z')"
                ),
                values,
            )
            if visit.purchase is not None:
                session.execute(
                    text(
                        "INSERT INTO payments.purchases (id, user_id, product_id, checkout_id,"
                        " total_amount, currency) VALUES (:id, :user, :product, :checkout,"
                        " :amount, 'usd')"
                    ),
                    {
                        "id": visit.purchase,
                        "user": USER,
                        "product": visit.product.id,
                        "checkout": visit.checkout,
                        "amount": visit.product.amount,
                    },
                )


def tell(events: Sequence[Document]) -> None:
    """Record and process them in this order; an event that fails is an error."""
    for event in events:
        done = inbox.process(inbox.record(event))
        assert done.outcome is not inbox.Outcome.FAILED, (event["type"], event["id"], done.error)


_OWN = {"created_at", "updated_at", "received_at", "processed_at", "attempts", "next_attempt_at"}
"""Times of receipt. (An invoice's own `attempts` and `next_attempt_at` are compared.)"""

_NAMES: dict[str, str] = {
    "customers": "stripe_customer_id",
    "subscriptions": "stripe_subscription_id",
    "transactions": "stripe_payment_intent_id",
    "disputes": "stripe_dispute_id",
    "payment_methods": "stripe_payment_method_id",
    "refunds": "stripe_refund_id",
}


def state() -> dict[str, list[Document]]:
    """All payments tables and what was told on: without ids of our own, times of receipt and the
    order of numbers.
    """
    with transaction() as session:
        found = {
            table: [dict(row._mapping) for row in session.execute(text(f"TABLE payments.{table}"))]
            for table in TABLES
        }
        told_on = {
            "mails": "SELECT template, split_part(dedupe_key, ':', 2) AS kind, count(*)"
            " FROM notifications.email_queue WHERE template IN ('RECEIPT', 'REFUND')"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            "figures": "SELECT event_name, count(*) FROM activity.analytics_events"
            " GROUP BY 1 ORDER BY 1",
        }
        for name, query in told_on.items():
            found[name] = [dict(row._mapping) for row in session.execute(text(query))]
    return _normalised(found)


def fingerprint() -> str:
    """Everything that events change but the inbox itself, to the last byte."""
    names = [f"payments.{name}" for name in TABLES if name != "stripe_events"]
    names += ["notifications.email_queue", "activity.analytics_events"]
    parts = [
        f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) AS h, '{name}' AS n FROM {name} t"
        for name in names
    ]
    with transaction() as session:
        rows = session.execute(text(" UNION ALL ".join(parts)))
        return repr(sorted((row.n, row.h) for row in rows))


def _normalised(found: dict[str, list[Document]]) -> dict[str, list[Document]]:
    names: dict[Any, str] = {}
    for table, column in _NAMES.items():
        names.update({row["id"]: f"{table}:{row[column]}" for row in found[table]})
    for row in found["invoices"]:
        names[row["id"]] = f"invoices:{row['stripe_invoice_id'] or row['purchase_id']}"
    for row in found["credit_notes"]:
        names[row["id"]] = f"credit_notes:{names[row['refund_id']]}"
    numbers = _check_numbers(found)
    normal: dict[str, list[Document]] = {"numbers": numbers}
    for table, rows in found.items():
        if table == "number_series":
            continue
        hidden = _OWN - {"attempts", "next_attempt_at"} if table == "invoices" else _OWN
        normal[table] = sorted(
            (
                {
                    key: names.get(value, value) if isinstance(value, UUID) else value
                    for key, value in row.items()
                    if key not in hidden | {"number", "payload", "error", "status_of"}
                }
                for row in rows
            ),
            key=repr,
        )
    return normal


def _check_numbers(found: dict[str, list[Document]]) -> list[Document]:
    """Every series counts from one to its last number without a gap."""
    taken: dict[str, list[int]] = {}
    for table in ("invoices", "credit_notes"):
        for row in found[table]:
            if row["number"] is not None:
                series, _, number = row["number"].rpartition("-")
                taken.setdefault(series, []).append(int(number))
    last = {row["series"]: row["last_number"] for row in found["number_series"]}
    for series, numbers in taken.items():
        assert sorted(numbers) == list(range(1, last[series] + 1)), series
    assert set(last) == set(taken)
    return [{"series": name, "last": number} for name, number in sorted(last.items())]


def differences(one: dict[str, list[Document]], other: dict[str, list[Document]]) -> list[str]:
    """What differs between two states, for people."""
    told = []
    for table in one:
        if one[table] == other[table]:
            continue
        told.append(f"--- {table}")
        for left, right in zip(one[table], other[table], strict=False):
            told += [
                f"{left.get('id') or left}: {key}: {left[key]!r} | {right.get(key)!r}"
                for key in left
                if left[key] != right.get(key)
            ]
        if len(one[table]) != len(other[table]):
            told.append(f"{len(one[table])} | {len(other[table])} rows")
    return told
