"""Support's view of accounts: find one, grant exam time or features, sign it out, close it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Select, or_, select, update
from sqlalchemy.orm import Session

from studypack.accounts.signin import end_sessions
from studypack.core import audit
from studypack.core.errors import Conflict, Forbidden, NotFound
from studypack.core.ids import uuid7
from studypack.core.paging import PageParams
from studypack.identity.models import Accommodation, Role, User

_ACTS = {
    ("is_active", False): "account.deactivated",
    ("is_active", True): "account.reactivated",
    ("access_override", True): "account.access_granted",
    ("access_override", False): "account.access_withdrawn",
}
"""What a change of these columns is called in the audit log."""


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

    Raises NotFound (`user_not_found`), Forbidden (`own_account`).
    """
    if user_id == granted_by:
        raise Forbidden("Somebody else has to give you exam time.", code="own_account")
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
    locked = _lock_with_admins(session, user_id)
    account = get(session, user_id)
    user = account.user
    if user_id == changed_by:
        raise Conflict("Another admin has to change your role.", code="own_role")
    if role is not Role.ADMIN:
        _require_another_admin(locked, user_id)
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
        end_sessions(session, user_id)
    return account


def change_account(
    session: Session,
    user_id: UUID,
    changes: Mapping[str, bool],
    *,
    changed_by: UUID,
    role: Role,
) -> Account:
    """Close an account or open it again (`is_active`; signs it out either way), give it every
    feature or take that back (`access_override`). `role` is that of who changes it: support changes
    learners' accounts alone.

    Raises NotFound (`user_not_found`), Conflict (`own_account`, `last_admin`), Forbidden
    (`staff_account`).
    """
    locked = _lock_with_admins(session, user_id)
    account = get(session, user_id)
    user = account.user
    if user_id == changed_by:
        raise Conflict("Somebody else has to change your account.", code="own_account")
    if role is not Role.ADMIN and user.role is not Role.USER:
        raise Forbidden("Only an admin changes an account of staff.", code="staff_account")
    if user.role is Role.ADMIN and changes.get("is_active") is False:
        _require_another_admin(locked, user_id)
    changed = {name: value for name, value in changes.items() if getattr(user, name) is not value}
    for name, value in changed.items():
        setattr(user, name, value)
        audit.record(session, _ACTS[name, value], actor_id=changed_by, subject_id=user_id)
    session.flush()
    if "is_active" in changed:
        # On opening it too: a sign-in that met the closing in one instant may have left a session.
        end_sessions(session, user_id)
    return account


def sign_out_account(session: Session, user_id: UUID, *, ended_by: UUID, role: Role) -> None:
    """End every session of an account and sign-ins under way.

    Raises NotFound (`user_not_found`), Forbidden (`staff_account`): an admin is signed out by an
    admin.
    """
    user = get(session, user_id).user
    if role is not Role.ADMIN and user.role is Role.ADMIN:
        raise Forbidden("Only an admin signs an admin out.", code="staff_account")
    end_sessions(session, user_id)
    audit.record(session, "account.sessions_revoked", actor_id=ended_by, subject_id=user_id)
    session.flush()


def _lock_with_admins(session: Session, user_id: UUID) -> Sequence[User]:
    """Lock an account and those of all admins, so that changes of admins take turns."""
    concerned = or_(User.id == user_id, User.role == Role.ADMIN)
    return session.scalars(
        select(User)
        .where(concerned, User.deleted_at.is_(None))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()


def _require_another_admin(locked: Sequence[User], user_id: UUID) -> None:
    if not any(
        other.role is Role.ADMIN and other.is_active and other.id != user_id for other in locked
    ):
        raise Conflict("There has to be another admin.", code="last_admin")


def _accounts() -> Select[User, Accommodation]:
    return (
        select(User, Accommodation)
        .outerjoin(
            Accommodation, (Accommodation.user_id == User.id) & Accommodation.ended_at.is_(None)
        )
        .where(User.deleted_at.is_(None))
    )
