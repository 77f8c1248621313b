"""Stripe's events: shuffled, repeated, at once, their process killed; and refunds in the middle of
an exam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from local import environment
from local.stripe import application
from studypack.billing import inbox, owed
from tests.faults import audit
from tests.faults.audit import Findings
from tests.faults.classroom import Books, Learner
from tests.faults.client import at_once, calling
from tests.faults.figures import Figures
from tests.faults.processes import process_event, run_jobs, serving
from tests.faults.victim import Orders
from tests.support import bank, billing, convergence, lifecycle
from tests.support.lifecycle import Lifecycle

KILLED = (
    "checkout.session.completed",
    "payment_intent.succeeded",
    "charge.refunded",
    "refund.created",
    "customer.subscription.created",
    "customer.subscription.updated",
    "invoice.finalized",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice_payment.paid",
    "charge.dispute.created",
    "charge.dispute.closed",
    "customer.subscription.deleted",
    "payment_method.detached",
    "customer.deleted",
)
"""Types of which one event each is killed at every moment."""

THREADS = 8


@pytest.fixture(scope="module")
def stripe_at() -> Iterator[tuple[str, list[Any]]]:
    """A loopback server for stand-ins."""
    with billing.served() as server:
        yield server


@pytest.fixture
def life(url: str, stripe_at: tuple[str, list[Any]]) -> Iterator[Lifecycle]:
    """A customer's life before its first event, and the stand-in at its end to ask."""
    address, current = stripe_at
    lived = lifecycle.live()
    current.append(application(lived.standin))
    variables = {"DATABASE_URL": url, "DATABASE_POOL_SIZE": str(THREADS), **_stripe(address)}
    with environment.applied(variables):
        lifecycle.install_products(lived)
        lifecycle.begin(lived)
        yield lived
    current.pop()
    lived.standin.stop()


def _stripe(address: str) -> dict[str, str]:
    return {
        "STRIPE_API_KEY": billing.API_KEY,
        "STRIPE_API_BASE": address,
        "STRIPE_WEBHOOK_SECRETS": billing.WEBHOOK_SECRET,
    }


@pytest.mark.timeout(1800)
def test_any_order_and_repetition_of_a_lifes_events_ends_in_one_state(
    life: Lifecycle, figures: Callable[..., Figures], record_property: Callable[[str, object], None]
) -> None:
    row = figures("a life's events in any order, and repeated")

    tried = convergence.converge(life, orders=150)

    row.tries = tried.orders
    extra = len(tried.states) - 1
    twice = [f"{grants} counted" for grants in tried.grants - {(2, 2)}]
    row.add(Findings(stuck=("another final state",) * extra, duplicated=tuple(twice)))
    print(f"orders {tried.orders}, repetitions {tried.repetitions}, states {len(tried.states)}")
    record_property("figure", f"convergence: {tried.orders} orders, {len(tried.states)} state")
    row.hold()


@pytest.mark.timeout(1800)
def test_a_process_killed_at_any_moment_of_an_event_leaves_all_of_it_or_nothing(
    life: Lifecycle, orders: Orders, figures: Callable[..., Figures], stripe_at: Any
) -> None:
    row = figures("kill -9 in the middle of an event of Stripe's, at every moment")
    orders = replace(orders, environment={**orders.environment, **_stripe(stripe_at[0])})
    halves: list[str] = []
    for wanted in KILLED:
        event = next(each for each in life.events if each["type"] == wanted)
        inbox.record(event)
        before = lifecycle.fingerprint()
        moment = 1
        while (outcome := process_event(event["id"], replace(orders, die_at=moment))) is None:
            row.tries += 1
            moment += 1
            if billing.inbox_row(event["id"]).processed_at is not None:
                break  # it died after the COMMIT
            if lifecycle.fingerprint() != before:
                halves.append(f"{wanted}, moment {moment}")
        assert outcome in {None, "applied", "done_before"}, outcome
        assert process_event(event["id"], orders) == "done_before"
    row.add(Findings(lost=tuple(halves)))
    lifecycle.tell(life.events)
    _end_alike(life, row)
    print(f"crash points {row.tries}, half applied {len(halves)}")
    row.hold()


