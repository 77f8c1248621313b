"""Saved ways to pay, and Stripe's portal."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
