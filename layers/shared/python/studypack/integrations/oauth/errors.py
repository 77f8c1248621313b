"""What can go wrong at a provider. Each becomes a code that the web client shows a sentence for."""

from __future__ import annotations

from typing import Any

from studypack.core.errors import AppError


class ProviderError(AppError):
    """A provider did not do its part; `reason` is for our log and names no person."""

    status = 502
    code = "oauth_provider_failed"
    sentence = "The provider did not answer as it should; try again."

    def __init__(self, reason: str, **details: Any) -> None:
        super().__init__(self.sentence, **details)
        self.reason = reason


class ProviderSlow(ProviderError):
    """No answer in time."""

    status = 504
    code = "oauth_provider_slow"
    sentence = "The provider took too long; try again."


class ProviderRefused(ProviderError):
    """The provider does not take our code: used, expired, or of another attempt."""

    status = 400
    code = "oauth_code_refused"
    sentence = "The provider did not accept this sign-in; begin again."


class ProviderUntrusted(ProviderError):
    """The provider's answer does not prove what it says."""

    code = "oauth_answer_untrusted"
    sentence = "The provider's answer could not be verified; you are not signed in."
