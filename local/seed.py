"""Load the sample content and the demo accounts: once or again, with the same result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from local.content_files import CONTENT, in_order, read_courses
from local.environment import is_here
from local.price_list import ProductFile, load_products, read_products
from studypack.accounts.passwords import hash_password
from studypack.admin.course_files.service import import_course
from studypack.billing.features import Feature
from studypack.core.business_settings import set_business_setting
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.core.models import Setting
from studypack.identity.models import Accommodation, Role, TimezoneHistory, User, UserProfile
from studypack.integrations import storage

Progress = Callable[[str], None]

EVERYTHING_FREE: Mapping[str, Any] = {"free_plan_features": sorted(Feature)}
"""Settings under which nobody meets the paywall: tests and benchmarks of other parts start so."""


@dataclass(frozen=True)
class Account:
    """A demo account of accounts.yaml."""

    email: str
    password: str
    first_name: str
    last_name: str
    role: Role
    note: str
    timezone: str = "UTC"
    time_factor: Decimal = Decimal(1)
    access_override: bool = False


def demo_accounts(root: Path = CONTENT) -> list[Account]:
    """The demo accounts, for the seed and for whoever shows them."""
    rows = yaml.safe_load((root / "accounts.yaml").read_text(encoding="utf-8"))
    return [
        Account(
            **{
                **row,
                "role": Role(row["role"]),
                "time_factor": Decimal(row.get("time_factor", "1")),
            }
        )
        for row in rows
    ]


def seed(
    progress: Progress = lambda _line: None,
    *,
    root: Path = CONTENT,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Load settings, accounts, every course folder, the price list; each in its own transaction.

    `settings` go before those of settings.yaml.

    Into a database elsewhere, or of a real stage, go courses only: the demo people's passwords are
    public, its settings and prices are its owner's. Raises Unprocessable naming file and item,
    before anything is written, or before anything of a course that meets another's questions or
    exams in the database.
    """
    courses = read_courses(root / "courses")
    products = read_products(root)
    deployment = get_settings()
    url = deployment.database_url
    is_demo = deployment.stage in {"local", "test"} and url is not None and is_here(url)
    if is_demo:
        _seed_demo(progress, root, settings or {})
    else:
        progress("courses only: the database is not this machine's own")
    files = storage if storage.is_set_up() else None
    skipped = 0
    for folder, content in in_order(courses).items():
        report = import_course(content, files=files, by=None, now=datetime.now(UTC))
        progress(f"{folder}: {report}")
        skipped += report.assets_skipped
    if skipped:
        progress(f"{skipped} files of lessons are left out: there is no bucket here")
    if is_demo:
        _seed_price_list(progress, products)


def _seed_demo(progress: Progress, root: Path, settings: Mapping[str, Any]) -> None:
    with transaction() as session:
        written = yaml.safe_load((root / "settings.yaml").read_text(encoding="utf-8"))
        present = set(session.scalars(select(Setting.key)))
        for key, value in {**written, **settings}.items():
            if key not in present:  # else each start would undo what was set since
                set_business_setting(session, key, value)
    with transaction() as session:
        made = sum(_account(session, account) for account in demo_accounts(root))
    progress(f"accounts: {made} created")


def _seed_price_list(progress: Progress, products: list[ProductFile]) -> None:
    with transaction() as session:
        made = load_products(session, products)
    progress(f"price list: {made} products created")


def _account(session: Session, account: Account) -> bool:
    exists = session.scalar(
        select(User.id).where(
            func.lower(User.email) == account.email.lower(), User.deleted_at.is_(None)
        )
    )
    if exists is not None:
        return False
    user = User(
        email=account.email,
        password_hash=hash_password(account.password),
        first_name=account.first_name,
        last_name=account.last_name,
        role=account.role,
        timezone=account.timezone,
        access_override=account.access_override,
        email_verified_at=func.now(),
    )
    session.add(user)
    session.flush()
    session.add(UserProfile(user_id=user.id))
    session.add(TimezoneHistory(user_id=user.id, timezone=account.timezone))
    if account.time_factor > 1:
        session.add(
            Accommodation(
                user_id=user.id, time_factor=account.time_factor, reason="demo accommodation"
            )
        )
    return True
