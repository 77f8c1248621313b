"""Which request does what, and which parameters it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.stripe import lists
from local.stripe.account import Account
from local.stripe.form import Params
from local.stripe.objects import (
    cards,
    catalogue,
    changes,
    charges,
    checkout,
    clocks,
    collection,
    coupons,
    credit_notes,
    customers,
    invoices,
    payments,
    previews,
    refunds,
    subscriptions,
)
from local.stripe.state import Doc

Handler = Callable[..., Any]


class Takes(dict[str, "Takes"]):
    """Parameters with those below them; what has none listed below takes any."""


@dataclass(frozen=True)
class Route:
    """A method and a path; `{}` in it is an id that goes to the handler."""

    method: str
    path: str
    handler: Handler
    takes: Takes = field(default_factory=Takes)


def _words(text: str) -> Takes:
    """From "name items.price,quantity": what is taken, and what of it."""
    takes = Takes()
    for word in text.split():
        *above, last = word.split(".")
        node = takes
        for name in above:
            node = node.setdefault(name, Takes())
        for name in last.split(","):
            node.setdefault(name, Takes())
    return takes


def _below(name: str, words: str) -> str:
    return " ".join(f"{name}.{word}" for word in words.split())


def _route(method: str, path: str, handler: Handler, takes: str = "") -> Route:
    return Route(method, path, handler, _words(takes))


def _retrieve(kind: str) -> Handler:
    def retrieve(account: Account, params: Params, identifier: str) -> Doc:
        return account.need(kind, identifier)

    return retrieve


def _list(kind: str, url: str) -> Handler:
    def get(account: Account, params: Params) -> Doc:
        return lists.of(account, kind, url, params)

    return get


def _invoice_lines(account: Account, params: Params, identifier: str) -> Doc:
    invoice = account.need("invoice", identifier)
    return lists.page(invoice["lines"]["data"], invoice["lines"]["url"], params)


def _session_lines(account: Account, params: Params, identifier: str) -> Doc:
    rows = checkout.list_line_items(account, params, identifier)
    return lists.page(rows, f"/v1/checkout/sessions/{identifier}/line_items", params)


def _credit_note_lines(account: Account, params: Params, identifier: str) -> Doc:
    note = account.need("credit_note", identifier)
    return lists.page(note["lines"]["data"], note["lines"]["url"], params)


def _methods_of(account: Account, params: Params, identifier: str) -> Doc:
    account.need("customer", identifier)
    narrowed = Params({**params.values, "customer": identifier})
    url = f"/v1/customers/{identifier}/payment_methods"
    return lists.of(account, "payment_method", url, narrowed)


def _method_of(account: Account, params: Params, customer: str, identifier: str) -> Doc:
    method = account.need("payment_method", identifier)
    if method["customer"] != customer:
        return account.need("payment_method", f"{identifier} of {customer}")
    return method


def _tax_ids_of(account: Account, params: Params, identifier: str) -> Doc:
    account.need("customer", identifier)
    rows = [each for each in account.store.all("tax_id") if each["customer"] == identifier]
    return lists.page(rows[::-1], f"/v1/customers/{identifier}/tax_ids", params)


def _resource(
    kind: str,
    url: str,
    *,
    create: tuple[Handler, str] | None = None,
    update: tuple[Handler, str] | None = None,
    delete: Handler | None = None,
    narrow: str = "",
    retrieve: Handler | None = None,
) -> list[Route]:
    own = " ".join(lists.FILTERS[kind])
    made = [
        _route("GET", url, _list(kind, url), f"limit starting_after ending_before {own} {narrow}"),
        _route("GET", f"{url}/{{}}", retrieve or _retrieve(kind)),
    ]
    if create:
        made.append(_route("POST", url, *create))
    if update:
        made.append(_route("POST", f"{url}/{{}}", *update))
    if delete:
        made.append(_route("DELETE", f"{url}/{{}}", delete))
    return made


_ADDRESS = "address.city,country,line1,line2,postal_code,state"
_PRODUCT = "active description images metadata name statement_descriptor unit_label url"
_PRICE = "active lookup_key metadata nickname tax_behavior transfer_lookup_key"
_AMOUNT = (
    "currency unit_amount unit_amount_decimal metadata nickname tax_behavior "
    "recurring.interval,interval_count,usage_type"
)
_PRICE_DATA = f"{_AMOUNT} product {_below('product_data', _PRODUCT)}"
_LINE = f"price quantity {_below('price_data', _PRICE_DATA)}"
_ITEM = f"id deleted {_LINE}"
_DISCOUNTS = "discounts.coupon,promotion_code"
_CANCELLATION = "cancellation_details.comment,feedback"
_TRIAL_END = "trial_settings.end_behavior.missing_payment_method"
_CUSTOMER = (
    f"business_name description email individual_name metadata name phone {_ADDRESS} "
    "preferred_locales tax_exempt invoice_settings.default_payment_method,footer"
)
_BILLING = _below("billing_details", f"email name phone {_ADDRESS}")
_CHANGE = f"{_below('items', _ITEM)} proration_behavior proration_date"
_TEST_CLOCK = "test_helpers.test_clock"

ROUTES: list[Route] = [
    *_resource(
        "product",
        "/v1/products",
        create=(catalogue.create_product, f"{_PRODUCT} id {_below('default_price_data', _AMOUNT)}"),
        update=(catalogue.update_product, f"{_PRODUCT} default_price"),
        delete=catalogue.delete_product,
        narrow="created ids",
    ),
    *_resource(
        "price",
        "/v1/prices",
        create=(
            catalogue.create_price,
            f"{_PRICE} {_PRICE_DATA} billing_scheme",
        ),
        update=(catalogue.update_price, _PRICE),
        narrow="created lookup_keys recurring.interval",
    ),
    _route(
        "GET",
        "/v1/customers/{}/payment_methods",
        _methods_of,
        "limit starting_after ending_before type",
    ),
    _route("GET", "/v1/customers/{}/payment_methods/{}", _method_of),
    _route("GET", "/v1/customers/{}/tax_ids", _tax_ids_of, "limit starting_after ending_before"),
    _route("POST", "/v1/customers/{}/tax_ids", customers.create_tax_id, "type value"),
    _route("GET", "/v1/customers/{}/tax_ids/{}", customers.retrieve_tax_id),
    _route("DELETE", "/v1/customers/{}/tax_ids/{}", customers.delete_tax_id),
    *_resource(
        "customer",
        "/v1/customers",
        create=(customers.create, f"{_CUSTOMER} payment_method tax_id_data.type,value test_clock"),
        update=(customers.update, _CUSTOMER),
        delete=customers.delete,
        narrow="created",
        retrieve=customers.retrieve,
    ),
    _route(
        "GET",
        "/v1/checkout/sessions/{}/line_items",
        _session_lines,
        "limit starting_after ending_before",
    ),
    _route("POST", "/v1/checkout/sessions/{}/expire", checkout.expire),
    *_resource(
        "checkout.session",
        "/v1/checkout/sessions",
        create=(
            checkout.create,
            (
                "mode ui_mode success_url cancel_url customer customer_email customer_creation "
                f"{_below('line_items', _LINE)} {_DISCOUNTS} allow_promotion_codes "
                "subscription_data.metadata,description,trial_period_days,trial_end "
                f"{_below('subscription_data', _TRIAL_END)} "
                "payment_intent_data.metadata,description,receipt_email,setup_future_usage "
                "client_reference_id metadata expires_at locale submit_type "
                "invoice_creation.enabled "
                "invoice_creation.invoice_data.description,footer,metadata "
                "payment_method_collection billing_address_collection"
            ),
        ),
        update=(checkout.update, "metadata"),
        narrow="created",
    ),
    _route(
        "POST", "/v1/subscriptions/{}/pause", changes.pause, "bill_for.unused_time_from.type type"
    ),
    _route("POST", "/v1/subscriptions/{}/resume", changes.resume),
    _route(
        "DELETE", "/v1/subscriptions/{}", changes.cancel, f"{_CANCELLATION} invoice_now prorate"
    ),
    *_resource(
        "subscription",
        "/v1/subscriptions",
        create=(
            subscriptions.create,
            (
                f"customer {_below('items', _ITEM)} default_payment_method trial_period_days "
                f"trial_end {_TRIAL_END} payment_behavior off_session metadata description "
                f"{_DISCOUNTS} cancel_at_period_end"
            ),
        ),
        update=(
            changes.update,
            (
                f"{_below('items', _ITEM)} proration_behavior proration_date payment_behavior "
                f"off_session metadata description default_payment_method {_CANCELLATION} "
                "cancel_at_period_end cancel_at pause_collection.behavior,resumes_at "
                f"{_DISCOUNTS} trial_end"
            ),
        ),
        narrow="created",
    ),
    _route(
        "POST",
        "/v1/invoices/create_preview",
        previews.preview,
        f"customer subscription {_DISCOUNTS} {_below('subscription_details', _CHANGE)}",
    ),
    _route(
        "POST", "/v1/invoices/{}/pay", collection.pay, "payment_method off_session paid_out_of_band"
    ),
    _route("POST", "/v1/invoices/{}/finalize", collection.finalize),
    _route("POST", "/v1/invoices/{}/void", invoices.void),
    _route("POST", "/v1/invoices/{}/mark_uncollectible", invoices.mark_uncollectible),
    _route("GET", "/v1/invoices/{}/lines", _invoice_lines, "limit starting_after ending_before"),
    *_resource(
        "invoice",
        "/v1/invoices",
        update=(invoices.update, "description footer metadata auto_advance"),
        delete=invoices.delete,
        narrow="created",
    ),
    *_resource("invoiceitem", "/v1/invoiceitems", narrow="created"),
    *_resource(
        "invoice_payment", "/v1/invoice_payments", narrow="created payment.payment_intent,type"
    ),
    _route(
        "POST",
        "/v1/payment_intents/{}/confirm",
        payments.confirm,
        "payment_method off_session return_url",
    ),
    _route("POST", "/v1/payment_intents/{}/cancel", payments.cancel, "cancellation_reason"),
    *_resource(
        "payment_intent",
        "/v1/payment_intents",
        create=(
            payments.create,
            (
                "amount currency customer payment_method confirm off_session metadata description "
                "receipt_email setup_future_usage return_url"
            ),
        ),
        update=(payments.update, "description metadata"),
        narrow="created",
    ),
    *_resource(
        "charge",
        "/v1/charges",
        update=(charges.update, "description metadata"),
        narrow="created",
    ),
    *_resource(
        "refund",
        "/v1/refunds",
        create=(refunds.create, "amount charge payment_intent reason metadata"),
        update=(refunds.update, "metadata"),
        narrow="created",
    ),
    _route("POST", "/v1/disputes/{}/close", refunds.concede),
    *_resource(
        "dispute",
        "/v1/disputes",
        update=(refunds.update_dispute, "evidence metadata"),
        narrow="created",
    ),
    _route("POST", "/v1/payment_methods/{}/attach", cards.attach, "customer"),
    _route("POST", "/v1/payment_methods/{}/detach", cards.detach),
    *_resource(
        "payment_method",
        "/v1/payment_methods",
        create=(
            cards.create,
            f"type card.number,exp_month,exp_year,cvc,token sepa_debit.iban metadata {_BILLING}",
        ),
        update=(cards.update, f"{_BILLING} card.exp_month,exp_year metadata"),
    ),
    *_resource(
        "coupon",
        "/v1/coupons",
        create=(
            coupons.create,
            (
                "id percent_off amount_off currency duration duration_in_months max_redemptions "
                "redeem_by name metadata"
            ),
        ),
        update=(coupons.update, "name metadata"),
        delete=coupons.delete,
        narrow="created",
    ),
    *_resource(
        "promotion_code",
        "/v1/promotion_codes",
        create=(
            coupons.create_code,
            (
                "promotion.type,coupon code active customer expires_at max_redemptions metadata "
                "restrictions.first_time_transaction,minimum_amount,minimum_amount_currency"
            ),
        ),
        update=(coupons.update_code, "active metadata"),
        narrow="created",
    ),
    _route(
        "GET", "/v1/credit_notes/{}/lines", _credit_note_lines, "limit starting_after ending_before"
    ),
    *_resource(
        "credit_note",
        "/v1/credit_notes",
        create=(
            credit_notes.create,
            (
                "invoice amount refund_amount credit_amount out_of_band_amount "
                "lines.type,invoice_line_item,amount,quantity,unit_amount,description "
                "refunds.refund,amount_refunded,type "
                "reason memo metadata"
            ),
        ),
        narrow="created",
    ),
    _route(
        "POST", "/v1/billing_portal/sessions", clocks.create_portal, "customer return_url locale"
    ),
    *_resource("event", "/v1/events", narrow="created types"),
    _route("POST", "/v1/test_helpers/test_clocks/{}/advance", clocks.advance, "frozen_time"),
    *_resource(
        _TEST_CLOCK,
        "/v1/test_helpers/test_clocks",
        create=(clocks.create, "frozen_time name"),
        delete=clocks.delete,
    ),
    *_resource(
        "webhook_endpoint",
        "/v1/webhook_endpoints",
        create=(clocks.create_endpoint, "url enabled_events description metadata api_version"),
        update=(clocks.update_endpoint, "url enabled_events disabled"),
        delete=clocks.delete_endpoint,
    ),
]
