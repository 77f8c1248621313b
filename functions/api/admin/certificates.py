"""Certificates, for admins: found, withdrawn, issued anew."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, In, Out, Page, Paging, UtcTime, page_of
from studypack.courses import certificates
from studypack.courses.certificate_codes import LONGEST_TYPED

router = APIRouter(prefix="/certificates")


class RevocationIn(In):
    """Why a certificate is withdrawn; its owner sees it."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class AdminCertificateOut(Out):
    """A certificate as admins see it."""

    id: UUID
    user_id: UUID
    course_id: UUID
    code: str
    recipient_name: str
    course_title: str
    issued_at: UtcTime
    revoked_at: UtcTime | None
    revoked_by: UUID | None
    revoke_reason: str | None


@router.get("")
def list_certificates(
    _caller: AdminUser,
    session: DbSession,
    paging: Paging,
    user_id: Annotated[UUID | None, Query(description="Whose")] = None,
    course_id: UUID | None = None,
    code: Annotated[
        str | None, Query(max_length=LONGEST_TYPED, pattern=r"^[0-9A-Za-z]{4}[0-9A-Za-z -]{12,}$")
    ] = None,
) -> Page[AdminCertificateOut]:
    """Certificates, revoked ones too, newest first. Admins only."""
    found = certificates.search(session, paging, user_id=user_id, course_id=course_id, code=code)
    return page_of(found, paging, key=lambda each: each.id, out=AdminCertificateOut.model_validate)


@router.post("/{certificate_id}/revoke")
def revoke_certificate(
    certificate_id: UUID, body: RevocationIn, caller: AdminUser, session: DbSession
) -> AdminCertificateOut:
    """Withdraw a certificate: whoever looks its code up is told so. 409 `already_revoked`."""
    revoked = certificates.revoke(
        session, certificate_id, by=caller.id, reason=body.reason, now=caller.now
    )
    return AdminCertificateOut.model_validate(revoked)


@router.post("/{certificate_id}/reissue", status_code=201)
def reissue_certificate(
    certificate_id: UUID, caller: AdminUser, session: DbSession
) -> AdminCertificateOut:
    """Issue another in place of a revoked one, with the name that the account has now, and mail it.
    409 `not_revoked`, `already_issued`.
    """
    issued = certificates.reissue(session, certificate_id, by=caller.id, now=caller.now)
    return AdminCertificateOut.model_validate(issued)
