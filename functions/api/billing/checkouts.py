"""Opening Stripe's payment page for a product."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
