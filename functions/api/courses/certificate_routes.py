"""Certificates: one's own, and for whoever has a code."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi import Path as InPath

from api.courses.certificate_page import certificate_page, prefers_html, unknown_page
from api.courses.certificate_schemas import CertificateOut, OwnCertificateOut
from studypack.access.guards import CurrentUser
from studypack.core.errors import NotFound
from studypack.core.http import ClientAddress, DbSession, Page, Paging, page_of
from studypack.courses import certificates
from studypack.courses.certificate_codes import LONGEST_TYPED
from studypack.courses.certificate_pdf import render

router = APIRouter(prefix="/api/certificates")

Code = Annotated[
    str,
    InPath(
        max_length=LONGEST_TYPED,
        description="As printed; small letters and O for 0, I or L for 1 are understood",
    ),
]
_HTML = {"schema": {"type": "string"}}
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The certificate", "content": {"text/html": _HTML}},
}
_PDF: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("")
def list_own_certificates(
    caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[OwnCertificateOut]:
    """My certificates, newest first."""
    found = certificates.list_own(session, caller.id, paging)
    return page_of(found, paging, key=lambda each: each.id, out=OwnCertificateOut.of)


# Before the one that would take its ending for a part of the code.
@router.get("/{code}.pdf", response_class=Response, responses=_PDF)
def download_certificate(code: Code, session: DbSession, address: ClientAddress) -> Response:
    """A certificate as PDF, for whoever has its code. 409 `certificate_revoked`."""
    certificate = certificates.verify(session, code, address=address)
    return Response(
        render(certificates.face_of(certificate)),
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="certificate-{certificate.code}.pdf"'
        },
    )


@router.get("/{code}", response_model=CertificateOut, responses=_PAGE)
def verify_certificate(
    code: Code,
    session: DbSession,
    address: ClientAddress,
    response: Response,
    accept: Annotated[str, Header(max_length=2_000)] = "*/*",
) -> CertificateOut | Response:
    """Whether a certificate is genuine, for whoever has its code: a page for a browser, else JSON.
    404 `certificate_not_found`.
    """
    as_page = prefers_html(accept)
    try:
        certificate = certificates.verify(session, code, address=address)
    except NotFound:
        if as_page:
            return unknown_page()
        raise
    if as_page:
        return certificate_page(certificate)
    response.headers["Vary"] = "Accept"
    return CertificateOut.of(certificate)
