"""Payments and what went back of them, as a list and as CSV."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
