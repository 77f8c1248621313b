"""Refunds and disputes: money that goes back."""

from __future__ import annotations

from local.stripe import money
from local.stripe.account import DAY, Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.state import Doc

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
EVIDENCE_DAYS = 9
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def create(account: Account, params: Params) -> Doc:
    """POST /v1/refunds, of a charge or a payment intent, never above what was paid."""
    if ("charge" in params) == ("payment_intent" in params):
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    if "charge" in params:
        charge = account.named("charge", params, "charge")
    else:
        intent = account.named("payment_intent", params, "payment_intent")
        if intent["latest_charge"] is None or intent["status"] != "succeeded":
            raise ApiError(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
        charge = account.need("charge", intent["latest_charge"])
    reason = params.text("reason")
    if reason is not None:
        params.choice("reason", *REASONS, default=reason)
    return refund(
        account,
        charge,
        params.integer("amount", least=1),
        reason=reason,
        metadata=params.metadata(),
    )


def refund(
    account: Account,
    charge: Doc,
    amount: int | None = None,
    *,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Doc:
    """Give back a part, or what is left. Raises 400 beyond that."""
    if not charge["paid"]:
        raise ApiError(f"Charge {charge['id']} has not been paid.", code="charge_not_refundable")
    if charge["disputed"] and not _won(account, charge):
        raise ApiError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise ApiError(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = left if amount is None else amount
    if amount > left:
        shown = [money.display(each, charge["currency"]) for each in (amount, left)]
        raise ApiError(
            f"Refund amount ({shown[0]}) is greater than unrefunded amount on charge ({shown[1]})",
            param="amount",
        )
    intent = account.need("payment_intent", charge["payment_intent"])
    made = account.add(
        {
            "id": account.new_id("re"),
            "object": "refund",
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": account.now(charge),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "customer_account": None,
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "metadata": metadata or {},
            "payment_intent": intent["id"],
            "payment_method": charge["payment_method"],
            "reason": reason,
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        }
    )
    with account.changing(charge, "charge.refunded"):
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    account.emit("refund.created", made)
    return made


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/refunds/:id: metadata."""
    made = account.need("refund", identifier)
    with account.changing(made, "refund.updated"):
        made["metadata"] = params.metadata(made["metadata"])
    return made


def _won(account: Account, charge: Doc) -> bool:
    return all(
        dispute["status"] == "won"
        for dispute in account.store.all("dispute")
        if dispute["charge"] == charge["id"]
    )


def open_dispute(account: Account, charge: Doc, *, reason: str = "fraudulent") -> Doc:
    """The card's owner asks the bank for the money back, which takes it at once."""
    if charge["disputed"]:
        raise ApiError(f"Charge {charge['id']} has been disputed already.")
    if not charge["paid"] or charge["refunded"]:
        raise ApiError(f"Charge {charge['id']} holds nothing that could be disputed.")
    with account.changing(charge, "charge.updated"):
        charge["disputed"] = True
    dispute: Doc = {
        "id": account.new_id("du"),
        "object": "dispute",
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": account.now(charge),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": account.now(charge) + EVIDENCE_DAYS * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": charge["payment_method_details"].get("card", {}).get("brand", "visa"),
                "case_type": "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }
    return account.add(dispute, "charge.dispute.created", "charge.dispute.funds_withdrawn")


def close_dispute(account: Account, dispute: Doc, *, won: bool) -> Doc:
    """The bank decided."""
    if dispute["status"] in {"won", "lost"}:
        raise ApiError(f"Dispute {dispute['id']} is closed already.")
    with account.changing(dispute, "charge.dispute.closed"):
        dispute["status"] = "won" if won else "lost"
        dispute["is_charge_refundable"] = won
    if won:
        account.emit("charge.dispute.funds_reinstated", dispute)
    return dispute


def concede(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/disputes/:id/close: our side gives in."""
    return close_dispute(account, account.need("dispute", identifier), won=False)


def update_dispute(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/disputes/:id: metadata, and evidence as text."""
    dispute = account.need("dispute", identifier)
    with account.changing(dispute, "charge.dispute.updated"):
        evidence = params.nested("evidence")
        for name in EVIDENCE:
            if name in evidence:
                dispute["evidence"][name] = evidence.text(name)
                dispute["evidence_details"]["has_evidence"] = True
        dispute["metadata"] = params.metadata(dispute["metadata"])
    return dispute
