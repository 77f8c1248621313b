"""One's own account: who I am, my profile, onboarding, a new address, ways to sign in, leaving."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.users import notification_preferences
from api.users.schemas import (
    CodeIn,
    DeleteMeIn,
    EmailChangeIn,
    MeOut,
    MePatch,
    OAuthAccountOut,
    OnboardingIn,
    ProfileOut,
    ProfilePatch,
    RecoveryCodesOut,
    RenewedOut,
    TotpConfirmedOut,
    TotpDisableIn,
    TotpEnrolIn,
    TotpEnrolOut,
    TotpOut,
)
from studypack.access.authentication import Caller
from studypack.access.guards import CurrentUser, Now
from studypack.accounts import email_change, oauth, profile, totp
from studypack.core.http import AcceptedOut, DbSession
from studypack.core.http.cookies import clear_session_cookie, set_session_cookie
from studypack.core.paging import Page
from studypack.identity.models import User, UserProfile
from studypack.integrations.oauth.providers import ProviderName

router = APIRouter(prefix="/api/users/me", tags=["users"])


def _me(caller: Caller, user: User, own_profile: UserProfile) -> MeOut:
    return MeOut(
        id=user.id,
        email=user.email,
        email_verified=user.email_verified_at is not None,
        first_name=user.first_name,
        last_name=user.last_name,
        role=user.role,
        timezone=user.timezone,
        marketing_opt_out=user.marketing_opt_out,
        access_override=user.access_override,
        features=sorted(caller.features),
        time_factor=caller.time_factor,
        preferences=own_profile.preferences,
        profile=ProfileOut.model_validate(own_profile),
        created_at=user.created_at,
        last_login_at=user.last_login_at,
    )


@router.get("")
def get_me(caller: CurrentUser, session: DbSession) -> MeOut:
    """The signed-in user with profile and features."""
    return _me(caller, *profile.get_me(session, caller.id))


@router.patch("")
def update_me(changes: MePatch, caller: CurrentUser, session: DbSession) -> MeOut:
    """Change names, time zone, marketing opt-out or preferences; what is left out stays."""
    given = changes.model_dump(exclude_unset=True)
    return _me(caller, *profile.update_me(session, caller.id, given, now=caller.now))


@router.delete("", status_code=204)
def delete_me(
    body: DeleteMeIn, caller: CurrentUser, response: Response, session: DbSession, now: Now
) -> None:
    """Close the account at once; what must be erased is erased soon after."""
    profile.delete_account(session, caller.id, body.password, now=now)
    clear_session_cookie(response)


@router.get("/profile")
def get_profile(caller: CurrentUser, session: DbSession) -> ProfileOut:
    """What I told about myself."""
    _, own_profile = profile.get_me(session, caller.id)
    return ProfileOut.model_validate(own_profile)


@router.patch("/profile")
def update_profile(changes: ProfilePatch, caller: CurrentUser, session: DbSession) -> ProfileOut:
    """Change the profile; what is left out stays, null empties."""
    given = changes.model_dump(exclude_unset=True)
    return ProfileOut.model_validate(profile.update_profile(session, caller.id, given))


@router.post("/onboarding")
def complete_onboarding(
    answers: OnboardingIn, caller: CurrentUser, session: DbSession, now: Now
) -> ProfileOut:
    """Store the onboarding's answers; they may be given again."""
    given = answers.model_dump(exclude_unset=True)
    return ProfileOut.model_validate(
        profile.complete_onboarding(session, caller.id, given, now=now)
    )


@router.post("/email", status_code=202)
def change_email(
    body: EmailChangeIn, caller: CurrentUser, session: DbSession, now: Now
) -> AcceptedOut:
    """Ask for a new address; it is taken when both the old and the new one have confirmed."""
    email_change.request_email_change(session, caller.id, body.password, body.email, now=now)
    return AcceptedOut(status="accepted")


@router.get("/oauth-accounts")
def list_oauth_accounts(caller: CurrentUser, session: DbSession) -> Page[OAuthAccountOut]:
    """The providers' accounts that sign me in; one page, as there are few."""
    accounts = [
        OAuthAccountOut.model_validate({**vars(row), "provider": row.provider.value.lower()})
        for row in oauth.linked_accounts(session, caller.id)
    ]
    return Page(items=accounts, next_cursor=None)


@router.delete("/oauth-accounts/{provider}", status_code=204)
def unlink_oauth_account(provider: ProviderName, caller: CurrentUser, session: DbSession) -> None:
    """Let a provider's account sign me in no more; refused if it is my only way to sign in."""
    oauth.unlink(session, caller.id, provider.provider)


@router.get("/totp")
def get_totp(caller: CurrentUser, session: DbSession) -> TotpOut:
    """Whether I sign in with one-time codes, and how many recovery codes are left."""
    return TotpOut.model_validate(totp.get_status(session, caller.id))


@router.post("/totp", status_code=201)
def enrol_totp(body: TotpEnrolIn, caller: CurrentUser, session: DbSession) -> TotpEnrolOut:
    """Ask for a secret for an authenticator app; one-time codes are on once a code confirms it."""
    enrolment = totp.enrol(session, caller.id, body.password, now=caller.now)
    return TotpEnrolOut.model_validate(enrolment)


@router.post("/totp/confirm")
def confirm_totp(
    body: CodeIn, caller: CurrentUser, response: Response, session: DbSession
) -> TotpConfirmedOut:
    """Turn one-time codes on with the app's first code; closes my other sessions, and this one goes
    on with a new token.
    """
    confirmed = totp.confirm(session, caller.id, caller.session_id, body.code, now=caller.now)
    set_session_cookie(response, confirmed.signed_in.token, confirmed.signed_in.expires_at)
    return TotpConfirmedOut(
        token=confirmed.signed_in.token,
        expires_at=confirmed.signed_in.expires_at,
        recovery_codes=confirmed.recovery_codes,
    )


@router.post("/totp/recovery-codes")
def renew_recovery_codes(body: CodeIn, caller: CurrentUser, session: DbSession) -> RecoveryCodesOut:
    """Ten new recovery codes; those from before work no more."""
    codes = totp.renew_recovery_codes(session, caller.id, body.code, now=caller.now)
    return RecoveryCodesOut(recovery_codes=codes)


@router.delete("/totp")
def disable_totp(
    body: TotpDisableIn, caller: CurrentUser, response: Response, session: DbSession
) -> RenewedOut:
    """Turn one-time codes off; closes my other sessions, and this one goes on with a new token."""
    renewed = totp.disable(
        session,
        caller.id,
        caller.session_id,
        password=body.password,
        code=body.code,
        now=caller.now,
    )
    set_session_cookie(response, renewed.token, renewed.expires_at)
    return RenewedOut.model_validate(renewed)


router.include_router(notification_preferences.router)
