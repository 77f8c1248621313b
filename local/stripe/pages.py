"""What a browser sees: the checkout, the bank's question, the portal, the dashboard.

No script and nothing from elsewhere; every change is a form.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.stripe import money, portal
from local.stripe.control import foreign
from local.stripe.errors import ApiError
from local.stripe.objects import cards, checkout, checkout_payment, lifecycle
from local.stripe.standin import StandIn
from local.stripe.state import Doc
from local.stripe.switches import AFTER_LAST_RETRY

_HERE = Path(__file__).resolve().parent / "pages"
_EVENTS_SHOWN = 40
FIELDS = ("email", "method", "number", "expiry", "cvc", "name")


def _day(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y") if seconds else "never"


def _time(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S") if seconds else ""


def _every(price: Doc) -> str:
    recurring = price["recurring"]
    if not recurring:
        return ""
    count = recurring["interval_count"]
    return (
        f"per {recurring['interval']}"
        if count == 1
        else (f"every {count} {recurring['interval']}s")
    )


class Pages:
    """Templates, and the headers that all pages have."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.prefix = urlsplit(standin.account.base_url).path
        self._templates = Environment(
            loader=FileSystemLoader(_HERE),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(money=money.display, day=_day, time=_time, every=_every)
        self._templates.globals["prefix"] = self.prefix
        self._templates.globals["test_cards"] = cards.CARDS

    def show(self, name: str, *, status: int = 200, leads_to: str = "", **values: Any) -> Response:
        """A page; `leads_to` is where its form may send the browser beside here."""
        page = self._templates.get_template(name).render(**values)
        return self.with_headers(HTMLResponse(page, status), leads_to)

    def with_headers(self, response: Response, leads_to: str = "") -> Response:
        parts = urlsplit(leads_to)
        # Chromium holds a form's redirect to this, too: the seller's page must be allowed.
        beside = f" {parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else ""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; "
            f"form-action 'self'{beside}; frame-ancestors 'none'; base-uri 'none'"
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        return response

    def go(self, address: str) -> Response:
        return self.with_headers(RedirectResponse(address, 303), address)


def routes(standin: StandIn) -> list[Route]:
    """All pages."""
    pages = Pages(standin)

    def page(path: str, act: Callable[..., Response]) -> Route:
        async def endpoint(request: Request) -> Response:
            form: dict[str, str] | None = None
            if request.method == "POST":
                if foreign(request):
                    return pages.show(
                        "message.html", status=403, title="Not from another site", text=""
                    )
                form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
            return await run_in_threadpool(_shown, pages, act, form, request.path_params)

        return Route(path, endpoint, methods=["GET", "POST"])

    def style(request: Request) -> Response:
        css = (_HERE / "pages.css").read_text(encoding="utf-8")
        return pages.with_headers(Response(css, media_type="text/css"))

    return [
        Route("/assets/pages.css", style),
        page("/", _dashboard),
        page("/c/pay/{identifier}", _checkout),
        page("/3ds/{identifier}", _bank),
        page("/p/session/{key}", portal.page),
        page("/i/{identifier}", _invoice),
        page("/receipts/{identifier}", _receipt),
    ]


def _shown(
    pages: Pages,
    act: Callable[..., Response],
    form: dict[str, str] | None,
    ids: dict[str, str],
) -> Response:
    pages.standin.let_time_pass()
    with pages.standin.lock:
        try:
            return act(pages, form, **ids)
        except ApiError as error:
            return pages.show(
                "message.html", status=error.status, title="This did not work", text=error.message
            )
        finally:
            pages.standin.account.store.commit()


# The checkout ------------------------------------------------------------------------------------


def _checkout(pages: Pages, form: dict[str, str] | None, identifier: str) -> Response:
    account = pages.standin.account
    session = account.need("checkout.session", identifier)
    if session["status"] != "open":
        text = "It was paid." if session["status"] == "complete" else "It was open too long."
        return pages.show("message.html", title="This checkout is closed", text=text)
    if form is None:
        return _checkout_page(pages, session)
    try:
        match form.get("action"):
            case "code":
                checkout.apply_code(account, session, form.get("code", ""))
                return pages.go(f"{pages.prefix}/c/pay/{identifier}")
            case "drop_code":
                checkout.drop_code(account, session)
                return pages.go(f"{pages.prefix}/c/pay/{identifier}")
            case _:
                return _pay(pages, session, form)
    except ApiError as error:
        return _checkout_page(pages, session, form=form, error=error)


def _pay(pages: Pages, session: Doc, form: dict[str, str]) -> Response:
    kind = form.get("method", "new")
    buyer = checkout_payment.Buyer(
        email=form.get("email"),
        name=form.get("name") or None,
        number=form.get("number", ""),
        kind=checkout_payment.SEPA if kind == "sepa" else checkout_payment.CARD,
        saved=kind if kind.startswith("pm_") else None,
    )
    if kind == "new" and form.get("number", "").strip():
        _check_card(form)
    if checkout_payment.submit(pages.standin.account, session, buyer) == "requires_action":
        return pages.go(f"{pages.prefix}/3ds/{session['~intent']}")
    return pages.go(_success(session))


def _check_card(form: dict[str, str]) -> None:
    month, _, year = form.get("expiry", "").replace(" ", "").partition("/")
    now = datetime.now(UTC)
    if not (month.isdecimal() and year.isdecimal() and 1 <= int(month) <= 12):
        raise ApiError("Your card's expiration date is incomplete.", param="expiry")
    if (2000 + int(year) % 100, int(month)) < (now.year, now.month):
        raise ApiError("Your card's expiration year is in the past.", param="expiry")
    if not (form.get("cvc", "").isdecimal() and len(form["cvc"]) in {3, 4}):
        raise ApiError("Your card's security code is incomplete.", param="cvc")


def _success(session: Doc) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def _checkout_page(
    pages: Pages,
    session: Doc,
    *,
    form: dict[str, str] | None = None,
    error: ApiError | None = None,
) -> Response:
    account = pages.standin.account
    sums = checkout.totals(account, session)
    rows = [
        {
            "product": account.store.find("product", each["price"]["product"]) or {},
            "price": each["price"],
            "quantity": each["quantity"],
            "full": each["price"]["unit_amount"] * each["quantity"],
        }
        for each in sums.items
    ]
    discount = session["discounts"][0] if session["discounts"] else None
    code = account.find("promotion_code", discount["promotion_code"]) if discount else None
    default = checkout_payment.default_of(account, session)
    return pages.show(
        "checkout.html",
        status=402 if error is not None and error.status == 402 else 400 if error else 200,
        leads_to=_success(session),
        session=session,
        rows=rows,
        coupon=account.store.find("coupon", discount["coupon"]) if discount else None,
        code=code,
        trial_days=session["~trial_days"],
        trial_end=session["~trial_end"],
        saved=checkout_payment.method_choices(account, session),
        default=default["id"] if default else None,
        email=(session["customer_details"] or {}).get("email"),
        form=dict.fromkeys(FIELDS, "") | (form or {}),
        error=error,
        needs_method=checkout_payment.needs_method(session),
    )


def _bank(pages: Pages, form: dict[str, str] | None, identifier: str) -> Response:
    account = pages.standin.account
    intent = account.need("payment_intent", identifier)
    session = pages.standin.session_of(identifier)
    if intent["status"] != "requires_action":
        return pages.show("message.html", title="Nothing to confirm", text="")
    back = (
        _success(session)
        if session
        else str((intent["next_action"]["redirect_to_url"])["return_url"] or "")
    )
    if form is None:
        return pages.show("bank.html", leads_to=back, intent=intent)
    try:
        pages.standin.authenticate(identifier, passed=form.get("answer") == "complete")
    except ApiError as error:
        if session is None:
            raise
        return _checkout_page(pages, session, error=error)
    return pages.go(back) if back else pages.show("message.html", title="Thank you", text="")


def _invoice(pages: Pages, form: dict[str, str] | None, identifier: str) -> Response:
    invoice = pages.standin.account.need("invoice", identifier)
    return pages.show("invoice.html", invoice=invoice)


def _receipt(pages: Pages, form: dict[str, str] | None, identifier: str) -> Response:
    charge = pages.standin.account.need("charge", identifier)
    amount = money.display(charge["amount"], charge["currency"])
    return pages.show("message.html", title=f"Receipt for {amount}", text=charge["id"])


# The dashboard -----------------------------------------------------------------------------------


def _dashboard(pages: Pages, form: dict[str, str] | None) -> Response:
    standin = pages.standin
    store = standin.account.store
    events = store.all("event")[-_EVENTS_SHOWN:][::-1]
    customers = [each for each in store.all("customer") if not each.get("~deleted")]
    return pages.show(
        "dashboard.html",
        customers=[
            {
                "customer": each,
                "clock": store.find("test_helpers.test_clock", each["test_clock"] or ""),
            }
            for each in customers[::-1]
        ],
        subscriptions=[
            {
                "subscription": each,
                "price": lifecycle.items_of(each)[0]["price"],
                "period": lifecycle.period_of(each),
            }
            for each in store.all("subscription")[::-1]
        ],
        delayed=[each for each in store.all("payment_intent") if each["status"] == "processing"],
        charges=[each for each in store.all("charge")[::-1] if each["paid"]][:20],
        disputes=[each for each in store.all("dispute") if each["status"] not in {"won", "lost"}],
        sessions=[each for each in store.all("checkout.session")[::-1] if each["url"]][:10],
        events=[{"event": each, "deliveries": standin.delivery.of(each["id"])} for each in events],
        endpoints=store.all("webhook_endpoint"),
        switches=standin.switches.as_dict(),
        endings=AFTER_LAST_RETRY,
        base_url=standin.account.base_url,
        version=standin.account.version,
    )
