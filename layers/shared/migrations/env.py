"""Alembic's environment: all models of the layer, compared and migrated over one connection."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from alembic import context

import studypack
from studypack.core.database import Base

SCHEMAS = {"auth", "learning", "payments", "notifications", "activity"}


def import_models() -> None:
    """Import every `models` module of the layer, so that the metadata is whole."""
    for module in pkgutil.walk_packages(studypack.__path__, "studypack."):
        if module.name.endswith(".models"):
            importlib.import_module(module.name)


def include_name(name: str | None, kind: str, _parents: Any) -> bool:
    """Our schemas only; partitions are made by a job and are not models."""
    if kind == "schema":
        return name in SCHEMAS
    if kind == "table":
        return not (name or "").startswith("analytics_events_")
    return True


import_models()
connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_schemas=True,
    include_name=include_name,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
