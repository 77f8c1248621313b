"""Which providers there are, where they answer and who we are to them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from pydantic import SecretStr

from studypack.core.config import ConfigurationError, Settings, get_settings
from studypack.core.errors import NotFound
from studypack.core.secrets import read_secret_document

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class OAuthProvider(StrEnum):
    """Whom one can sign in with instead of a password."""

    GOOGLE = "GOOGLE"
    GITHUB = "GITHUB"


class ProviderName(StrEnum):
    """Providers as paths name them."""

    GOOGLE = "google"
    GITHUB = "github"

    @property
    def provider(self) -> OAuthProvider:
        """The provider of this name."""
        return OAuthProvider[self.name]


@dataclass(frozen=True)
class Endpoints:
    """Where a provider answers. One with `keys_url` gives ID tokens, the other is asked for the
    account (`user_url`, `emails_url`).
    """

    authorize_url: str
    token_url: str
    scope: str
    issuers: frozenset[str] = frozenset()
    keys_url: str = ""
    user_url: str = ""
    emails_url: str = ""


@dataclass(frozen=True)
class Client:
    """Who we are to a provider."""

    provider: OAuthProvider
    client_id: str
    client_secret: SecretStr
    endpoints: Endpoints
    redirect_uri: str


_GOOGLE_SCOPE = "openid email profile"
_GITHUB_SCOPE = "read:user user:email"

_GOOGLE = Endpoints(
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
    token_url="https://oauth2.googleapis.com/token",  # noqa: S106 (an address)
    scope=_GOOGLE_SCOPE,
    issuers=frozenset({"https://accounts.google.com", "accounts.google.com"}),
    keys_url="https://www.googleapis.com/oauth2/v3/certs",
)
_GITHUB = Endpoints(
    authorize_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",  # noqa: S106 (an address)
    scope=_GITHUB_SCOPE,
    user_url="https://api.github.com/user",
    emails_url="https://api.github.com/user/emails",
)


def offered_providers() -> list[OAuthProvider]:
    """The providers that this deployment has a client id for."""
    return [provider for provider in OAuthProvider if _client_id(get_settings(), provider)]


def client_of(provider: OAuthProvider) -> Client:
    """Our client at a provider.

    Raises NotFound (`oauth_provider_unavailable`) when this deployment has none, ConfigurationError
    when it has one without a secret.
    """
    settings = get_settings()
    client_id = _client_id(settings, provider)
    if not client_id:
        raise NotFound(
            "This deployment does not offer this provider.", code="oauth_provider_unavailable"
        )
    api = (settings.api_base_url or settings.web_base_url).rstrip("/")
    return Client(
        provider=provider,
        client_id=client_id,
        client_secret=_client_secret(settings, provider),
        endpoints=_endpoints(settings, provider),
        redirect_uri=f"{api}/api/auth/oauth/{provider.value.lower()}/callback",
    )


def _client_id(settings: Settings, provider: OAuthProvider) -> str | None:
    match provider:
        case OAuthProvider.GOOGLE:
            return settings.oauth_google_client_id
        case OAuthProvider.GITHUB:
            return settings.oauth_github_client_id


def _client_secret(settings: Settings, provider: OAuthProvider) -> SecretStr:
    given = (
        settings.oauth_google_client_secret
        if provider is OAuthProvider.GOOGLE
        else settings.oauth_github_client_secret
    )
    if given is None and settings.oauth_secret:
        member = f"{provider.value.lower()}_client_secret"
        value = read_secret_document("OAUTH_SECRET_ARN", settings.oauth_secret).get(member)
        if not isinstance(value, str) or not value:
            raise ConfigurationError(f"OAUTH_SECRET_ARN: the secret has no text `{member}`")
        given = SecretStr(value)
    if given is None:
        name = f"OAUTH_{provider}_CLIENT_SECRET"
        raise ConfigurationError(f"set OAUTH_SECRET_ARN or {name} with OAUTH_{provider}_CLIENT_ID")
    return given


def _endpoints(settings: Settings, provider: OAuthProvider) -> Endpoints:
    """A provider's own addresses, or those under OAUTH_..._BASE_URL: the local stand-in, GitHub
    Enterprise (whose layout the latter is).
    """
    if provider is OAuthProvider.GOOGLE:
        if settings.oauth_google_base_url is None:
            return _GOOGLE
        base = _checked("OAUTH_GOOGLE_BASE_URL", settings.oauth_google_base_url)
        return Endpoints(
            authorize_url=f"{base}/o/oauth2/v2/auth",
            token_url=f"{base}/token",
            scope=_GOOGLE_SCOPE,
            issuers=frozenset({base}),
            keys_url=f"{base}/oauth2/v3/certs",
        )
    if settings.oauth_github_base_url is None:
        return _GITHUB
    base = _checked("OAUTH_GITHUB_BASE_URL", settings.oauth_github_base_url)
    return Endpoints(
        authorize_url=f"{base}/login/oauth/authorize",
        token_url=f"{base}/login/oauth/access_token",
        scope=_GITHUB_SCOPE,
        user_url=f"{base}/api/v3/user",
        emails_url=f"{base}/api/v3/user/emails",
    )


def _checked(name: str, base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(f"{name}: only https outside of this machine")
    return base_url.rstrip("/")