@pytest.mark.quick
@pytest.mark.timeout(600)
def test_events_that_come_twice_and_at_once_take_effect_once(
    life: Lifecycle, figures: Callable[..., Figures], whole: bool
) -> None:
    row = figures(f"each of a life's events twice, {THREADS} at once")
    events = life.events if whole else life.events[:24]
    lifecycle.tell(events)
    alone = lifecycle.state()
    for _ in range(5 if whole else 1):
        lifecycle.begin(life)
        with ThreadPoolExecutor(THREADS) as threads:
            told = [event for event in events for _ in range(2)]
            done = list(threads.map(lambda event: inbox.process(inbox.record(event)), told))
        row.tries += len(done)
        _sweep_up(row)
        found = lifecycle.differences(alone, lifecycle.state())
        row.add(Findings(stuck=tuple(found)))
        applied = sum(each.outcome is inbox.Outcome.APPLIED for each in done)
        row.add(Findings(duplicated=("applied twice",) * max(0, applied - len(events))))
    row.hold()


def _sweep_up(row: Figures) -> None:
    """What did not get its turn at a lock in time comes again, as Stripe sends it again."""
    bank.execute("UPDATE payments.stripe_events SET next_attempt_at = now()")
    waiting = bank.rows("SELECT id FROM payments.stripe_events WHERE processed_at IS NULL")
    for event in waiting:
        done = inbox.process(event.id)
        if done.outcome is inbox.Outcome.FAILED:
            row.add(Findings(stuck=(f"{event.id}: {done.error}",)))


def _end_alike(life: Lifecycle, row: Figures) -> None:
    """What is there now is what the events told in Stripe's order end in."""
    found = lifecycle.state()
    lifecycle.begin(life)
    lifecycle.tell(life.events)
    row.add(Findings(stuck=tuple(lifecycle.differences(lifecycle.state(), found))))


# Refunds in the middle of an exam -------------------------------------------------------------


@dataclass(frozen=True)
class Bought:
    """What a learner bought, and the events that tell that all of it went back."""

    purchase: UUID
    refund: list[dict[str, Any]]


def _buy(learner: Learner, product: UUID) -> Bought:
    """An exam pack, paid by its event."""
    key = learner.id.hex
    row = billing.make_customer(learner.id, f"cus_{key}")
    reserved = billing.make_checkout(learner.id, row, product, session_id=f"cs_{key}")
    now = int(bank.value("SELECT extract(epoch FROM now())::bigint")) - 60
    paid = {
        "id": f"cs_{key}",
        "object": "checkout.session",
        "customer": f"cus_{key}",
        "payment_intent": f"pi_{key}",
        "payment_status": "paid",
        "status": "complete",
        "amount_total": 2900,
        "metadata": {},
    }
    charge = {
        "id": f"ch_{key}",
        "object": "charge",
        "customer": f"cus_{key}",
        "payment_intent": f"pi_{key}",
        "status": "succeeded",
        "amount": 2900,
        "currency": "usd",
        "amount_refunded": 0,
        "metadata": {},
        "created": now,
    }
    refund = {
        "id": f"re_{key}",
        "object": "refund",
        "amount": 2900,
        "currency": "usd",
        "payment_intent": f"pi_{key}",
        "status": "succeeded",
        "created": now + 30,
        "metadata": {},
    }
    told = [
        _event(f"evt_paid_{key}", "checkout.session.completed", now, paid),
        _event(f"evt_charge_{key}", "charge.succeeded", now, charge),
    ]
    for event in told:
        assert inbox.process(inbox.record(event)).outcome is inbox.Outcome.APPLIED
    gone = {**charge, "amount_refunded": 2900}
    return Bought(
        reserved.purchase or UUID(int=0),
        [
            _event(f"evt_gone_{key}", "charge.refunded", now + 30, gone),
            _event(f"evt_refund_{key}", "refund.created", now + 30, refund),
        ],
    )


def _event(id: str, kind: str, created: int, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": id,
        "object": "event",
        "created": created,
        "type": kind,
        "data": {"object": document},
    }


