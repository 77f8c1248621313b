"""Certificates as their owners and as others see them."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from studypack.core.http import Out, UtcTime
from studypack.courses.certificates import address_of
from studypack.courses.models import Certificate


class CertificateStatus(StrEnum):
    """Whether a certificate holds."""

    VALID = "VALID"
    REVOKED = "REVOKED"

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateStatus:
        return cls.VALID if certificate.revoked_at is None else cls.REVOKED


class CertificateOut(Out):
    """What whoever has the code may know: neither the account nor its address."""

    code: str = Field(examples=["7Q4M-0ZKX-9TNE-3CVH"])
    status: CertificateStatus
    recipient: str = Field(description="The name when it was issued")
    course: str = Field(description="The title when it was issued")
    issued_at: UtcTime
    revoked_at: UtcTime | None

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateOut:
        return cls(
            code=certificate.code,
            status=CertificateStatus.of(certificate),
            recipient=certificate.recipient_name,
            course=certificate.course_title,
            issued_at=certificate.issued_at,
            revoked_at=certificate.revoked_at,
        )


class OwnCertificateOut(CertificateOut):
    """A certificate as its owner sees it."""

    id: UUID
    course_id: UUID
    verify_url: str = Field(description="The page to share")
    revoke_reason: str | None

    @classmethod
    def of(cls, certificate: Certificate) -> OwnCertificateOut:
        public = CertificateOut.of(certificate)
        return cls(
            **dict(public),
            id=certificate.id,
            course_id=certificate.course_id,
            verify_url=address_of(certificate.code),
            revoke_reason=certificate.revoke_reason,
        )
