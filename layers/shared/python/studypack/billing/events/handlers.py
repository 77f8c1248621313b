"""Which handler an event's type has. Other types are recorded and change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from studypack.billing.events import (
    checkouts,
    customers,
    invoices,
    money_back,
    payment_methods,
    payments,
    subscriptions,
)
from studypack.billing.events.told import Handler

HANDLERS: Final[Mapping[str, Handler]] = {
    "checkout.session.completed": checkouts.session_completed,
    "checkout.session.async_payment_succeeded": checkouts.session_paid_later,
    "checkout.session.async_payment_failed": checkouts.session_failed_later,
    "checkout.session.expired": checkouts.session_expired,
    "customer.subscription.created": subscriptions.subscription_changed,
    "customer.subscription.updated": subscriptions.subscription_changed,
    "customer.subscription.deleted": subscriptions.subscription_changed,
    "customer.subscription.paused": subscriptions.subscription_changed,
    "customer.subscription.resumed": subscriptions.subscription_changed,
    "customer.subscription.trial_will_end": subscriptions.trial_will_end,
    "invoice.finalized": invoices.invoice_changed,
    "invoice.paid": invoices.invoice_paid,
    "invoice.payment_failed": invoices.invoice_payment_failed,
    "invoice.voided": invoices.invoice_changed,
    "invoice.marked_uncollectible": invoices.invoice_changed,
    "invoice_payment.paid": invoices.invoice_payment_paid,
    "payment_intent.succeeded": payments.payment_succeeded,
    "payment_intent.payment_failed": payments.payment_failed,
    "charge.succeeded": payments.charge_changed,
    "charge.updated": payments.charge_changed,
    "charge.refunded": payments.charge_changed,
    "charge.dispute.created": money_back.dispute_changed,
    "charge.dispute.updated": money_back.dispute_changed,
    "charge.dispute.closed": money_back.dispute_closed,
    "refund.created": money_back.refund_changed,
    "refund.updated": money_back.refund_changed,
    "refund.failed": money_back.refund_changed,
    "payment_method.attached": payment_methods.method_changed,
    "payment_method.updated": payment_methods.method_changed,
    "payment_method.automatically_updated": payment_methods.method_changed,
    "payment_method.detached": payment_methods.method_detached,
    "customer.updated": customers.customer_updated,
    "customer.deleted": customers.customer_deleted,
}
"""Every type that the webhook's endpoint at Stripe is to be set up for (docs/operations.md)."""
