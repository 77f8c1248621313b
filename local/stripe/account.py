"""One Stripe account: its documents, its time, and the events that tell what happened."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local.stripe.errors import ApiError, missing
from local.stripe.form import Params
from local.stripe.ids import kind_of
from local.stripe.state import Doc, Store, difference, shown
from local.stripe.switches import Switches

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def api_version() -> str:
    """The version of Stripe's API that the installed SDK pins."""
    from stripe._api_version import _ApiVersion

    return _ApiVersion.CURRENT


class Account:
    """What every kind of object needs; used by one thread at a time."""

    def __init__(
        self, store: Store, base_url: str, switches: Switches, now: Callable[[], int]
    ) -> None:
        self.store = store
        self.base_url = base_url.rstrip("/")
        self.switches = switches
        self.wall_clock = now
        self.version = api_version()
        self.request: Doc = {"id": None, "idempotency_key": None}
        """The request under way, as its events name it."""
        self.told: Callable[[Doc], int] = lambda _event: 0
        """Called with each new event; how many endpoints will hear of it."""

    def new_id(self, prefix: str, length: int = 24) -> str:
        return self.store.ids.new(prefix, length)

    def now(self, about: Doc | None = None) -> int:
        """The time for this object: its customer's test clock's, or the wall clock's."""
        clock = self.clock_of(about) if about is not None else None
        return int(clock["frozen_time"]) if clock is not None else self.wall_clock()

    def clock_of(self, about: Doc) -> Doc | None:
        """The test clock that an object lives by."""
        if about["object"] == "test_helpers.test_clock":
            return about
        owner: Doc | None = about
        if about["object"] == "dispute":
            owner = self.store.find("charge", about["charge"])
        elif about["object"] == "invoice_payment":
            owner = self.store.find("invoice", about["invoice"])
        if owner is not None and owner["object"] != "customer":
            customer = owner.get("customer")
            owner = self.store.find("customer", customer) if customer else None
        clock = owner.get("test_clock") if owner else None
        return self.store.find("test_helpers.test_clock", clock) if clock else None

    def find(self, kind: str, identifier: str | None) -> Doc | None:
        """An object that was not deleted, if there is one."""
        found = self.store.find(kind, identifier) if identifier else None
        return None if found is None or found.get("~deleted") else found

    def need(self, kind: str, identifier: str, param: str = "id") -> Doc:
        """An object that must be there. Raises 404 otherwise (400 when a parameter names it)."""
        found = self.find(kind, identifier)
        if found is None:
            error = missing(kind, identifier, param)
            error.status = 404 if param == "id" else 400
            raise error
        return found

    def named(self, kind: str, params: Params, name: str) -> Doc:
        """The object whose id a parameter gives."""
        return self.need(kind, params.required(name), params.path(name))

    def resolve(self, identifier: str, field: str = "") -> Doc | None:
        """The object with this id, whatever its kind."""
        kind = "coupon" if field == "coupon" else kind_of(identifier)
        return self.store.find(kind, identifier) if kind else None

    def add(self, document: Doc, *events: str) -> Doc:
        """Keep a new object and tell of it."""
        self.store.add(document)
        for kind in events:
            self.emit(kind, document)
        return document

    @contextmanager
    def changing(self, document: Doc, *events: str) -> Iterator[Doc]:
        """Change an object in the block; what differs afterwards is told by these events."""
        before = copy.deepcopy(document)
        yield document
        if before == document:
            return
        self.store.changed(document)
        previous = difference(shown(before), shown(document))
        for kind in events if previous else ():
            self.emit(kind, document, previous)

    def emit(self, kind: str, about: Doc, previous: Doc | None = None) -> Doc:
        """Tell that something happened to an object, which the event holds as it is now."""
        data: Doc = {"object": shown(about)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Doc = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": self.version,
            "created": self.now(about),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": dict(self.request),
            "type": kind,
        }
        self.store.add(event)
        event["pending_webhooks"] = self.told(event)
        return event

    def url(self, path: str) -> str:
        """The address of one of our pages."""
        return f"{self.base_url}{path}"


def currency_of(params: Params, name: str = "currency") -> str:
    """A currency's three letters, in small ones."""
    value = params.required(name).lower()
    if len(value) != 3 or not value.isalpha():
        raise ApiError(f"Invalid currency: {value}.", param=params.path(name))
    return value


def listed(url: str, data: list[Any], more: bool = False) -> Doc:
    """A list as Stripe gives it."""
    return {"object": "list", "data": data, "has_more": more, "url": url}
