"""What people hear from the product, and how they stop it."""

from __future__ import annotations

from fastapi import APIRouter

from api.community import notifications, unsubscribing

router = APIRouter(tags=["community"])

router.include_router(notifications.router)
router.include_router(unsubscribing.router)
