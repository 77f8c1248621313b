"""Paying as a person does: the checkout that the API opens, the page that Stripe shows."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

from local.demo import markup
from local.demo.browser import Browser
from local.demo.client import Device, Unexpected
from local.demo.learner import Document
from local.demo.steps import NotTried

GOOD_CARD = "4242 4242 4242 4242"
POOR_CARD = "4000 0000 0000 9995"
ASKING_CARD = "4000 0025 0000 3155"
FAILING_CARD = "4000 0000 0000 0341"


@dataclass
class Till:
    """Stripe as a buyer meets it: its pages, and the clock that its stand-in has for tests."""

    device: Device
    browser: Browser
    base_url: str

    def checkout(self, sku: str, *, key: str | None = None) -> Document:
        """Open the payment page of a product; it leads back to our own pages."""
        opened: Document = self.device.post(
            "/api/purchases/checkout-session",
            {
                "sku": sku,
                "success_url": f"{self.base_url}/checkout/done?session_id={{CHECKOUT_SESSION_ID}}",
                "cancel_url": f"{self.base_url}/checkout/canceled",
            },
            expect=201,
            headers={"Idempotency-Key": key or uuid4().hex},
        )
        return opened

    def pay(self, page: str, number: str, *, name: str) -> None:
        """Open the payment page, fill the card in, press the button, end on our own page."""
        self.browser.open(page)
        self.fill_in(number, name=name)
        if "/3ds/" in urlsplit(self.browser.address).path:
            self.browser.press("complete")
        self.check_back()

    def fill_in(self, number: str, *, name: str, status: int = 200) -> None:
        """Fill the card in on the page that is open, and press the button."""
        card = {"number": number, "expiry": "12 / 34", "cvc": "123", "name": name}
        self.browser.press("pay", card, status=status)

    def check_back(self) -> None:
        """Raise Unexpected unless the browser is back on our page of success."""
        if not self.browser.address.startswith(f"{self.base_url}/checkout/done?session_id=cs_"):
            raise Unexpected("the payment page did not lead back to us", self.browser.last)

    def change_card(self, number: str) -> None:
        """Put another card in, on the customer's portal."""
        body = {"return_url": f"{self.base_url}/billing"}
        self.browser.open(self.device.post("/api/billing/portal-session", body, expect=201)["url"])
        self.browser.press("card", {"number": number})

    def pass_time(self, email: str, *, to: int | None = None, days: float = 0) -> None:
        """Let time pass for a customer, at the stand-in alone; raises NotTried if there is none."""
        status = self.device.get("/_local/status.json")
        if not status.get("stripe"):
            raise NotTried("time can be made to pass at the stand-in only")
        self.browser.open(f"{status['stripe']}/")
        for row in markup.rows(self.browser.page):
            if email in row.texts:
                action = next(each for each in row.actions if each.endswith("/advance"))
                body = {"days": days} if to is None else {"to": to}
                self.device.post(f"{status['stripe']}{urlsplit(action).path}", body)
                return
        raise Unexpected("the stand-in does not know the customer", self.browser.last)
