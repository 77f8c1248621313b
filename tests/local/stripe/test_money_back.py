"""Refunds, disputes, credit notes."""

from __future__ import annotations

import pytest
import stripe

from tests.local.stripe.conftest import Local


def bought(local: Local, amount: int = 2900, **more: object) -> str:
    """The charge of a purchase."""
    session = local.session(local.price(amount, None, **more))
    local.standin.pay(session.id)
    return str(local.standin.all("charge")[-1]["id"])


def test_a_charge_is_given_back_in_parts_and_never_beyond(local: Local) -> None:
    charge = bought(local)
    create = local.stripe.v1.refunds.create
    part = create({"charge": charge, "amount": 1000, "reason": "requested_by_customer"})
    assert (part.status, part.amount) == ("succeeded", 1000)
    told = local.standin.events[-2]
    assert told["type"] == "charge.refunded"
    assert told["data"]["object"]["refunded"] is False
    assert told["data"]["previous_attributes"] == {"amount_refunded": 0}
    with pytest.raises(stripe.InvalidRequestError, match="greater than unrefunded amount"):
        create({"charge": charge, "amount": 1901})
    create({"charge": charge})
    whole = local.stripe.v1.charges.retrieve(charge, {"expand": ["refunds"]})
    assert (whole.refunded, whole.amount_refunded) == (True, 2900)
    assert whole.refunds is not None
    assert [each.amount for each in whole.refunds.data] == [1900, 1000]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create({"charge": charge})
    assert refused.value.code == "charge_already_refunded"


def test_a_payment_is_refunded_by_its_intent(local: Local) -> None:
    charge = local.stripe.v1.charges.retrieve(bought(local))
    assert isinstance(charge.payment_intent, str)
    refund = local.stripe.v1.refunds.create({"payment_intent": charge.payment_intent})
    assert refund.charge == charge.id
    listed = local.stripe.v1.refunds.list({"payment_intent": charge.payment_intent})
    assert [each.id for each in listed.data] == [refund.id]


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_is_opened_and_decided(local: Local, won: bool) -> None:
    charge = bought(local)
    dispute = local.standin.dispute(charge)
    assert local.types("charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]
    assert local.stripe.v1.charges.retrieve(charge).disputed
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.stripe.v1.refunds.create({"charge": charge})
    assert refused.value.code == "charge_disputed"
    local.standin.close_dispute(dispute, won=won)
    assert local.stripe.v1.disputes.retrieve(dispute).status == ("won" if won else "lost")
    closed = local.types("charge.dispute")[2:]
    assert closed == ["charge.dispute.closed", *["charge.dispute.funds_reinstated"][: int(won)]]


def test_the_disputing_card_disputes_at_once(local: Local) -> None:
    session = local.session(local.price(2900, None))
    local.standin.pay(session.id, "4000000000000259")
    assert local.types("charge.dispute.created")
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_credit_note_refunds_what_it_corrects(local: Local) -> None:
    subscription = local.subscribe(local.customer(), local.price())
    invoice = subscription.latest_invoice
    assert isinstance(invoice, str)
    note = local.stripe.v1.credit_notes.create(
        {"invoice": invoice, "amount": 900, "refund_amount": 900, "reason": "order_change"}
    )
    assert note.number.endswith("-CN-01")
    assert note.refunds[0].amount_refunded == 900
    corrected = local.stripe.v1.invoices.retrieve(invoice)
    assert corrected.post_payment_credit_notes_amount == 900
    assert local.standin.all("charge")[0]["amount_refunded"] == 900
    with pytest.raises(stripe.InvalidRequestError, match="above what was paid"):
        local.stripe.v1.credit_notes.create(
            {"invoice": invoice, "amount": 4001, "out_of_band_amount": 4001}
        )


def test_declined_cards_cannot_be_kept_and_the_failing_one_can(local: Local) -> None:
    customer = local.customer(None)
    attach = local.stripe.v1.payment_methods.attach
    with pytest.raises(stripe.CardError) as refused:
        attach("pm_card_chargeDeclinedInsufficientFunds", {"customer": customer})
    assert refused.value.error is not None
    assert refused.value.error.decline_code == "insufficient_funds"
    kept = attach("pm_card_chargeCustomerFail", {"customer": customer})
    with pytest.raises(stripe.CardError):
        local.stripe.v1.payment_intents.create(
            {
                "amount": 100,
                "currency": "usd",
                "customer": customer,
                "payment_method": kept.id,
                "confirm": True,
            }
        )


def test_a_card_is_detached_everywhere_and_not_used_again(local: Local) -> None:
    customer = local.customer()
    method = local.stripe.v1.customers.payment_methods.list(customer).data[0].id
    local.stripe.v1.payment_methods.detach(method)
    assert "payment_method.detached" in local.types()
    settings = local.stripe.v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        local.stripe.v1.payment_methods.attach(method, {"customer": customer})
