"""Payment methods: Stripe's test cards and what each does, tokens, attaching and detaching."""

from __future__ import annotations

from dataclasses import dataclass

from local.stripe.account import Account
from local.stripe.errors import ApiError, declined, unsupported
from local.stripe.form import Params
from local.stripe.state import Doc

OK, DECLINE, FUNDS, AUTHENTICATE, FAILS_LATER, DISPUTE, DELAYED, ALWAYS_AUTHENTICATE = (
    "ok",
    "generic_decline",
    "insufficient_funds",
    "authenticate",
    "fails_later",
    "dispute",
    "delayed",
    "always_authenticate",
)
MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
}


@dataclass(frozen=True)
class TestCard:
    """A number that people type, the token that tests use, and what comes of it."""

    __test__ = False

    number: str
    token: str
    behaviour: str
    says: str
    brand: str = "visa"
    country: str = "US"


CARDS = (
    TestCard("4242424242424242", "pm_card_visa", OK, "is taken"),
    TestCard("5555555555554444", "pm_card_mastercard", OK, "is taken", "mastercard"),
    TestCard("4000000000000002", "pm_card_chargeDeclined", DECLINE, "is declined"),
    TestCard(
        "4000000000009995",
        "pm_card_chargeDeclinedInsufficientFunds",
        FUNDS,
        "has insufficient funds",
    ),
    TestCard(
        "4000002500003155",
        "pm_card_authenticationRequiredOnSetup",
        AUTHENTICATE,
        "needs authentication",
        country="IE",
    ),
    TestCard(
        "4000002760003184",
        "pm_card_authenticationRequired",
        ALWAYS_AUTHENTICATE,
        "needs authentication each time",
        country="IE",
    ),
    TestCard(
        "4000000000000341",
        "pm_card_chargeCustomerFail",
        FAILS_LATER,
        "is kept with the customer, and its charges fail",
    ),
    TestCard("4000000000000259", "pm_card_createDispute", DISPUTE, "is taken, and disputed"),
)
_BY_NUMBER = {card.number: card for card in CARDS}
_BY_TOKEN = {card.token: card for card in CARDS} | {
    card.token.replace("pm_card_", "pm_card_visa_"): card
    for card in CARDS
    if "charge" in card.token
}
SEPA_TOKEN = "pm_sepaDebit"  # noqa: S105 (names a bank account of Stripe's tests)


def card_of(number: str) -> TestCard:
    """The test card with this number. Raises 402 for one that no test card has."""
    card = _BY_NUMBER.get("".join(number.split()))
    if card is None:
        raise declined(
            "incorrect_number",
            "incorrect_number",
            "Your card number is incorrect. The stand-in takes Stripe's test cards only.",
            param="number",
        )
    return card


def _billing(params: Params) -> Doc:
    address = params.nested("address")
    names = ("city", "country", "line1", "line2", "postal_code", "state")
    return {
        "address": {name: address.text(name) for name in names},
        "email": params.text("email"),
        "name": params.text("name"),
        "phone": params.text("phone"),
        "tax_id": None,
    }


