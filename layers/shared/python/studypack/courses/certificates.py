"""Certificates of completed courses: issued once, verified by whoever has the code, revocable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from studypack.accounts import throttles
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.errors import Conflict, NotFound
from studypack.core.ids import uuid7
from studypack.core.paging import PageParams
from studypack.courses.certificate_codes import new_code, read_code
from studypack.courses.certificate_face import Face
from studypack.courses.models import Certificate
from studypack.emails.pages import page_url
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email

NAMELESS: Final = "StudyPack learner"
"""Who gave no name."""

_NAME: Final = r"""
    coalesce(nullif(btrim(regexp_replace(
                 concat_ws(' ', u.first_name, u.last_name), '\s+', ' ', 'g')), ''), :nameless)
"""
_ISSUE: Final = text(
    rf"""
    INSERT INTO learning.certificates
           (id, user_id, course_id, code, recipient_name, course_title, issued_at,
            created_at, updated_at)
    SELECT :id, u.id, c.id, :code, {_NAME}, c.title, :now, :now, :now
      FROM auth.users u CROSS JOIN learning.courses c
     WHERE u.id = :user_id AND c.id = :course_id
       AND NOT EXISTS (SELECT FROM learning.certificates old
                        WHERE old.user_id = u.id AND old.course_id = c.id)
        ON CONFLICT (user_id, course_id) WHERE revoked_at IS NULL DO NOTHING
    RETURNING id, user_id, code, course_title
    """  # noqa: S608 (our own text)
)
"""One that was revoked stays so: only an admin issues another (`reissue`)."""

_REISSUE: Final = text(
    rf"""
    INSERT INTO learning.certificates
           (id, user_id, course_id, code, recipient_name, course_title, issued_at,
            created_at, updated_at)
    SELECT :id, old.user_id, old.course_id, :code, {_NAME}, old.course_title, :now, :now, :now
      FROM learning.certificates old JOIN auth.users u ON u.id = old.user_id
     WHERE old.id = :old_id
        ON CONFLICT (user_id, course_id) WHERE revoked_at IS NULL DO NOTHING
    RETURNING id, user_id, code, course_title
    """  # noqa: S608 (our own text)
)


def issue(session: Session, user_id: UUID, course_id: UUID, *, now: datetime) -> UUID | None:
    """Issue the certificate of a course in the transaction that completes it, and tell the learner
    by mail and in the product; name and title are frozen. None: there is, or was, one already.
    """
    values = {"user_id": user_id, "course_id": course_id, **_new(now)}
    issued = session.execute(_ISSUE, values).one_or_none()
    if issued is None:
        return None
    return _tell(session, issued)


def find(session: Session, code: str) -> Certificate:
    """The certificate of a code as somebody typed it, revoked ones too; none of an account that was
    closed, whose name is nobody's business any more.

    Raises NotFound (`certificate_not_found`).
    """
    meant = read_code(code)
    found = None
    if meant is not None:
        found = session.scalar(
            select(Certificate)
            .join(User, User.id == Certificate.user_id)
            .where(Certificate.code == meant, User.deleted_at.is_(None))
        )
    if found is None:
        raise NotFound(
            "There is no certificate with this code. Check it for misspelt characters.",
            code="certificate_not_found",
        )
    return found


def verify(session: Session, code: str, *, address: str) -> Certificate:
    """`find` for whoever asks, so often per network address.

    Raises NotFound (`certificate_not_found`), Throttled.
    """
    hits = get_business_settings(session).links_per_address
    throttles.take(session, throttles.Limit("certificate", address, hits, throttles.HOUR))
    return find(session, code)


def address_of(code: str) -> str:
    """The page that verifies a certificate."""
    return page_url(get_settings().web_base_url, "certificate", code)


def face_of(certificate: Certificate) -> Face:
    """What is printed.

    Raises Conflict (`certificate_revoked`).
    """
    if certificate.revoked_at is not None:
        raise Conflict("This certificate was revoked.", code="certificate_revoked")
    return Face(
        recipient=certificate.recipient_name,
        course=certificate.course_title,
        issued_on=certificate.issued_at.astimezone(UTC).date(),
        code=certificate.code,
        address=address_of(certificate.code),
    )


def list_own(session: Session, user_id: UUID, page: PageParams) -> Sequence[Certificate]:
    """A learner's certificates, newest first, one more than the page shows."""
    return search(session, page, user_id=user_id)


def search(
    session: Session,
    page: PageParams,
    *,
    user_id: UUID | None = None,
    course_id: UUID | None = None,
    code: str | None = None,
) -> Sequence[Certificate]:
    """Certificates of a person, of a course, of a code, newest first, one more than the page
    shows.
    """
    query = select(Certificate).order_by(Certificate.id.desc()).limit(page.limit + 1)
    if user_id is not None:
        query = query.where(Certificate.user_id == user_id)
    if course_id is not None:
        query = query.where(Certificate.course_id == course_id)
    if code is not None:
        query = query.where(Certificate.code == (read_code(code) or ""))
    if page.after is not None:
        query = query.where(Certificate.id < page.after)
    return session.scalars(query).all()


def revoke(
    session: Session, certificate_id: UUID, *, by: UUID, reason: str, now: datetime
) -> Certificate:
    """Withdraw a certificate: from now on its code says so. Noted in the audit log.

    Raises NotFound, Conflict (`already_revoked`).
    """
    certificate = _locked(session, certificate_id)
    if certificate.revoked_at is not None:
        raise Conflict("This certificate is revoked already.", code="already_revoked")
    certificate.revoked_at = now
    certificate.revoked_by = by
    certificate.revoke_reason = reason
    certificate.updated_at = now
    session.flush()
    audit.record(
        session, "certificate.revoked", actor_id=by, subject_id=certificate.id, reason=reason
    )
    return certificate


def reissue(session: Session, certificate_id: UUID, *, by: UUID, now: datetime) -> Certificate:
    """Issue another certificate in place of a revoked one, with the name that the account has now,
    and tell the learner. Noted in the audit log.

    Raises NotFound, Conflict (`not_revoked`, `already_issued`).
    """
    old = _locked(session, certificate_id)
    if old.revoked_at is None:
        raise Conflict("Revoke this certificate first.", code="not_revoked")
    issued = session.execute(_REISSUE, {"old_id": old.id, **_new(now)}).one_or_none()
    if issued is None:
        raise Conflict("There is a valid certificate in its place already.", code="already_issued")
    new_id = _tell(session, issued)
    audit.record(
        session, "certificate.reissued", actor_id=by, subject_id=new_id, replaces=str(old.id)
    )
    return session.get_one(Certificate, new_id)


def _new(now: datetime) -> dict[str, Any]:
    return {"id": uuid7(now), "code": new_code(), "nameless": NAMELESS, "now": now}


def _tell(session: Session, issued: Row[Any]) -> UUID:
    certificate_id: UUID = issued.id
    enqueue_email(
        session,
        issued.user_id,
        EmailTemplate.CERTIFICATE,
        occasion=str(certificate_id),
        course_title=issued.course_title,
        code=issued.code,
    )
    return certificate_id


def _locked(session: Session, certificate_id: UUID) -> Certificate:
    found = session.scalar(
        select(Certificate).where(Certificate.id == certificate_id).with_for_update()
    )
    if found is None:
        raise NotFound("There is no such certificate.", code="certificate_not_found")
    return found
