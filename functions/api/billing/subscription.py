"""The caller's subscription: read, cancel, resume, change of plan, refund."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
