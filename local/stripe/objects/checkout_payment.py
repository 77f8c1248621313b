"""Paying a checkout session: what the hosted page does when a person presses the button."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.stripe.account import DAY, Account
from local.stripe.errors import ApiError, declined
from local.stripe.objects import (
    cards,
    checkout,
    collection,
    coupons,
    customers,
    invoices,
    lifecycle,
    payments,
    subscriptions,
)
from local.stripe.objects.lines import Line
from local.stripe.state import Doc

CARD, SEPA = "card", "sepa_debit"


@dataclass(frozen=True)
class Buyer:
    """What a person fills in."""

    email: str | None = None
    name: str | None = None
    number: str = ""
    kind: str = CARD
    saved: str | None = None
    """A payment method that the customer has already."""


def submit(account: Account, session: Doc, buyer: Buyer) -> str:
    """Try to complete a session: "complete", or "requires_action" when the card's owner is asked.

    Raises 402 when the card is declined; the session stays open then.
    """
    if session["status"] != "open":
        raise ApiError(f"This checkout is {session['status']} already.")
    for coupon, promotion in _chosen(account, session):
        coupons.check(account, coupon, currency=session["currency"])
        if promotion is not None:
            customer, amount = session["customer"], session["amount_subtotal"]
            coupons.check_code(account, promotion, customer=customer, amount=amount)
    email = buyer.email or (session["customer_details"] or {}).get("email")
    if not email or "@" not in email:
        raise ApiError("Your email is incomplete.", param="email")
    method = None
    if needs_method(session):
        method = _method(account, session, buyer, email)
    session["~buyer"] = {"email": email, "name": buyer.name}
    account.store.changed(session)
    if session["amount_total"] == 0:
        if method is not None:
            cards.must_be_attachable(method)
        return _complete(account, session, method)
    if method is None:
        raise ApiError("A payment method is required.", param="payment_method")
    if cards.works_at_once(method):
        return _complete(account, session, method)
    intent = _intent(account, session)
    page = account.url(f"/c/pay/{session['id']}")
    status = payments.attempt(account, intent, method, off_session=False, return_url=page)
    session["~method"] = method["id"]
    if status == "requires_payment_method":
        raise payments.error_of(intent)
    return status


def after_authentication(account: Account, session: Doc, *, passed: bool) -> str:
    """The buyer comes back from the bank's page. Raises 402 when the bank said no."""
    intent = account.need("payment_intent", session["~intent"])
    if session["status"] != "open" or intent["status"] != "requires_action":
        raise ApiError("This checkout asks for no authentication.")
    if passed:
        method = account.need("payment_method", session["~method"])
        return _complete(account, session, method, authenticated=True)
    payments.refuse_authentication(account, intent)
    raise payments.error_of(intent)


def needs_method(session: Doc) -> bool:
    """Whether the page asks for a card."""
    trial = session["mode"] == "subscription" and session["payment_method_collection"] == "always"
    return bool(session["amount_total"] > 0 or trial)


def _method(account: Account, session: Doc, buyer: Buyer, email: str) -> Doc:
    if buyer.saved:
        method = account.need("payment_method", buyer.saved)
        if method["customer"] is None or method["customer"] != session["customer"]:
            raise declined("resource_missing", None, "This card is not yours.")
        return method
    if buyer.kind == SEPA:
        return cards.new_sepa(account)
    return checkout.new_method(account, buyer.number, name=buyer.name, email=email)


def _intent(account: Account, session: Doc) -> Doc:
    intent = account.find("payment_intent", session.get("~intent"))
    if intent is not None and intent["amount"] == session["amount_total"]:
        return intent
    data = session["~payment_data"]
    subscribing = session["mode"] == "subscription"
    intent = payments.new_intent(
        account,
        session["amount_total"],
        session["currency"],
        account.find("customer", session["customer"]),
        metadata=data["metadata"],
        description="Subscription creation" if subscribing else data["description"],
        receipt_email=data["receipt_email"],
        setup_future_usage="off_session" if subscribing else data["setup_future_usage"],
    )
    session["~intent"] = intent["id"]
    if not subscribing:
        session["payment_intent"] = intent["id"]
    account.store.changed(session)
    return intent


def _customer(account: Account, session: Doc) -> Doc | None:
    known = account.find("customer", session["customer"])
    if known is not None:
        return known
    if session["customer"] is not None:
        raise ApiError("The customer of this checkout was deleted.")
    if session["customer_creation"] != "always" and session["mode"] == "payment":
        return None
    clock = None
    if account.switches.clock_per_customer:
        clock = customers.new_clock(account, account.now(), "made with its customer")["id"]
    buyer = session["~buyer"]
    customer = customers.new(account, buyer["email"], buyer["name"], test_clock=clock)
    session["customer"] = customer["id"]
    return account.add(customer, "customer.created")


