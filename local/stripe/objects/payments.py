"""Payment intents and charges: what comes of paying with a payment method."""

from __future__ import annotations

from local.stripe.account import Account, currency_of
from local.stripe.errors import ApiError, declined, unsupported
from local.stripe.form import Params
from local.stripe.objects import cards, charges
from local.stripe.state import Doc, shown

AUTHENTICATION_FAILED = (
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again."
)
AUTHENTICATION_REQUIRED = "Your card was declined. This transaction requires authentication."


def new_intent(
    account: Account,
    amount: int,
    currency: str,
    customer: Doc | None,
    *,
    metadata: dict[str, str] | None = None,
    description: str | None = None,
    invoice: str | None = None,
    receipt_email: str | None = None,
    setup_future_usage: str | None = None,
) -> Doc:
    """A payment that waits for a payment method."""
    identifier = account.new_id("pi")
    return account.add(
        {
            "id": identifier,
            "object": "payment_intent",
            "allowed_payment_method_types": None,
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic_async",
            "client_secret": f"{identifier}_secret_{account.store.ids.letters(identifier, 25)}",
            "confirmation_method": "automatic",
            "created": account.now(customer),
            "currency": currency,
            "customer": customer["id"] if customer else None,
            "customer_account": None,
            "description": description,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "managed_payments": None,
            "metadata": metadata or {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_details": {"customer_reference": None, "order_reference": invoice},
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {
                    "installments": None,
                    "mandate_options": None,
                    "network": None,
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": ["card", "sepa_debit"],
            "payment_record": None,
            "processing": None,
            "receipt_email": receipt_email,
            "review": None,
            "setup_future_usage": setup_future_usage,
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
        },
        "payment_intent.created",
    )


def attempt(
    account: Account,
    intent: Doc,
    method: Doc,
    *,
    off_session: bool,
    authenticated: bool = False,
    return_url: str | None = None,
) -> str:
    """Try to pay; the intent's status afterwards, with last_payment_error when it failed."""
    behaviour = method["~behaviour"]
    intent["payment_method"] = method["id"]
    intent["last_payment_error"] = None
    intent["next_action"] = None
    known = authenticated or method.get("~authenticated", False)
    if authenticated:
        method["~authenticated"] = True
        account.store.changed(method)
    asks = (behaviour == cards.AUTHENTICATE and not known) or (
        behaviour == cards.ALWAYS_AUTHENTICATE and not authenticated
    )
    if behaviour in cards.MESSAGES:
        _fail(account, intent, method, "card_declined", behaviour, cards.MESSAGES[behaviour])
    elif behaviour == cards.FAILS_LATER:
        message = cards.MESSAGES[cards.DECLINE]
        _fail(account, intent, method, "card_declined", cards.DECLINE, message)
    elif asks and off_session:
        code = "authentication_required"
        _fail(account, intent, method, code, code, AUTHENTICATION_REQUIRED)
    elif asks:
        _ask(account, intent, return_url)
    elif behaviour == cards.DELAYED:
        _begin(account, intent, method)
    else:
        _succeed(account, intent, method)
        if behaviour == cards.DISPUTE:
            from local.stripe.objects import refunds

            refunds.open_dispute(account, account.need("charge", intent["latest_charge"]))
    return str(intent["status"])


def _ask(account: Account, intent: Doc, return_url: str | None) -> None:
    intent["status"] = "requires_action"
    intent["next_action"] = {
        "redirect_to_url": {
            "return_url": return_url,
            "url": account.url(f"/3ds/{intent['id']}"),
        },
        "type": "redirect_to_url",
    }
    account.store.changed(intent)
    account.emit("payment_intent.requires_action", intent)


def refuse_authentication(account: Account, intent: Doc) -> None:
    """The buyer didn't prove to be the card's owner."""
    method = account.need("payment_method", intent["payment_method"])
    code = "payment_intent_authentication_failure"
    _fail(account, intent, method, code, None, AUTHENTICATION_FAILED)


def _begin(account: Account, intent: Doc, method: Doc) -> None:
    charge = charges.new(account, intent, method, "pending")
    intent["status"] = "processing"
    intent["latest_charge"] = charge["id"]
    account.store.changed(intent)
    account.emit("charge.pending", charge)
    account.emit("payment_intent.processing", intent)


def _succeed(account: Account, intent: Doc, method: Doc) -> None:
    charge = charges.new(account, intent, method, "succeeded")
    _received(account, intent, charge)


def _received(account: Account, intent: Doc, charge: Doc) -> None:
    intent["status"] = "succeeded"
    intent["amount_received"] = intent["amount"]
    intent["latest_charge"] = charge["id"]
    account.store.changed(intent)
    account.emit("charge.succeeded", charge)
    account.emit("payment_intent.succeeded", intent)


def settle(account: Account, intent: Doc, *, succeeded: bool) -> None:
    """The delayed payment arrived, or came back."""
    charge = account.need("charge", intent["latest_charge"])
    method = account.need("payment_method", intent["payment_method"])
    if succeeded:
        charge.update(status="succeeded", paid=True, outcome=charges.outcome(None))
        account.store.changed(charge)
        _received(account, intent, charge)
        return
    message = "The customer's bank refused the payment."
    _fail(account, intent, method, "payment_method_provider_decline", None, message, charge)


def _fail(
    account: Account,
    intent: Doc,
    method: Doc,
    code: str,
    decline_code: str | None,
    message: str,
    pending: Doc | None = None,
) -> None:
    charge = pending or charges.new(account, intent, method, "failed")
    charge.update(
        status="failed",
        failure_code=code,
        failure_message=message,
        outcome=charges.outcome(decline_code or code),
    )
    account.store.changed(charge)
    error = {
        "charge": charge["id"],
        "code": code,
        "decline_code": decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "payment_method": shown(method),
        "type": "card_error",
    }
    intent["last_payment_error"] = {k: v for k, v in error.items() if v is not None}
    intent["latest_charge"] = charge["id"]
    intent["status"] = "requires_payment_method"
    intent["payment_method"] = None
    intent["next_action"] = None
    account.store.changed(intent)
    account.emit("charge.failed", charge)
    account.emit("payment_intent.payment_failed", intent)


def error_of(intent: Doc) -> ApiError:
    """The refusal that a failed payment is answered with."""
    failure = intent["last_payment_error"]
    return declined(
        failure["code"],
        failure.get("decline_code"),
        failure["message"],
        charge=failure["charge"],
        payment_intent=shown(intent),
        payment_method=failure["payment_method"],
    )


def create(account: Account, params: Params) -> Doc:
    """POST /v1/payment_intents, confirmed at once or not."""
    amount = params.integer("amount", least=1)
    if amount is None:
        params.required("amount")
        raise AssertionError  # the line above has raised
    customer = None
    if "customer" in params:
        customer = account.named("customer", params, "customer")
    intent = new_intent(
        account,
        amount,
        currency_of(params),
        customer,
        metadata=params.metadata(),
        description=params.text("description"),
        receipt_email=params.text("receipt_email"),
        setup_future_usage=params.text("setup_future_usage"),
    )
    method = params.text("payment_method")
    if method:
        intent["payment_method"] = cards.method_named(account, method)["id"]
        intent["status"] = "requires_confirmation"
    if params.flag("confirm"):
        return _confirm(account, intent, params)
    return intent


def confirm(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_intents/:id/confirm."""
    intent = account.need("payment_intent", identifier)
    if intent["status"] not in {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
    }:
        raise ApiError(
            f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
            payment_intent={"id": intent["id"], "status": intent["status"]},
        )
    if intent["payment_details"]["order_reference"]:
        raise unsupported("confirming an invoice's payment: pay the invoice instead")
    return _confirm(account, intent, params)


def _confirm(account: Account, intent: Doc, params: Params) -> Doc:
    chosen = params.text("payment_method") or intent["payment_method"]
    if chosen is None:
        raise ApiError(
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
        )
    method = cards.method_named(account, chosen)
    status = attempt(
        account,
        intent,
        method,
        off_session=bool(params.flag("off_session")),
        return_url=params.text("return_url"),
    )
    if status == "requires_payment_method":
        raise error_of(intent)
    return intent


def cancel(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_intents/:id/cancel."""
    intent = account.need("payment_intent", identifier)
    if intent["status"] in {"succeeded", "canceled", "processing"}:
        raise ApiError(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    abandon(account, intent, params.text("cancellation_reason"))
    return intent


def abandon(account: Account, intent: Doc, reason: str | None) -> None:
    """Give a payment up."""
    intent.update(status="canceled", canceled_at=account.now(intent), cancellation_reason=reason)
    account.store.changed(intent)
    account.emit("payment_intent.canceled", intent)


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_intents/:id: description and metadata."""
    intent = account.need("payment_intent", identifier)
    if "description" in params:
        intent["description"] = params.text("description")
    intent["metadata"] = params.metadata(intent["metadata"])
    account.store.changed(intent)
    return intent
