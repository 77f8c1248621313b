"""What I want to hear of, and by which channels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.core.http import DbSession, In, Out
from studypack.notifications import preferences
from studypack.notifications.models import Category, SuppressionReason

router = APIRouter()


class ChoiceOut(Out):
    """The channels of one category; in the product itself everything is told."""

    category: Category
    email: bool
    email_always_on: bool = Field(description="Its mails cannot be switched off")
    push: bool
    sms: bool


class PreferencesOut(Out):
    """All categories, in a fixed order."""

    categories: list[ChoiceOut]
    undeliverable: SuppressionReason | None = Field(
        description="HARD_BOUNCE: no mail reaches the account's address; COMPLAINT: a mail to it"
        " was reported as spam, so it gets no marketing"
    )


class ChannelsPatch(In):
    """What to change; what is left out stays."""

    email: bool = True
    push: bool = True
    sms: bool = False


class PreferencesPatch(In):
    """Categories with what to change of them."""

    categories: Annotated[dict[Category, ChannelsPatch], Field(min_length=1)]


@router.get("/notification-preferences")
def get_notification_preferences(caller: CurrentUser, session: DbSession) -> PreferencesOut:
    """What I want to hear of. The e-mail switch of MARKETING is `marketing_opt_out` of
    `/api/users/me`, the other way round.
    """
    return PreferencesOut.model_validate(preferences.get_preferences(session, caller.id))


@router.patch("/notification-preferences")
def update_notification_preferences(
    body: PreferencesPatch, caller: CurrentUser, session: DbSession
) -> PreferencesOut:
    """Switch channels on or off. Mails of a category that is switched off are taken back if they
    still wait; those of ACCOUNT and BILLING cannot be.
    """
    changes = {
        category: channels.model_dump(exclude_unset=True)
        for category, channels in body.categories.items()
    }
    changed = preferences.change_preferences(session, caller.id, changes, now=caller.now)
    return PreferencesOut.model_validate(changed)
