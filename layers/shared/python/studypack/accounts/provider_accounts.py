"""The providers' accounts that sign in ours: found, linked and unlinked.

Signing in by an address is what an attacker would like best, so an account is linked only where
both sides have verified it, and its owner is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.accounts.addresses import has_address
from studypack.accounts.models import OAuthAccount, OAuthAttempt
from studypack.accounts.registration import NewAccount, create_account
from studypack.accounts.signin import InvalidCredentials
from studypack.core import audit
from studypack.core.errors import Conflict, Forbidden, NotFound
from studypack.core.ids import uuid7
from studypack.identity.models import User
from studypack.integrations.oauth.exchange import ProviderIdentity
from studypack.integrations.oauth.providers import OAuthProvider
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


class SignInRefused(InvalidCredentials):
    """A deactivated or deleted account: the same answer as for a wrong password."""


def linked_user(session: Session, identity: ProviderIdentity) -> UUID | None:
    """Whom this provider's account signs in, noting what address it has there now."""
    return session.scalar(
        update(OAuthAccount)
        .where(
            OAuthAccount.provider == identity.provider,
            OAuthAccount.provider_account_id == identity.account_id,
        )
        .values(
            email=identity.email, email_verified=identity.email_verified, last_used_at=func.now()
        )
        .returning(OAuthAccount.user_id)
        .execution_options(synchronize_session=False)
    )


def user_to_link(
    session: Session, identity: ProviderIdentity, *, now: datetime
) -> tuple[UUID, bool]:
    """The account of the provider's address, where both sides have verified it, else a new one;
    and whether it is new.

    Unverified on one side, the address proves nothing: whoever typed it in first would get the
    other's account. Raises Forbidden (`oauth_email_unverified`), Conflict
    (`oauth_verify_email_first`), SignInRefused for an account that is switched off.
    """
    if not identity.email_verified:
        raise _unverified_there()
    user = session.scalars(
        select(User).where(has_address(identity.email), User.deleted_at.is_(None)).with_for_update()
    ).one_or_none()
    if user is None:
        account = NewAccount(
            email=identity.email,
            password=None,
            first_name=identity.first_name,
            last_name=identity.last_name,
        )
        return create_account(session, account, verified=True, now=now), True
    if not user.is_active:
        raise SignInRefused("The e-mail address or the password is wrong.")
    if user.email_verified_at is None:
        raise _unverified_here()
    return user.id, False


def link_to(session: Session, user_id: UUID, identity: ProviderIdentity) -> None:
    """Link a provider's account to the user who asked for it; a second time changes nothing.

    Raises Forbidden (`oauth_email_unverified`), Conflict (`oauth_verify_email_first`,
    `oauth_account_in_use`, `oauth_provider_in_use`), SignInRefused for an account that is closed.
    """
    if not identity.email_verified:
        raise _unverified_there()
    user = session.scalars(
        select(User)
        .where(User.id == user_id, User.is_active, User.deleted_at.is_(None))
        .with_for_update()
    ).one_or_none()
    if user is None:
        raise SignInRefused("The e-mail address or the password is wrong.")
    if user.email_verified_at is None:
        raise _unverified_here()
    linked = linked_user(session, identity)
    if linked == user_id:
        return
    if linked is not None:
        raise Conflict(
            "This account of the provider signs in somebody else.", code="oauth_account_in_use"
        )
    insert_link(session, user_id, identity, tell=True)


def insert_link(session: Session, user_id: UUID, identity: ProviderIdentity, *, tell: bool) -> None:
    """Store the link and, where there is an owner to `tell`, mail it; raises Conflict
    (`oauth_provider_in_use`).
    """
    inserted = session.scalar(
        insert(OAuthAccount)
        .values(
            id=uuid7(),
            user_id=user_id,
            provider=identity.provider,
            provider_account_id=identity.account_id,
            email=identity.email,
            email_verified=identity.email_verified,
        )
        .on_conflict_do_nothing()
        .returning(OAuthAccount.id)
    )
    if inserted is None:
        raise Conflict(
            "Another account of this provider is linked already; unlink it first.",
            code="oauth_provider_in_use",
        )
    audit.record(
        session,
        "account.provider_linked",
        actor_id=user_id,
        subject_id=user_id,
        provider=identity.provider.value,
    )
    session.flush()
    if tell:
        _mail(session, user_id, EmailTemplate.PROVIDER_LINKED, identity.provider)


def _mail(
    session: Session, user_id: UUID, template: EmailTemplate, provider: OAuthProvider
) -> None:
    """Tell the owner, who may know nothing of it."""
    enqueue_email(session, user_id, template, occasion=str(uuid7()), provider=provider.value)


def _unverified_there() -> Forbidden:
    return Forbidden(
        "The provider has not verified your address; verify it there first.",
        code="oauth_email_unverified",
    )


def _unverified_here() -> Conflict:
    return Conflict(
        "An account with this address exists, and the address was never verified: sign in with the"
        " password and verify it, then link.",
        code="oauth_verify_email_first",
    )


def linked_accounts(session: Session, user_id: UUID) -> Sequence[OAuthAccount]:
    """The providers' accounts that sign this user in."""
    return session.scalars(
        select(OAuthAccount).where(OAuthAccount.user_id == user_id).order_by(OAuthAccount.provider)
    ).all()


def unlink(session: Session, user_id: UUID, provider: OAuthProvider) -> None:
    """Let a provider's account sign this user in no more.

    Raises NotFound (`oauth_account_not_found`), Conflict (`last_sign_in_method`) when there is no
    password and no other provider.
    """
    password = session.execute(
        select(User.password_hash).where(User.id == user_id).with_for_update()
    ).scalar_one()
    linked = linked_accounts(session, user_id)
    if not any(account.provider is provider for account in linked):
        raise NotFound("This provider is not linked.", code="oauth_account_not_found")
    if password is None and len(linked) == 1:
        raise Conflict(
            "This is your only way to sign in; set a password first (forgotten password).",
            code="last_sign_in_method",
        )
    session.execute(
        delete(OAuthAccount).where(
            OAuthAccount.user_id == user_id, OAuthAccount.provider == provider
        )
    )
    audit.record(
        session,
        "account.provider_unlinked",
        actor_id=user_id,
        subject_id=user_id,
        provider=provider.value,
    )
    session.flush()
    _mail(session, user_id, EmailTemplate.PROVIDER_UNLINKED, provider)


def forget_accounts(session: Session, user_id: UUID) -> None:
    """Unlink every provider and end trips that would link one: the account is being closed."""
    session.execute(delete(OAuthAccount).where(OAuthAccount.user_id == user_id))
    session.execute(delete(OAuthAttempt).where(OAuthAttempt.user_id == user_id))