def _complete(
    account: Account, session: Doc, method: Doc | None, *, authenticated: bool = False
) -> str:
    customer = _customer(account, session)
    keeps = session["mode"] == "subscription" or session["~payment_data"]["setup_future_usage"]
    if customer is not None and method is not None and keeps:
        cards.attach_to(account, method, customer, checked=True)
    if session["mode"] == "subscription" and customer is not None:
        _subscribe(account, session, customer, method, authenticated=authenticated)
    else:
        _sell(account, session, customer, method, authenticated=authenticated)
    session["status"] = "complete"
    session["url"] = None
    session["customer_details"] = _details(account, customer, **session["~buyer"])
    intent = account.find("payment_intent", session.get("~intent"))
    if session["amount_total"] == 0 or intent is None:
        session["payment_status"] = "no_payment_required"
    else:
        session["payment_status"] = "paid" if intent["status"] == "succeeded" else "unpaid"
    account.store.changed(session)
    account.emit("checkout.session.completed", session)
    return "complete"


def _details(account: Account, customer: Doc | None, *, email: str, name: str | None) -> Doc:
    return {
        "address": dict.fromkeys(customers.ADDRESS),
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": customer["tax_exempt"] if customer else "none",
        "tax_ids": customers.tax_ids_of(account, customer) if customer else [],
    }


def _chosen(account: Account, session: Doc) -> list[tuple[Doc, Doc | None]]:
    return [
        (
            account.need("coupon", each["coupon"], "coupon"),
            account.find("promotion_code", each["promotion_code"]),
        )
        for each in session["discounts"]
    ]


def _subscribe(
    account: Account, session: Doc, customer: Doc, method: Doc | None, *, authenticated: bool
) -> None:
    data = session["~subscription_data"]
    items = [
        (account.need("price", each["price"], "price"), each["quantity"])
        for each in session["~items"]
    ]
    days = session["~trial_days"]
    trial_end = account.now(customer) + days * DAY if days else session["~trial_end"]
    subscription, invoice = subscriptions.begin(
        account,
        customer,
        items,
        trial_end=trial_end,
        missing_method=data["missing_payment_method"] or "create_invoice",
        default_method=method,
        metadata=data["metadata"],
        description=data["description"],
        chosen=_chosen(account, session),
        session=session["id"],
    )
    session["subscription"] = subscription["id"]
    session["invoice"] = invoice["id"]
    if invoice["status"] != "open":
        return
    intent = _intent(account, session)
    _give(account, intent, customer)
    intent["amount"] = invoice["amount_remaining"]  # less what the customer's balance pays
    invoices.link_payment(account, invoice, intent)
    collection.collect(
        account, invoice, method, off_session=False, intent=intent, authenticated=authenticated
    )


def _give(account: Account, intent: Doc, customer: Doc) -> None:
    """An intent of an earlier try, when the customer wasn't there yet, gets its customer."""
    if intent["customer"] is None:
        intent["customer"] = customer["id"]
        account.store.changed(intent)


def _sell(
    account: Account,
    session: Doc,
    customer: Doc | None,
    method: Doc | None,
    *,
    authenticated: bool,
) -> None:
    intent = None
    if method is not None:
        intent = _intent(account, session)
        if customer is not None:
            _give(account, intent, customer)
        payments.attempt(account, intent, method, off_session=False, authenticated=authenticated)
    now = account.now(session)
    given = [
        coupons.redeem(
            account,
            coupon,
            promotion,
            start=now,
            session=session["id"],
            customer=customer["id"] if customer else None,
        )
        for coupon, promotion in _chosen(account, session)
    ]
    if not session["invoice_creation"]["enabled"] or customer is None:
        return
    settings: dict[str, Any] = session["invoice_creation"]["invoice_data"]
    invoice = invoices.draft(
        account,
        customer,
        [_line(account, each, now) for each in session["~items"]],
        currency=session["currency"],
        reason="manual",
        discounts=given,
        metadata=settings["metadata"],
        description=settings["description"],
    )
    session["invoice"] = invoice["id"]
    invoices.finalize(account, invoice)
    if intent is not None and invoice["status"] == "open":
        invoices.link_payment(account, invoice, intent)
        invoice["attempted"] = True
        invoice["attempt_count"] = 1
        collection.follow(account, invoice, intent)


def _line(account: Account, item: Doc, now: int) -> Line:
    price = account.need("price", item["price"], "price")
    product = account.store.find("product", price["product"]) or {"name": price["product"]}
    return Line(
        amount=price["unit_amount"] * item["quantity"],
        description=str(product["name"]),
        price=price,
        quantity=item["quantity"],
        start=now,
        end=now,
    )


def method_choices(account: Account, session: Doc) -> list[Doc]:
    """The cards that the session's customer has."""
    if session["customer"] is None:
        return []
    return [
        each
        for each in account.store.all("payment_method")
        if each["customer"] == session["customer"] and each["type"] == "card"
    ]


def default_of(account: Account, session: Doc) -> Doc | None:
    """The card that is chosen when the page opens."""
    customer = account.find("customer", session["customer"])
    return lifecycle.method_for(account, None, customer) if customer else None
