"""Seats of a subscription for several people, and invitations to them."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
