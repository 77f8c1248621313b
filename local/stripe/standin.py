"""The stand-in as Python sees it: one object with its state, its time, its deliveries."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.stripe import webhooks
from local.stripe.account import Account
from local.stripe.api import Answer, Api, Request
from local.stripe.errors import ApiError
from local.stripe.objects import (
    cards,
    checkout_payment,
    clocks,
    collection,
    customers,
    refunds,
    renewals,
)
from local.stripe.objects.checkout_payment import Buyer
from local.stripe.state import Doc, Store, shown
from local.stripe.switches import Switches

API_KEY = "sk_test_known_to_everybody_and_good_for_this_stand_in_only"
FLUSH_SECONDS = 20.0


@dataclass(frozen=True)
class Endpoint:
    """Where events go, and the secret that they are signed with."""

    url: str
    secret: str
    events: Sequence[str] = field(default=("*",))


class StandIn:
    """A Stripe account on this machine.

    `base_url` is where it is reached (pages link to it), `now` the wall clock in seconds, `path`
    an SQLite file that keeps it over restarts, `seed` makes ids reproducible, `acceleration`
    divides the waits between deliveries. Deliveries begin with `start`; without it, events are
    only listed.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = API_KEY,
        endpoints: Sequence[Endpoint] = (),
        now: Callable[[], int] | None = None,
        path: Path | None = None,
        seed: str | None = None,
        acceleration: float = 60.0,
        workers: int = 2,
        switches: Switches | None = None,
    ) -> None:
        self.api_key = api_key
        self.switches = switches or Switches()
        self.lock = threading.RLock()
        self._store = Store(path, seed)
        self.account = Account(
            self._store, base_url, self.switches, now or (lambda: int(time.time()))
        )
        self.delivery = webhooks.Delivery(
            self._store,
            self.lock,
            self.switches,
            acceleration=acceleration,
            workers=workers,
        )
        self.account.told = self.delivery.enqueue
        self._api = Api(self.account, self.lock, api_key)
        self._looked = 0.0
        self._move_endpoints([each.url for each in endpoints])
        for endpoint in endpoints:
            self.add_endpoint(endpoint)

    # What tests and the local stack use ---------------------------------------------------------

    def start(self) -> None:
        """Begin to deliver events."""
        self.delivery.start()

    def stop(self) -> None:
        """Stop delivering, and write what there is."""
        self.delivery.stop()
        with self.lock:
            self._store.close()

    def answer(self, request: Request) -> Answer:
        """A request of the API."""
        self.let_time_pass()
        return self._api.answer(request)

    def add_endpoint(self, endpoint: Endpoint) -> str:
        """Have events delivered there from now on; the endpoint's id. The same URL is replaced."""
        with self.lock:
            for known in self._store.all("webhook_endpoint"):
                if known["url"] == endpoint.url:
                    known["secret"] = endpoint.secret
                    known["enabled_events"] = list(endpoint.events)
                    known["status"] = "enabled"
                    self._store.changed(known)
                    self._store.commit()
                    return str(known["id"])
            made = clocks.new_endpoint(
                self.account, endpoint.url, list(endpoint.events), secret=endpoint.secret
            )
            made["~given"] = True
            self._store.commit()
            return str(made["id"])

    def _move_endpoints(self, urls: list[str]) -> None:
        """Those of an earlier run, which may have had another port: what still waits for them is
        for the ones that are given now.
        """
        with self.lock:
            given = [each for each in self._store.all("webhook_endpoint") if each.get("~given")]
            new = [url for url in urls if url not in {each["url"] for each in given}]
            for known in given:
                if known["url"] in urls:
                    continue
                if new:
                    known["url"] = new.pop(0)
                    self._store.changed(known)
                else:
                    self._store.remove(known)

    @property
    def events(self) -> list[Doc]:
        """Every event so far, oldest first, as the API shows it."""
        with self.lock:
            return [shown(each) for each in self._store.all("event")]

    def all(self, kind: str) -> list[Doc]:
        """Every object of a kind, oldest first."""
        with self.lock:
            return [shown(each) for each in self._store.all(kind) if not each.get("~deleted")]

    def find(self, kind: str, identifier: str) -> Doc | None:
        """An object as the API shows it."""
        with self.lock:
            found = self.account.find(kind, identifier)
            return None if found is None else shown(found)

    @staticmethod
    def signed(event: Doc, *secrets: str, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """The body and headers that an endpoint would get for an event.

        With two secrets it is signed with both, as while one is being replaced.
        """
        body = webhooks.body_of(event)
        moment = int(time.time()) if at is None else at
        return body, {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": webhooks.signature(body, *secrets, at=moment),
        }

    def flush(self, timeout_seconds: float = FLUSH_SECONDS) -> bool:
        """Wait until everything was delivered; False when it took longer."""
        return self.delivery.flush(timeout_seconds)

    def resend(self, event_id: str) -> int:
        """Deliver an event once more; to how many endpoints."""
        with self.lock:
            event = self.account.need("event", event_id)
        return self.delivery.resend(event)

    # What people do -----------------------------------------------------------------------------

    def pay(
        self,
        session_id: str,
        number: str = "4242 4242 4242 4242",
        *,
        email: str | None = None,
        name: str | None = "Test Buyer",
        kind: str = checkout_payment.CARD,
        saved: str | None = None,
    ) -> str:
        """Pay a checkout session as on its page: "complete", or "requires_action".

        Raises ApiError (402) when the card is declined.
        """
        buyer = Buyer(email=email, name=name, number=number, kind=kind, saved=saved)
        with self._changing():
            session = self.account.need("checkout.session", session_id)
            if email is None and session["customer_details"] is None:
                buyer = Buyer("buyer@example.com", name, number, kind, saved)
            return checkout_payment.submit(self.account, session, buyer)

    def authenticate(self, intent_id: str, *, passed: bool = True) -> None:
        """Answer the bank's question about a payment, for a session or an invoice.

        Raises ApiError (402) when a session's payment failed thereby.
        """
        with self._changing():
            session = self.session_of(intent_id)
            if session is not None:
                checkout_payment.after_authentication(self.account, session, passed=passed)
                return
            intent = self.account.need("payment_intent", intent_id)
            collection.authenticated(self.account, intent, passed=passed)

    def session_of(self, intent_id: str) -> Doc | None:
        """The open session that a payment belongs to."""
        with self.lock:
            return next(
                (
                    each
                    for each in self._store.all("checkout.session")
                    if each.get("~intent") == intent_id and each["status"] == "open"
                ),
                None,
            )

    def settle(self, intent_id: str, *, succeeded: bool = True) -> None:
        """A delayed payment arrives, or comes back."""
        with self._changing():
            intent = self.account.need("payment_intent", intent_id)
            collection.settle(self.account, intent, succeeded=succeeded)

    def dispute(self, charge_id: str, *, reason: str = "fraudulent") -> str:
        """The card's owner disputes a charge; the dispute's id."""
        with self._changing():
            charge = self.account.need("charge", charge_id)
            return str(refunds.open_dispute(self.account, charge, reason=reason)["id"])

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides a dispute."""
        with self._changing():
            refunds.close_dispute(self.account, self.account.need("dispute", dispute_id), won=won)

    def replace_card(self, customer_id: str, number: str) -> str:
        """The customer puts another card in, which everything is paid with from now on."""
        with self._changing():
            customer = self.account.need("customer", customer_id)
            method = cards.new_card(self.account, cards.card_of(number))
            make_default(self.account, customer, method)
            return str(method["id"])

    def advance(self, customer_id: str, *, to: int | None = None, seconds: int = 0) -> int:
        """Let time pass for one customer, who gets a test clock for it if need be.

        Up to a moment, or by so many seconds; how many things happened.
        """
        with self._changing():
            customer = self.account.need("customer", customer_id)
            clock = self.account.find("test_helpers.test_clock", customer["test_clock"])
            if clock is None:
                clock = customers.new_clock(self.account, self.account.wall_clock(), "local")
                bind(self.account, customer, clock)
            target = clock["frozen_time"] + seconds if to is None else to
            if target <= clock["frozen_time"]:
                raise ApiError("Time goes forward only.")
            return clocks.advance_to(self.account, clock, target)

    def let_time_pass(self) -> None:
        """Do what is due by the wall clock, looking at most once a second."""
        now = time.monotonic()
        if now - self._looked < 1:
            return
        self._looked = now
        with self._changing():
            renewals.pass_time(self.account, None, self.account.wall_clock())

    def set_switches(self, changes: dict[str, Any]) -> Switches:
        """Change switches. Raises ValueError for what is none."""
        with self.lock:
            self.switches.set(changes)
            return self.switches

    def _changing(self) -> _Changing:
        return _Changing(self)


class _Changing:
    """The lock, and at its end a commit."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    def __enter__(self) -> None:
        self._standin.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._standin.account.store.commit()
        self._standin.lock.release()


def make_default(account: Account, customer: Doc, method: Doc) -> None:
    """Have a customer and all its subscriptions pay with this method."""
    cards.attach_to(account, method, customer)
    with account.changing(customer, "customer.updated"):
        customer["invoice_settings"]["default_payment_method"] = method["id"]
    for subscription in account.store.all("subscription"):
        if subscription["customer"] == customer["id"] and subscription["default_payment_method"]:
            with account.changing(subscription, "customer.subscription.updated"):
                subscription["default_payment_method"] = method["id"]


def bind(account: Account, customer: Doc, clock: Doc) -> None:
    """Give a customer a clock, which Stripe does at the making only."""
    customer["test_clock"] = clock["id"]
    account.store.changed(customer)
    for kind in ("subscription", "invoice"):
        for each in account.store.all(kind):
            if each["customer"] == customer["id"]:
                each["test_clock"] = clock["id"]
                account.store.changed(each)