def new_card(
    account: Account,
    card: TestCard,
    *,
    billing: Doc | None = None,
    expires: tuple[int, int] = (12, 2034),
    metadata: dict[str, str] | None = None,
) -> Doc:
    """A payment method for a test card, attached to nobody yet."""
    return account.add(
        {
            "id": account.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing or _billing(Params({})),
            "card": {
                "brand": card.brand,
                "checks": {
                    "address_line1_check": None,
                    "address_postal_code_check": None,
                    "cvc_check": "pass",
                },
                "country": card.country,
                "display_brand": card.brand,
                "exp_month": expires[0],
                "exp_year": expires[1],
                "fingerprint": account.store.ids.letters(card.number, 16),
                "funding": "credit",
                "generated_from": None,
                "last4": card.number[-4:],
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "created": account.now(),
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": metadata or {},
            "type": "card",
            "~behaviour": card.behaviour,
        }
    )


def new_sepa(account: Account, *, billing: Doc | None = None) -> Doc:
    """A bank account whose payments take days, like SEPA Direct Debit."""
    return account.add(
        {
            "id": account.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing or _billing(Params({})),
            "created": account.now(),
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "sepa_debit": {
                "bank_code": "37040044",
                "branch_code": "",
                "country": "DE",
                "fingerprint": account.store.ids.letters("sepa", 16),
                "generated_from": {"charge": None, "setup_attempt": None},
                "last4": "3000",
            },
            "type": "sepa_debit",
            "~behaviour": DELAYED,
        }
    )


def create(account: Account, params: Params) -> Doc:
    """POST /v1/payment_methods, with a test card's number or token."""
    kind = params.choice("type", "card", "sepa_debit", default="card")
    billing = _billing(params.nested("billing_details"))
    if kind == "sepa_debit":
        return new_sepa(account, billing=billing)
    given = params.nested("card")
    token = given.text("token")
    if token:
        card = _BY_TOKEN.get(token.replace("tok_", "pm_card_", 1))
        if card is None:
            raise unsupported(f"the token {token}", given.path("token"))
    else:
        card = card_of(given.required("number"))
    expires = (given.integer("exp_month") or 12, given.integer("exp_year") or 2034)
    return new_card(account, card, billing=billing, expires=expires, metadata=params.metadata())


def method_named(account: Account, identifier: str, param: str = "payment_method") -> Doc:
    """The payment method with this id; a token of Stripe's tests makes a new one."""
    if identifier in _BY_TOKEN:
        return new_card(account, _BY_TOKEN[identifier])
    if identifier == SEPA_TOKEN:
        return new_sepa(account)
    return account.need("payment_method", identifier, param)


def attach(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_methods/:id/attach."""
    customer = account.named("customer", params, "customer")
    return attach_to(account, method_named(account, identifier, "id"), customer)


def attach_to(account: Account, method: Doc, customer: Doc, *, checked: bool = False) -> Doc:
    """Attach; cards that are always declined can't be, as in Stripe (unless a charge went well)."""
    if method["customer"] == customer["id"]:
        return method
    if method["customer"] is not None:
        raise ApiError(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_unexpected_state",
        )
    if method.get("~spent"):
        raise ApiError(
            "This PaymentMethod was previously used without being attached to a Customer or was "
            "detached from a Customer, and may not be used again."
        )
    if not checked and method["~behaviour"] in MESSAGES:
        reason = method["~behaviour"]
        raise declined("card_declined", reason, MESSAGES[reason])
    method["customer"] = customer["id"]
    account.store.changed(method)
    account.emit("payment_method.attached", method)
    return method


def detach(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_methods/:id/detach."""
    method = account.need("payment_method", identifier)
    customer = account.find("customer", method["customer"])
    if customer is None:
        raise ApiError(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
            code="payment_method_unexpected_state",
        )
    previous = {"customer": method["customer"]}
    method["~spent"] = True
    account.store.changed(method)
    # The event is told while the customer is known, so that it gets that customer's time.
    created = account.now(customer)
    method["customer"] = None
    account.emit("payment_method.detached", method, previous)["created"] = created
    if customer["invoice_settings"]["default_payment_method"] == identifier:
        with account.changing(customer, "customer.updated"):
            customer["invoice_settings"]["default_payment_method"] = None
    for subscription in account.store.all("subscription"):
        if subscription["default_payment_method"] == identifier:
            with account.changing(subscription, "customer.subscription.updated"):
                subscription["default_payment_method"] = None
    return method


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/payment_methods/:id."""
    method = account.need("payment_method", identifier)
    with account.changing(method, "payment_method.updated"):
        if "billing_details" in params:
            given = _billing(params.nested("billing_details"))
            method["billing_details"].update({k: v for k, v in given.items() if v})
        card = params.nested("card")
        for name in ("exp_month", "exp_year"):
            if name in card and "card" in method:
                method["card"][name] = card.integer(name)
        method["metadata"] = params.metadata(method["metadata"])
    return method


def must_work(method: Doc | None) -> None:
    """Raise 402 where a payment with this method would fail at once."""
    if method is None:
        raise ApiError("There is no payment method to pay with.", code="resource_missing")
    behaviour = method["~behaviour"]
    if behaviour == FAILS_LATER:
        raise declined("card_declined", DECLINE, MESSAGES[DECLINE])
    if behaviour in MESSAGES:
        raise declined("card_declined", behaviour, MESSAGES[behaviour])


def must_be_attachable(method: Doc) -> None:
    """Raise 402 for a card that is always declined, which a trial could not begin with."""
    behaviour = method["~behaviour"]
    if behaviour in MESSAGES and method["customer"] is None:
        raise declined("card_declined", behaviour, MESSAGES[behaviour])


def works_at_once(method: Doc) -> bool:
    """Whether a payment on the page goes through without a question, for what is known now."""
    behaviour = method["~behaviour"]
    if behaviour == AUTHENTICATE:
        return bool(method.get("~authenticated"))
    return behaviour in {OK, DISPUTE, DELAYED}
