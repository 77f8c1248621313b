"""The customer portal: the subscription, the card, the invoices, in the customer's own hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from local.stripe.account import HOUR
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import cards, changes, lifecycle
from local.stripe.state import Doc

if TYPE_CHECKING:
    from local.stripe.pages import Pages

OPEN_SECONDS = HOUR


def page(pages: Pages, form: dict[str, str] | None, key: str) -> Response:
    """GET shows the portal, POST changes something."""
    account = pages.standin.account
    session = next(
        (each for each in account.store.all("billing_portal.session") if each["~key"] == key),
        None,
    )
    if session is None or session["created"] + OPEN_SECONDS < account.wall_clock():
        return pages.show(
            "message.html",
            status=404,
            title="This link has expired",
            text="Go back to where you came from and open the portal again.",
        )
    customer = account.need("customer", session["customer"], "customer")
    error = None
    if form is not None:
        try:
            _change(pages, customer, form)
            return pages.go(f"{pages.prefix}/p/session/{key}")
        except ApiError as refused:
            error = refused
    return _show(pages, session, customer, error)


def _change(pages: Pages, customer: Doc, form: dict[str, str]) -> None:
    account = pages.standin.account
    action = form.get("action")
    if action == "card":
        from local.stripe.standin import make_default

        method = cards.new_card(account, cards.card_of(form.get("number", "")))
        make_default(account, customer, method)
        return
    if action in {"default", "detach"}:
        method = account.need("payment_method", form.get("method", ""))
        if method["customer"] != customer["id"]:
            raise ApiError("This card is not yours.")
        if action == "detach":
            cards.detach(account, Params({}), method["id"])
            return
        from local.stripe.standin import make_default

        make_default(account, customer, method)
        return
    subscription = account.need("subscription", form.get("subscription", ""))
    if subscription["customer"] != customer["id"] or action not in {"cancel", "resume"}:
        raise ApiError("This can't be done.")
    wanted = "true" if action == "cancel" else "false"
    changes.update(account, Params({"cancel_at_period_end": wanted}), subscription["id"])


def _show(pages: Pages, session: Doc, customer: Doc, error: ApiError | None) -> Response:
    account = pages.standin.account
    store = account.store
    own = [each for each in store.all("subscription") if each["customer"] == customer["id"]]
    live = [each for each in own if lifecycle.lives(each)]
    default = lifecycle.method_for(account, live[0] if live else None, customer)
    return pages.show(
        "portal.html",
        status=error.status if error else 200,
        session=session,
        customer=customer,
        error=error,
        subscriptions=[
            {
                "subscription": each,
                "price": lifecycle.items_of(each)[0]["price"],
                "product": store.find("product", lifecycle.items_of(each)[0]["price"]["product"])
                or {"name": "Subscription"},
                "period_end": lifecycle.period_of(each)[1],
            }
            for each in live
        ],
        methods=[
            each for each in store.all("payment_method") if each["customer"] == customer["id"]
        ],
        default=default["id"] if default else None,
        invoices=[
            each
            for each in store.all("invoice")[::-1]
            if each["customer"] == customer["id"] and each["status"] != "draft"
        ],
    )
