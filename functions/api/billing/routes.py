"""Money: what is on offer, checkout, purchases, subscriptions, invoices."""

from __future__ import annotations

from fastapi import APIRouter

from api.billing import (
    checkouts,
    details,
    entitlements,
    invoices,
    payment_methods,
    products,
    purchases,
    refunds,
    seats,
    subscription,
    transactions,
)

router = APIRouter(tags=["billing"])

router.include_router(products.router)
router.include_router(checkouts.router)
# Before the purchases: `/entitlements` is no id of one.
router.include_router(entitlements.router)
router.include_router(purchases.router)
router.include_router(refunds.router)
router.include_router(subscription.router)
router.include_router(seats.router)
router.include_router(payment_methods.router)
router.include_router(details.router)
router.include_router(invoices.router)
router.include_router(transactions.router)
