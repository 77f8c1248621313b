"""Delivery of events: signed, in threads of its own, tried again until it is taken."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from local.stripe.state import Doc, Store, shown
from local.stripe.switches import Switches

RETRY_SECONDS = (60, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 36_000)
"""Waits between tries; Stripe's own grow like this, over up to three days."""
TIMEOUT_SECONDS = 30.0
KIND = "~delivery"


def body_of(event: Doc) -> bytes:
    """The bytes that go out, indented as Stripe's are."""
    return json.dumps(shown(event), indent=2, ensure_ascii=False).encode()


def signature(body: bytes, *secrets: str, at: int) -> str:
    """The Stripe-Signature header."""
    signed = f"{at}.".encode() + body
    macs = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    return ",".join([f"t={at}", *(f"v1={mac}" for mac in macs)])


def send(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST, without following redirects; the status."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Delivery:
    """Delivers what is enqueued, under the lock of the account, sending without it."""

    def __init__(
        self,
        store: Store,
        lock: threading.RLock,
        switches: Switches,
        *,
        acceleration: float = 60.0,
        workers: int = 2,
    ) -> None:
        self._store = store
        self._changed = threading.Condition(lock)
        self._switches = switches
        self._acceleration = acceleration
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self._sending: set[str] = set()
        self._count = len(store.all(KIND))
        self._pending = {each["id"]: each for each in store.all(KIND) if each["state"] == "waiting"}
        # Of its own, so that shuffling changes no id; and it guards nothing.
        self._random = random.Random(store.ids.seed)  # noqa: S311

    def enqueue(self, event: Doc) -> int:
        """Take a new event up; how many endpoints will hear of it."""
        endpoints = self._endpoints(event)
        for endpoint in endpoints:
            dropped = any(fnmatchcase(event["type"], each) for each in self._switches.drop_types)
            for _ in range(1 if dropped else max(self._switches.copies, 1)):
                self._plan(event, endpoint, dropped=dropped)
        self._changed.notify_all()
        return len(endpoints)

    def _endpoints(self, event: Doc) -> list[Doc]:
        return [
            endpoint
            for endpoint in self._store.all("webhook_endpoint")
            if endpoint["status"] == "enabled"
            and any(fnmatchcase(event["type"], each) for each in endpoint["enabled_events"])
        ]

    def _plan(self, event: Doc, endpoint: Doc, *, dropped: bool = False) -> None:
        self._count += 1
        wait = self._switches.delay_seconds
        if self._switches.shuffle_seconds:
            wait += self._random.uniform(0, self._switches.shuffle_seconds)
        delivery = self._store.add(
            {
                "object": KIND,
                "id": f"{self._count:08}",
                "event": event["id"],
                "endpoint": endpoint["id"],
                "state": "dropped" if dropped else "waiting",
                "due": time.time() + wait,
                "tries": [],
            }
        )
        if not dropped:
            self._pending[delivery["id"]] = delivery

    def start(self) -> None:
        """Begin to deliver."""
        if self._threads:
            return
        self._stopping = False
        for number in range(self._workers):
            thread = threading.Thread(
                target=self._work, name=f"stripe-webhooks-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop after what is being sent now; the rest waits for the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            delivery, event, endpoint = taken
            self._try(delivery, event, endpoint)

    def _take(self) -> tuple[Doc, Doc, Doc] | None:
        with self._changed:
            while not self._stopping:
                waiting = self._waiting()
                now = time.time()
                first = min(waiting, key=lambda each: each["due"], default=None)
                if first is None or self._switches.hold:
                    self._changed.wait(None if first is None else 0.2)
                    continue
                if first["due"] > now:
                    self._changed.wait(min(first["due"] - now, 0.5))
                    continue
                event = self._store.find("event", first["event"])
                endpoint = self._store.find("webhook_endpoint", first["endpoint"])
                if event is None or endpoint is None:
                    first["state"] = "given up"
                    del self._pending[first["id"]]
                    self._store.changed(first)
                    continue
                self._sending.add(first["id"])
                return first, event, endpoint
            return None

    def _waiting(self) -> list[Doc]:
        return [each for each in self._pending.values() if each["id"] not in self._sending]

    def _try(self, delivery: Doc, event: Doc, endpoint: Doc) -> None:
        at = int(time.time())
        with self._changed:
            body = body_of(event)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Accept": "*/*; q=0.5, application/xml",
            "Cache-Control": "no-cache",
            "Stripe-Signature": signature(body, endpoint["secret"], at=at),
        }
        said: int | str
        try:
            said = send(endpoint["url"], body, headers)
        except (OSError, http.client.HTTPException) as error:
            said = type(error).__name__
        with self._changed:
            self._sending.discard(delivery["id"])
            delivery["tries"].append({"at": at, "said": said})
            if isinstance(said, int) and 200 <= said < 300:
                delivery["state"] = "delivered"
                if event["pending_webhooks"] > 0:
                    event["pending_webhooks"] -= 1
                    self._store.changed(event)
            elif len(delivery["tries"]) > len(RETRY_SECONDS):
                delivery["state"] = "given up"
            else:
                wait = RETRY_SECONDS[len(delivery["tries"]) - 1] / self._acceleration
                delivery["due"] = time.time() + wait
            if delivery["state"] != "waiting":
                del self._pending[delivery["id"]]
            self._store.changed(delivery)
            self._store.commit()
            self._changed.notify_all()

    def resend(self, event: Doc) -> int:
        """Deliver an event once more, dropped or delivered; to how many endpoints."""
        with self._changed:
            endpoints = self._endpoints(event)
            for endpoint in endpoints:
                self._plan(event, endpoint)
            self._store.commit()
            self._changed.notify_all()
        return len(endpoints)

    def flush(self, timeout_seconds: float, *, hurry: bool = True) -> bool:
        """Wait until nothing waits any more; with `hurry`, what waits is tried at once.

        False when it took longer. A delivery that keeps failing is tried up to its last time.
        """
        limit = time.monotonic() + timeout_seconds
        with self._changed:
            while self._pending:
                for each in self._waiting() if hurry else ():
                    each["due"] = 0.0
                self._changed.notify_all()
                left = limit - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.2))
        return True

    def of(self, event_id: str) -> list[dict[str, Any]]:
        """How the deliveries of an event went."""
        return [each for each in self._store.all(KIND) if each["event"] == event_id]
