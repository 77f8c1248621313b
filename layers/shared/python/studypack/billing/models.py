"""Every table of the `payments` schema (billing/tables, a module an aggregate)."""

from studypack.billing.tables.catalogue import (
    DiscountDuration,
    Interval,
    Plan,
    Product,
    ProductGrant,
    ProductKind,
    ProductPrice,
    PromotionCode,
)
from studypack.billing.tables.customers import Customer, PaymentMethod, PaymentMethodType
from studypack.billing.tables.inbox import StripeEvent
from studypack.billing.tables.invoices import CreditNote, Invoice, InvoiceStatus, NumberSeries
from studypack.billing.tables.purchases import (
    Checkout,
    CheckoutMode,
    CheckoutStatus,
    Purchase,
    PurchaseStatus,
)
from studypack.billing.tables.subscriptions import (
    LIVE_STATUSES,
    Seat,
    SeatInvitation,
    Subscription,
    SubscriptionStatus,
)
from studypack.billing.tables.transactions import (
    Dispute,
    DisputeStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Transaction,
    TransactionStatus,
)

__all__ = [
    "LIVE_STATUSES",
    "Checkout",
    "CheckoutMode",
    "CheckoutStatus",
    "CreditNote",
    "Customer",
    "DiscountDuration",
    "Dispute",
    "DisputeStatus",
    "Interval",
    "Invoice",
    "InvoiceStatus",
    "NumberSeries",
    "PaymentMethod",
    "PaymentMethodType",
    "Plan",
    "Product",
    "ProductGrant",
    "ProductKind",
    "ProductPrice",
    "PromotionCode",
    "Purchase",
    "PurchaseStatus",
    "Refund",
    "RefundOrigin",
    "RefundStatus",
    "Seat",
    "SeatInvitation",
    "StripeEvent",
    "Subscription",
    "SubscriptionStatus",
    "Transaction",
    "TransactionStatus",
]
