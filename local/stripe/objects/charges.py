"""Charges: the tries of a payment intent."""

from __future__ import annotations

from local.stripe.account import Account
from local.stripe.form import Params
from local.stripe.state import Doc


def outcome(reason: str | None) -> Doc:
    """What the network said."""
    fine = reason is None
    return {
        "advice_code": None if fine else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None if fine else "05",
        "network_status": "approved_by_network" if fine else "declined_by_network",
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "Payment complete."
        if fine
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if fine else "issuer_declined",
    }


def _details(method: Doc, amount: int) -> Doc:
    if method["type"] == "sepa_debit":
        own = {k: v for k, v in method["sepa_debit"].items() if k != "generated_from"}
        return {"sepa_debit": {**own, "mandate": None}, "type": "sepa_debit"}
    card = method["card"]
    same = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    return {
        "card": {
            **{name: card[name] for name in same},
            "amount_authorized": amount,
            "authorization_code": "123456",
            "electronic_commerce_indicator": None,
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "last4": card["last4"],
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "network_transaction_id": "000000000000000",
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "transaction_link_id": None,
            "wallet": None,
        },
        "type": "card",
    }


def new(account: Account, intent: Doc, method: Doc, status: str) -> Doc:
    """A charge of an intent."""
    paid = status == "succeeded"
    identifier = account.new_id("ch")
    return account.add(
        {
            "id": identifier,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if status != "failed" else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": method["billing_details"],
            "calculated_statement_descriptor": "STUDYPACK",
            "captured": status != "failed",
            "created": account.now(intent),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": outcome(None) if status != "failed" else None,
            "paid": paid,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": _details(method, intent["amount"]),
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": account.url(f"/receipts/{identifier}"),
            "refunded": False,
            "review": None,
            "shipping": None,
            "source": None,
            "source_transfer": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": status,
            "transfer_data": None,
            "transfer_group": None,
        }
    )


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/charges/:id: description and metadata."""
    charge = account.need("charge", identifier)
    with account.changing(charge, "charge.updated"):
        if "description" in params:
            charge["description"] = params.text("description")
        charge["metadata"] = params.metadata(charge["metadata"])
    return charge
