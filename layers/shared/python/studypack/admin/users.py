"""Support's view of accounts: find one, grant exam time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from studypack.accounts.signin import revoke_sessions
from studypack.core import audit
from studypack.core.errors import Conflict, NotFound
from studypack.core.ids import uuid7
from studypack.core.paging import PageParams
from studypack.identity.models import Accommodation, Role, User


@dataclass(frozen=True)
class Account:
    """An account with the accommodation in force."""

    user: User
    accommodation: Accommodation | None


def search(session: Session, words: str | None, page: PageParams) -> Sequence[Account]:
    """Accounts whose address or name contains the words, newest first, one more than the page
    shows.
    """
    query = _accounts().order_by(User.id.desc()).limit(page.limit + 1)
    if words:
        query = query.where(
            or_(
                User.email.icontains(words, autoescape=True),
                User.first_name.icontains(words, autoescape=True),
                User.last_name.icontains(words, autoescape=True),
            )
        )
    if page.after is not None:
        query = query.where(User.id < page.after)
    return [Account(row[0], row[1]) for row in session.execute(query)]


def get(session: Session, user_id: UUID) -> Account:
    """One account.

    Raises NotFound (`user_not_found`).
    """
    row = session.execute(_accounts().where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such user.", code="user_not_found")
    return Account(row[0], row[1])


def grant_accommodation(
    session: Session,
    user_id: UUID,
    *,
    time_factor: Decimal,
    reason: str,
    granted_by: UUID,
    now: datetime,
) -> Account:
    """Give a learner more exam time from the next session on (factor 1 takes it away); the old
    grant is kept as history.

    Raises NotFound (`user_not_found`).
    """
    user = session.scalars(
        select(User).where(User.id == user_id, User.deleted_at.is_(None)).with_for_update()
    ).one_or_none()
    if user is None:
        raise NotFound("There is no such user.", code="user_not_found")
    session.execute(
        update(Accommodation)
        .where(Accommodation.user_id == user_id, Accommodation.ended_at.is_(None))
        .values(ended_at=now)
    )
    granted = None
    if time_factor > 1:
        granted = Accommodation(
            id=uuid7(now),
            user_id=user_id,
            time_factor=time_factor,
            reason=reason,
            granted_by=granted_by,
            granted_at=now,
        )
        session.add(granted)
    audit.record(
        session,
        "accommodation.granted" if granted else "accommodation.ended",
        actor_id=granted_by,
        subject_id=user_id,
        time_factor=str(time_factor),
        reason=reason,
    )
    session.flush()
    return Account(user, granted)


def change_role(session: Session, user_id: UUID, role: Role, *, changed_by: UUID) -> Account:
    """Give an account another role and end its sessions, which were opened for the old one.

    Raises NotFound (`user_not_found`), Conflict: nobody changes their own role (`own_role`), and
    of two admins who demote each other at once the second is refused (`last_admin`).
    """
    concerned = or_(User.id == user_id, User.role == Role.ADMIN)
    locked = session.scalars(
        select(User)
        .where(concerned, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    account = get(session, user_id)
    user = account.user
    if user_id == changed_by:
        raise Conflict("Another admin has to change your role.", code="own_role")
    admins_left = [
        other
        for other in locked
        if other.role is Role.ADMIN and other.is_active and other.id != user_id
    ]
    if role is not Role.ADMIN and not admins_left:
        raise Conflict("There has to be another admin.", code="last_admin")
    if user.role is not role:
        audit.record(
            session,
            "account.role_changed",
            actor_id=changed_by,
            subject_id=user_id,
            old=user.role.value,
            new=role.value,
        )
        user.role = role
        session.flush()
        revoke_sessions(session, user_id)
    return account


def _accounts() -> Select[User, Accommodation]:
    return (
        select(User, Accommodation)
        .outerjoin(
            Accommodation, (Accommodation.user_id == User.id) & Accommodation.ended_at.is_(None)
        )
        .where(User.deleted_at.is_(None))
    )
