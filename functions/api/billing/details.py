"""Whom invoices are made out to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from studypack.access.guards import CurrentUser
from studypack.billing import billing_details
from studypack.core.http import DbSession, In, Out, ShortText

router = APIRouter(prefix="/api/billing/details")

Country = Annotated[
    str, StringConstraints(min_length=2, max_length=2, to_upper=True), Field(examples=["DE"])
]
PostalCode = Annotated[str, StringConstraints(min_length=1, max_length=20)]
VatId = Annotated[str, StringConstraints(min_length=4, max_length=30)]


class DetailsOut(Out):
    """What new invoices say of their buyer; without a name, the account's."""

    name: str | None
    address_line1: str | None
    address_line2: str | None
    postal_code: str | None
    city: str | None
    state: str | None
    country: str | None = Field(description="ISO 3166-1, two letters")
    vat_id: str | None


class DetailsIn(In):
    """What shall change; null empties a field."""

    name: ShortText | None = None
    address_line1: ShortText | None = None
    address_line2: ShortText | None = None
    postal_code: PostalCode | None = None
    city: ShortText | None = None
    state: ShortText | None = None
    country: Country | None = None
    vat_id: VatId | None = Field(
        None, description="Of a member state of the European Union, with its prefix"
    )


@router.get("")
def get_billing_details(caller: CurrentUser, session: DbSession) -> DetailsOut:
    """My billing details."""
    return DetailsOut.model_validate(billing_details.get_details(session, caller.id))


@router.patch("")
def change_billing_details(body: DetailsIn, caller: CurrentUser) -> DetailsOut:
    """Change the details that are named, for invoices from now on."""
    changes = body.model_dump(exclude_unset=True)
    return DetailsOut.model_validate(billing_details.change_details(caller.id, changes))
