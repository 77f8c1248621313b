"""Our webhook against dj-stripe's, fed the same events of recorded lives (stripe_lifecycle).

Each side has a database of its own on the same server. Ours is called as a Lambda handler with
events of API Gateway; dj-stripe's view with requests of Django's RequestFactory, in a process of
its own environment. Both verify signatures, and both refetch from the same local server
(stripe_answers). A customer's life is fed to both in turns; afterwards what both know is compared
with what the stand-in knows, and everything is sent again.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, make_url, text
from sqlalchemy.orm import Session

from benchmarks import proxy, stripe_answers, stripe_lifecycle
from benchmarks.application import (
    Application,
    Databases,
    application,
    one_flush_engine,
    session,
    through,
)
from benchmarks.djstripe import environment as djstripe
from benchmarks.pairs import interleaved, median_ratio
from benchmarks.report import Report, Row
from benchmarks.stripe_lifecycle import Life, Recording
from local import environment, postgres
from local.stripe import API_KEY
from local.stripe.state import Store

ROUNDS = 11
LATE_MILLISECONDS = 50
"""Stripe is elsewhere: how long each answer takes in the second half. A guess, and a low one."""
WARM_UP, COUNTED, SHUFFLED = 1, 2, 1
"""Lives before those that are timed, and after: the first of the counted ones connects."""
SECRET = "whsec_known_to_everybody"  # noqa: S105 (no secret)
PATH = "/api/webhooks/stripe"
WORKER = Path(__file__).parent / "djstripe" / "worker.py"
START_SECONDS = 120

Batch = list[str]
Money = dict[str, Any]


class Unequal(RuntimeError):
    """The two, or one and the truth, differ in what they must agree on."""


class Context:
    """What our handler asks a Lambda context for."""

    aws_request_id = "benchmark"


@dataclass(frozen=True)
class Count:
    """What a batch cost."""

    statements: float
    round_trips: float
    refetches: float


class Ours:
    """Our webhook."""

    def __init__(self, app: Application, url: str, batches: Sequence[Batch]) -> None:
        from webhooks.stripe.handler import handler

        self._app = app
        self._handler = handler
        self._batches = batches
        self._url = url
        self.engine = app.current()
        self.port = make_url(url).port or 0

    def deliver(self, number: int) -> None:
        """Have the webhook take a batch. Raises RuntimeError unless it takes all."""
        self._app.engine = self.engine
        for body in self._batches[number]:
            answer = self._handler(gateway_event(body), Context())
            if answer["statusCode"] != 200:
                with self.engine.connect() as connection:
                    errors = connection.execute(
                        text("SELECT type, error FROM payments.stripe_events WHERE error > ''")
                    ).all()
                raise RuntimeError(f"ours answered {answer}: {errors}")

    @contextmanager
    def counted(self, port: int) -> Iterator[None]:
        """By way of a proxy."""
        before = self.engine
        self.engine = self._app.open(one_flush_engine, through(self._url, port))
        try:
            yield
        finally:
            self.engine.dispose()
            self.engine = before


class DjStripe:
    """dj-stripe's, in its own process."""

    def __init__(self, python: Path, url: str, answers: str, batches: Path) -> None:
        parts = make_url(url)
        self.port = parts.port or 0
        database = {
            "NAME": parts.database,
            "USER": parts.username,
            "PASSWORD": parts.password,
            "HOST": parts.host,
            "PORT": parts.port,
        }
        self._child = subprocess.Popen(
            [str(python), str(WORKER), json.dumps(database), answers, str(batches)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        )
        self.versions: dict[str, str] = self._said()

    def deliver(self, number: int) -> None:
        """Have the view take a batch. Raises RuntimeError unless it takes all."""
        refused = [each for each in self._ask(deliver=number)["statuses"] if each != 200]
        if refused:
            raise RuntimeError(f"dj-stripe answered {refused}")

    @contextmanager
    def counted(self, port: int) -> Iterator[None]:
        """By way of a proxy."""
        self._ask(port=port)
        try:
            yield
        finally:
            self._ask(port=self.port)

    def close(self) -> None:
        """End the process."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait(timeout=30)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _ask(self, **order: Any) -> Any:
        if self._child.stdin is None:
            raise RuntimeError("the process was started without its pipes")
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()
        return self._said()

    def _said(self) -> Any:
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line:
            raise RuntimeError(f"dj-stripe ended with status {self._child.wait(timeout=30)}")
        return json.loads(line)


def run(
    databases: Databases,
    progress: Callable[[int, int], None],
    *,
    rounds: int = ROUNDS,
    whole: bool = True,
) -> Report:
    """Feed lives to both. Without dj-stripe's environment, ours is measured alone and the report
    says so.
    """
    try:
        python: Path | None = djstripe.ensure()
        missing = ""
    except djstripe.NotMade as error:
        python, missing = None, str(error)
    with tempfile.TemporaryDirectory(prefix="webhooks-") as folder:
        recording = stripe_lifecycle.record(
            Path(folder) / "stripe.sqlite",
            WARM_UP + 2 * rounds + COUNTED + SHUFFLED,
            whole=whole,
        )
        with stripe_answers.answering(recording.path) as answers:
            bench = _Bench(databases, recording, answers, Path(folder) / "batches.json")
            if python is None:
                return bench.alone(missing, rounds, progress)
            return bench.compared(python, rounds, progress)


class _Bench:
    def __init__(
        self, databases: Databases, recording: Recording, answers: str, batches: Path
    ) -> None:
        self._databases = databases
        self._recording = recording
        self._answers = answers
        self._batches = [_bodies(life) for life in recording.lives]
        shuffled = self._batches[-1]
        random.Random(7).shuffle(shuffled)
        self._file = batches
        self._file.write_text(json.dumps(self._batches), encoding="utf-8")

    @contextmanager
    def _ours(self) -> Iterator[Ours]:
        stripe = {
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_API_BASE": self._answers,
            "STRIPE_WEBHOOK_SECRETS": SECRET,
        }
        with (
            self._databases.clone() as url,
            application(url) as app,
            environment.applied(stripe),
        ):
            with session(app) as opened:
                reserve(opened, self._recording)
            yield Ours(app, url, self._batches)

    @contextmanager
    def _djstripe(self, python: Path) -> Iterator[tuple[DjStripe, Engine]]:
        cluster = self._databases.cluster
        name = f"bench_djstripe_{uuid4().hex[:8]}"
        url = postgres.ensure_database(cluster, name)
        try:
            worker = DjStripe(python, url, self._answers, self._file)
            engine = one_flush_engine(url)
            try:
                yield worker, engine
            finally:
                engine.dispose()
                worker.close()
        finally:
            postgres.drop_database(cluster, name)

    def _count(self, side: Ours | DjStripe, first: int) -> Count:
        """The cost per event of the last of the lives to be counted."""
        with proxy.counting(side.port) as counter, side.counted(counter.port):
            for number in range(first, first + COUNTED):
                counter.take()
                stripe_answers.take_count(self._answers)
                side.deliver(number)
            traffic = counter.take()
        events = len(self._batches[first + COUNTED - 1])
        return Count(
            traffic.statements / events,
            traffic.round_trips / events,
            stripe_answers.take_count(self._answers) / events,
        )

    def compared(self, python: Path, rounds: int, progress: Callable[[int, int], None]) -> Report:
        """Both."""
        with self._ours() as ours, self._djstripe(python) as (other, other_engine):
            sides: tuple[Ours | DjStripe, ...] = (ours, other)
            for side in sides:
                for number in range(WARM_UP):
                    side.deliver(number)
            seconds = self._timed(sides, WARM_UP, rounds, progress)
            with stripe_answers.late(self._answers, LATE_MILLISECONDS):
                late = self._timed(sides, WARM_UP + rounds, rounds, progress)
            counts = [self._count(side, WARM_UP + 2 * rounds) for side in sides]
            for side in sides:
                side.deliver(len(self._batches) - 1)
            self._check_ours(ours.engine)
            self._check_djstripe(other_engine)
            again = self._again(ours, ours.engine), self._again(other, other_engine)
            versions = other.versions
        timed = self._batches[WARM_UP : WARM_UP + 2 * rounds]
        return _report(timed, (seconds, late), counts, again, versions)

    @staticmethod
    def _timed(
        sides: Sequence[Ours | DjStripe],
        first: int,
        rounds: int,
        progress: Callable[[int, int], None],
    ) -> list[list[float]]:
        """The seconds of each side for each of so many batches, in turns."""
        turns = [iter(range(first, first + rounds)) for _ in sides]
        return interleaved(
            [
                partial(lambda side, turn: side.deliver(next(turn)), side, turn)
                for side, turn in zip(sides, turns, strict=True)
            ],
            rounds=rounds,
            progress=lambda done, _: progress(first - WARM_UP + done, 2 * rounds),
        )

    def alone(self, missing: str, rounds: int, progress: Callable[[int, int], None]) -> Report:
        """Ours only."""
        with self._ours() as ours:
            for number in range(WARM_UP):
                ours.deliver(number)
            seconds = []
            for number in range(2 * rounds):
                started = time.perf_counter()
                ours.deliver(WARM_UP + number)
                seconds.append(time.perf_counter() - started)
                progress(number + 1, 2 * rounds)
            count = self._count(ours, WARM_UP + 2 * rounds)
            ours.deliver(len(self._batches) - 1)
            self._check_ours(ours.engine)
            again = self._again(ours, ours.engine)
        timed = self._batches[WARM_UP : WARM_UP + 2 * rounds]
        return _report_alone(timed, seconds, count, again, missing)

    def _check_ours(self, engine: Engine) -> None:
        """Everything took effect, and the money is what the stand-in says."""
        with engine.connect() as connection:
            done = connection.execute(
                text("SELECT count(*) FROM payments.stripe_events WHERE processed_at IS NOT NULL")
            ).scalar_one()
            known = connection.execute(text(_OUR_MONEY)).all()
        self._same("ours", done, {row.id: row.state for row in known})

    def _check_djstripe(self, engine: Engine) -> None:
        with engine.connect() as connection:
            done = connection.execute(text("SELECT count(*) FROM djstripe_event")).scalar_one()
            known = connection.execute(text(_DJSTRIPE_MONEY)).all()
        self._same("dj-stripe", done, {row.id: row.state for row in known})

    def _same(self, side: str, done: int, known: Money) -> None:
        sent = sum(len(batch) for batch in self._batches)
        if done != sent:
            raise Unequal(f"{side} recorded {done} of {sent} events")
        truth = _truth(self._recording.path)
        wrong = {
            id: (known.get(id), state) for id, state in truth.items() if known.get(id) != state
        }
        if wrong:
            raise Unequal(f"{side} differs from Stripe in {len(wrong)} of {len(truth)}: {wrong}")

    def _again(self, side: Ours | DjStripe, engine: Engine) -> dict[str, int]:
        """Send everything again; the tables that changed and by how many rows."""
        before = fingerprints(engine)
        for number in range(len(self._batches)):
            side.deliver(number)
        after = fingerprints(engine)
        return {
            table: after[table][0] - before[table][0]
            for table in before
            if before[table] != after[table]
        }


_OUR_MONEY = """
SELECT stripe_subscription_id AS id, lower(status) AS state FROM payments.subscriptions
UNION ALL
SELECT stripe_charge_id, 'refunded ' || refunded_amount FROM payments.transactions
 WHERE paid_at IS NOT NULL
UNION ALL
SELECT stripe_dispute_id, lower(status) FROM payments.disputes
UNION ALL
SELECT stripe_invoice_id, lower(status) FROM payments.invoices WHERE subscription_id IS NOT NULL
"""

_DJSTRIPE_MONEY = """
SELECT id, stripe_data ->> 'status' AS state FROM djstripe_subscription
UNION ALL
SELECT id, 'refunded ' || (stripe_data ->> 'amount_refunded') FROM djstripe_charge
UNION ALL
SELECT id, stripe_data ->> 'status' FROM djstripe_dispute
UNION ALL
SELECT id, stripe_data ->> 'status' FROM djstripe_invoice
"""


def _truth(state: Path) -> Money:
    """What the stand-in says of subscriptions, payments, disputes and invoices at the end."""
    store = Store(state)
    try:
        refunded = {
            each["id"]: f"refunded {each['amount_refunded']}"
            for each in store.all("charge")
            if each["status"] == "succeeded"
        }
        kinds = ("subscription", "dispute", "invoice")
        return refunded | {each["id"]: each["status"] for kind in kinds for each in store.all(kind)}
    finally:
        store.close()


def reserve(session: Session, recording: Recording) -> None:
    """What our tables hold before Stripe tells anything: the price list, accounts, customers, and
    the checkouts and purchases that they began.
    """
    from studypack.billing.models import (
        Checkout,
        CheckoutMode,
        Customer,
        Interval,
        Plan,
        Product,
        ProductKind,
        ProductPrice,
        Purchase,
    )
    from studypack.identity.models import User

    intervals = {"month": Interval.MONTHLY, "year": Interval.ANNUAL}
    products = {}
    for price in recording.prices.values():
        renews = price.interval is not None
        products[price.sku] = product = Product(
            sku=price.sku,
            name=price.sku,
            kind=ProductKind.SUBSCRIPTION if renews else ProductKind.ONE_TIME,
            plan=Plan.PRO if renews else None,
            interval=intervals[price.interval] if price.interval else None,
            price_amount=price.amount,
            access_window_days=None if renews else 90,
            trial_days=stripe_lifecycle.TRIAL_DAYS if renews else 0,
            stripe_product_id=price.stripe_product_id,
            stripe_price_id=price.stripe_price_id,
        )
        session.add(product)
        session.flush()
        session.add(
            ProductPrice(
                stripe_price_id=price.stripe_price_id,
                product_id=product.id,
                amount=price.amount,
                currency="usd",
            )
        )
    for life in recording.lives:
        session.add(User(id=life.user_id, email=f"{life.user_id.hex}@example.com"))
        session.flush()
        customer = Customer(user_id=life.user_id, stripe_customer_id=life.stripe_customer_id)
        session.add(customer)
        session.flush()
        for visit in life.visits:
            price = recording.prices[visit.sku]
            product = products[visit.sku]
            session.add(
                Checkout(
                    id=visit.checkout_id,
                    user_id=life.user_id,
                    customer_id=customer.id,
                    product_id=product.id,
                    mode=CheckoutMode.SUBSCRIPTION if price.interval else CheckoutMode.PAYMENT,
                    price_amount=price.amount,
                    currency="usd",
                    stripe_price_id=price.stripe_price_id,
                    success_url="https://app.example.com/paid",
                    cancel_url="https://app.example.com/prices",
                    stripe_session_id=visit.stripe_session_id,
                    expires_at=datetime.now(UTC) + timedelta(hours=1),
                )
            )
            session.flush()
            if not price.interval:
                session.add(
                    Purchase(
                        user_id=life.user_id,
                        product_id=product.id,
                        checkout_id=visit.checkout_id,
                        total_amount=price.amount,
                        currency="usd",
                    )
                )


def gateway_event(body: str) -> dict[str, Any]:
    """A signed delivery as API Gateway hands it to Lambda (format 2.0)."""
    from stripe import WebhookSignature

    return {
        "version": "2.0",
        "routeKey": f"POST {PATH}",
        "rawPath": PATH,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": WebhookSignature.generate_signature_header(body, SECRET),
        },
        "requestContext": {
            "http": {"method": "POST", "path": PATH, "sourceIp": "203.0.113.7"},
            "requestId": "benchmark",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def _bodies(life: Life) -> Batch:
    """The events that our endpoint at Stripe is set up for, as Stripe would send them."""
    from studypack.billing.events.handlers import HANDLERS

    return [
        json.dumps(event, indent=2, ensure_ascii=False)
        for event in life.events
        if event["type"] in HANDLERS
    ]


def fingerprints(engine: Engine) -> dict[str, tuple[int, str]]:
    """The number of rows and a hash of all of them, for every table of a database."""
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n"
                "    ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1"
            )
        ).scalars()
        found = {}
        for table in tables.all():
            row = connection.execute(
                text(
                    "SELECT count(*), coalesce(md5(string_agg(md5(r::text), '' ORDER BY"
                    f" md5(r::text))), '') FROM {table} r"
                )
            ).one()
            found[table] = (row[0], row[1])
    return found


_CONVERGED = (
    "both know subscriptions, payments, refunds, disputes and invoices as Stripe has them at the "
    "end, also of a life told in a random order"
)
_SAME = (
    "the same: the signature and its age are verified; an event is recorded once and takes effect "
    "once, in one transaction; a failure is an error that Stripe repeats"
)
_OURS_ONLY = (
    "ours only: one customer's events wait for each other, and an older one never overwrites a "
    "newer (Stripe is asked only where two fall in one second); no request leaves while rows "
    "are locked; purchases, access, numbered invoices, credit notes, mails and figures follow in "
    "the same transaction, once"
)
_THEIRS_ONLY = (
    "dj-stripe only: objects are kept whole, with prices, products and line items (of refunds and "
    "invoice payments the event alone); each event's object is fetched from Stripe, within the "
    "transaction, and is as new as the fetch"
)


def _per_second(batches: Sequence[Batch], seconds: Sequence[float]) -> float:
    return statistics.median(
        len(batch) / each for batch, each in zip(batches, seconds, strict=True)
    )


def _title(batches: Sequence[Batch]) -> str:
    events = sum(len(batch) for batch in batches)
    return f"Stripe's webhook: {events:,} events of {len(batches)} customers' lives"


def _row(name: str, batches: Sequence[Batch], seconds: Sequence[Sequence[float]]) -> Row:
    ours, other = seconds
    return Row(
        name,
        _per_second(batches, ours),
        _per_second(batches, other),
        "per second",
        median_ratio(other, ours),
    )


def _report(
    batches: Sequence[Batch],
    halves: Sequence[Sequence[Sequence[float]]],
    counts: Sequence[Count],
    again: Sequence[dict[str, int]],
    versions: dict[str, str],
) -> Report:
    ours, other = counts
    seconds, late = halves
    half = len(batches) // 2
    return Report(
        "webhooks",
        _title(batches),
        "dj-stripe's view, " + ", ".join(f"{name} {each}" for name, each in versions.items()),
        (
            _row("events", batches[:half], seconds),
            _row(f"events, Stripe answering in {LATE_MILLISECONDS} ms", batches[half:], late),
            Row("statements", ours.statements, other.statements, "per event"),
            Row("round trips to PostgreSQL", ours.round_trips, other.round_trips, "per event"),
            Row("refetches from Stripe", ours.refetches, other.refetches, "per event"),
        ),
        (
            _CONVERGED,
            f"all sent again: ours changed {_changes(again[0])}, dj-stripe {_changes(again[1])}",
            _SAME,
            _OURS_ONLY,
            _THEIRS_ONLY,
        ),
    )


def _report_alone(
    batches: Sequence[Batch],
    seconds: Sequence[float],
    count: Count,
    again: dict[str, int],
    missing: str,
) -> Report:
    return Report(
        "webhooks",
        _title(batches),
        f"NOT MEASURED: dj-stripe's environment could not be made ({missing.splitlines()[0]})",
        (
            Row("events", _per_second(batches, seconds), None, "per second"),
            Row("statements", count.statements, None, "per event"),
            Row("round trips to PostgreSQL", count.round_trips, None, "per event"),
            Row("refetches from Stripe", count.refetches, None, "per event"),
        ),
        (f"all sent again: ours changed {_changes(again)}", _OURS_ONLY),
    )


def _changes(again: dict[str, int]) -> str:
    if not again:
        return "no row"
    return ", ".join(f"{table} ({rows:+} rows)" for table, rows in again.items())
