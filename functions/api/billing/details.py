"""Whom invoices are made out to."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter()
