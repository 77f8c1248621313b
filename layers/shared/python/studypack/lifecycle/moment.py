"""When, and by which settings, is decided; and how statements take both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    DateTime,
    Integer,
    Interval,
    Result,
    Text,
    TextClause,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from studypack.billing.features import Feature
from studypack.core.business_settings import BusinessSettings
from studypack.lifecycle.refusals import kinds


@dataclass(frozen=True)
class Moment:
    """When, and by which settings, is decided."""

    now: datetime
    settings: BusinessSettings


def common_values(moment: Moment) -> dict[str, Any]:
    """The parameters that every statement here may use."""
    return {
        "now": moment.now,
        "lookback_days": moment.settings.lifecycle_lookback_days,
        "grace_days": moment.settings.grace_days,
        "courses_are_free": Feature.COURSES.value in moment.settings.free_plan_features,
        "kinds": json.dumps(kinds()),
    }


_TYPES: Final[dict[type, TypeEngine[Any]]] = {
    datetime: DateTime(timezone=True),
    timedelta: Interval(),
    bool: Boolean(),
    int: Integer(),
    str: Text(),
}


def run(session: Session, statement: TextClause, values: Mapping[str, Any]) -> Result[Any]:
    """Execute a statement with those of the values that it uses, each with its type: PostgreSQL
    cannot tell that of `:now - interval '1 day'`.
    """
    used = statement.compile().params
    typed = [
        bindparam(name, value, type_=_TYPES.get(type(value)))
        for name, value in values.items()
        if name in used
    ]
    return session.execute(statement.bindparams(*typed))


def database_time(session: Session) -> datetime:
    """The time of the transaction, by the database's clock, which all rows have their times of."""
    return session.execute(select(func.now())).scalar_one()
