"""What is on offer: public."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
