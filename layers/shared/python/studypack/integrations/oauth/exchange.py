"""From a code to whom it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studypack.integrations.oauth import id_tokens
from studypack.integrations.oauth.errors import ProviderError, ProviderRefused, ProviderUntrusted
from studypack.integrations.oauth.fetching import fetch_json
from studypack.integrations.oauth.providers import Client, OAuthProvider

MAX_TEXT = 254


@dataclass(frozen=True)
class ProviderIdentity:
    """Who somebody is to a provider, as far as it tells us."""

    provider: OAuthProvider
    account_id: str
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None


def exchange(
    client: Client, code: str, *, verifier: str, nonce: str, now: datetime
) -> ProviderIdentity:
    """Ask the provider whose sign-in this code stands for; its tokens are forgotten at once.

    Never inside a transaction: it takes up to some seconds. Raises ProviderError and its kinds.
    """
    granted = fetch_json(
        client.endpoints.token_url,
        form={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "client_id": client.client_id,
            "client_secret": client.client_secret.get_secret_value(),
            "code_verifier": verifier,
        },
    )
    # GitHub refuses with a 200.
    if not isinstance(granted, dict) or "error" in granted:
        raise ProviderRefused("token endpoint")
    if client.endpoints.keys_url:
        claims = id_tokens.verify(_text(granted, "id_token"), client, nonce=nonce, now=now)
        return _from_claims(client.provider, claims)
    return _from_profile(client, _text(granted, "access_token"))


def _from_claims(provider: OAuthProvider, claims: dict[str, Any]) -> ProviderIdentity:
    return ProviderIdentity(
        provider=provider,
        account_id=_text(claims, "sub"),
        email=_email(claims.get("email")),
        email_verified=claims.get("email_verified") is True,
        first_name=_name(claims.get("given_name")),
        last_name=_name(claims.get("family_name")),
    )


def _from_profile(client: Client, access_token: str) -> ProviderIdentity:
    profile = fetch_json(client.endpoints.user_url, bearer=access_token)
    addresses = fetch_json(client.endpoints.emails_url, bearer=access_token)
    account_id = profile.get("id") if isinstance(profile, dict) else None
    if not isinstance(account_id, int) or not isinstance(addresses, list):
        raise ProviderError("profile")
    primary = next(
        (each for each in addresses if isinstance(each, dict) and each.get("primary") is True), {}
    )
    first_name, _, last_name = (_name(profile.get("name")) or "").partition(" ")
    return ProviderIdentity(
        provider=client.provider,
        account_id=str(account_id),
        email=_email(primary.get("email")),
        email_verified=primary.get("verified") is True,
        first_name=first_name or None,
        last_name=last_name or None,
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ProviderUntrusted(f"no {name}")
    return value


def _email(value: object) -> str:
    """The address, held to the form that our own sign-up asks for."""
    from email_validator import EmailNotValidError, validate_email

    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ProviderUntrusted("no address")
    try:
        return validate_email(value, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ProviderUntrusted("no address") from None


def _name(value: object) -> str | None:
    return value.replace("\x00", "").strip()[:100] or None if isinstance(value, str) else None