@pytest.mark.quick
def test_a_refund_in_the_middle_of_an_exam_ends_access_and_not_the_exam(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    row = figures("a refund while an exam is started, answered and submitted")
    books = Books()
    used = learners[: 60 if whole else 4]
    variables = {"DATABASE_URL": url, "DATABASE_POOL_SIZE": "4"}
    with environment.applied(variables):
        bank.execute("DELETE FROM auth.settings WHERE key = 'free_plan_features'")
        product = billing.make_product("pack-of-faults", amount=2900)
        bought = {learner.id: _buy(learner, product) for learner in used}
        with serving(orders, number=2) as servers:
            for number, learner in enumerate(used):
                refund = partial(_refund, bought[learner.id])
                act = partial(_act, learner, books, servers.port, number % 3)
                at_once([refund, act])
                row.tries += 1
                row.add(_after(learner, books, servers.port))
        owed.settle_at_once([], [])
        states = bank.rows("SELECT status, status_reason, is_duplicate FROM payments.purchases")
        row.add(
            Findings(
                lost=tuple(str(state) for state in states if state.status != "REFUNDED"),
                duplicated=tuple(str(state) for state in states if state.is_duplicate),
            )
        )
    run_jobs(orders)
    with audit.looking(url) as database:
        row.add(audit.responses(database, books))
        row.add(audit.submissions(database, books.submitted, scored=True))
        row.add(audit.left_behind(database))
    row.count_all(books.answers)
    row.hold()


def _refund(bought: Bought) -> None:
    for event in bought.refund:
        done = inbox.process(inbox.record(event))
        assert done.outcome is inbox.Outcome.APPLIED, done.error


def _act(learner: Learner, books: Books, port: int, what: int) -> None:
    """Start another exam, answer the one under way, or submit it."""
    with calling(port, learner.token) as client:
        if what == 0:
            answer = client.post("/api/exams/sessions", {"template": "ot-diagnostic"})
            assert answer.status in {201, 402}, answer
        elif what == 1:
            for revision in range(1, 6):
                assert books.save(learner, client, revision).status == 200
        else:
            assert books.finalize(learner, client).status == 200


def _after(learner: Learner, books: Books, port: int) -> Findings:
    """The refund is told: no exam begins any more, and the one under way can be finished."""
    lost, duplicated = [], []
    with calling(port, learner.token) as client:
        begun = client.post("/api/exams/sessions", {"template": "ot-intervention-drill"})
        if begun.status != 402:
            duplicated.append(f"{learner.id} began an exam after the refund: {begun.status}")
        if learner.session_id not in books.submitted:
            saved = [books.save(learner, client, revision) for revision in range(11, 13)]
            lost += [f"{learner.id} may not answer: {each}" for each in saved if each.status != 200]
            if books.finalize(learner, client).status != 200:
                lost.append(f"{learner.id} may not submit")
    return Findings(tuple(lost), tuple(duplicated))


# Many payment pages at once -------------------------------------------------------------------


@pytest.mark.quick
def test_many_checkouts_of_one_product_at_once_are_one(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    stripe_at: tuple[str, list[Any]],
    whole: bool,
) -> None:
    number = 50 if whole else 8
    row = figures("50 checkouts of one product by one buyer at once")
    address, current = stripe_at
    with (
        environment.applied({"DATABASE_URL": url, **_stripe(address)}),
        billing.standing_in(address, current) as local,
    ):
        bank.execute("INSERT INTO auth.settings (key, value) VALUES ('checkouts_per_hour', '1000')")
        v1 = local.client.v1
        product = v1.products.create({"name": "pack"})
        price = v1.prices.create({"product": product.id, "unit_amount": 2900, "currency": "usd"})
        billing.make_product(
            "pack-of-faults",
            amount=2900,
            stripe_product_id=product.id,
            stripe_price_id=price.id,
        )
        stripe = replace(orders, environment={**orders.environment, **_stripe(address)})
        with serving(stripe, number=2) as servers:
            for learner in learners[: 3 if whole else 1]:
                row.tries += number
                told = at_once([partial(_ask, learner, servers.port)] * number)
                row.count_all(told)
                row.add(_one_page(learner, told, local))
    row.hold()


def _ask(learner: Learner, port: int) -> Any:
    body = {
        "sku": "pack-of-faults",
        "success_url": "https://app.example.com/thanks",
        "cancel_url": "https://app.example.com/",
    }
    with calling(port, learner.token) as client:
        return client.post("/api/purchases/checkout-session", body)


def _one_page(learner: Learner, told: list[Any], local: Any) -> Findings:
    """Everybody was led to the same page, which is the only one; paying it opens once."""
    urls = {answer.body["url"] for answer in told if answer.status == 201}
    refused = [str(answer) for answer in told if answer.status not in {201, 503}]
    rows = bank.rows(
        "SELECT stripe_session_id FROM payments.checkouts WHERE user_id = :id", id=learner.id
    )
    open_pages = [
        each
        for each in local.standin.all("checkout.session")
        if each["status"] == "open" and each["metadata"]["studypack_user_id"] == str(learner.id)
    ]
    for page in open_pages:
        local.standin.pay(page["id"])
    local.deliver_new()
    opened = bank.rows(
        "SELECT id FROM payments.purchases WHERE user_id = :id AND status = 'COMPLETED'",
        id=learner.id,
    )
    extra = max(len(urls), len(rows), len(open_pages), len(opened)) - 1
    lost = [] if opened else ["nothing was opened"]
    return Findings(lost=(*lost, *refused), duplicated=("another page or access",) * extra)
