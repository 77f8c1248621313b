"""Amazon SES, its API's second version."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from functools import lru_cache
from typing import Any, Final, TypeVar

from studypack.core import aws
from studypack.core.config import get_settings
from studypack.core.telemetry import get_logger
from studypack.integrations.email.answers import (
    OperatorFault,
    Quota,
    Refused,
    Throttled,
    Undelivered,
    Unreached,
)

T = TypeVar("T")
CONNECT_SECONDS: Final = 2
READ_SECONDS: Final = 8
LONGEST_CALL_SECONDS: Final = CONNECT_SECONDS + READ_SECONDS
QUOTA_SECONDS: Final = 300
"""How long what the account may send is believed."""

_THROTTLED: Final = frozenset(
    {
        "TooManyRequestsException",
        "LimitExceededException",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "SlowDown",
    }
)
_OPERATOR: Final = {
    "AccountSuspendedException": "account_suspended",
    "SendingPausedException": "sending_paused",
    "MailFromDomainNotVerifiedException": "sender_not_verified",
    "NotFoundException": "configuration_set_missing",
}
_CERTAINLY_NOT_SENT: Final = 503
"""Service unavailable is said before a request is worked on; the other 5xx may come later."""


@dataclass
class _Believed:
    quota: Quota | None = None
    until: float = -math.inf


class Ses:
    """The provider, with our sender and configuration set."""

    def __init__(self) -> None:
        settings = get_settings()
        self._sender = settings.mail_from
        self._sender_address = parseaddr(settings.mail_from)[1].lower()
        self._configuration_set = settings.mail_configuration_set
        self._believed = _Believed()

    @property
    def _client(self) -> Any:
        # One try: SES has no idempotency key, and botocore would repeat a call that timed out.
        return aws.client("sesv2", connect=CONNECT_SECONDS, read=READ_SECONDS, tries=1)

    def quota(self) -> Quota | None:
        """See Provider. The answer is believed for five minutes."""
        if time.monotonic() < self._believed.until:
            return self._believed.quota
        try:
            account = self._asked(lambda: self._client.get_account())
        except OperatorFault:
            raise
        except Undelivered as problem:
            get_logger().info("the quota of mail is not known", extra={"code": problem.code})
            self._believed = _Believed(None, time.monotonic() + QUOTA_SECONDS)
            return None
        if account.get("SendingEnabled") is False:
            raise OperatorFault("sending_paused")
        self._believed = _Believed(_quota(account), time.monotonic() + QUOTA_SECONDS)
        return self._believed.quota

    def send(self, raw: bytes, *, to: str, tags: Mapping[str, str]) -> str:
        """See Provider."""
        request: dict[str, Any] = {
            "FromEmailAddress": self._sender,
            "Destination": {"ToAddresses": [to]},
            "Content": {"Raw": {"Data": raw}},
            "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
        }
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return str(self._asked(lambda: self._client.send_email(**request))["MessageId"])

    def _asked(self, call: Callable[[], T]) -> T:
        """The answer to a call, its failures in our words."""
        from botocore import exceptions as problems

        try:
            return call()
        except problems.ClientError as error:
            raise self._meant_by(error.response) from None
        except problems.ParamValidationError:
            raise Refused("invalid_request") from None
        except (
            problems.NoCredentialsError,
            problems.PartialCredentialsError,
            problems.CredentialRetrievalError,
            problems.NoRegionError,
            problems.TokenRetrievalError,
        ):
            raise OperatorFault("no_credentials") from None
        except (problems.ConnectTimeoutError, problems.EndpointConnectionError, problems.SSLError):
            raise Unreached("unreachable", may_be_sent=False) from None
        except problems.BotoCoreError:  # no answer, half of one, or none that makes sense
            raise Unreached("no_answer", may_be_sent=True) from None

    def _meant_by(self, response: Any) -> Undelivered:
        code = str(response.get("Error", {}).get("Code", ""))
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _THROTTLED or status == 429:
            return Throttled("throttled")
        if code in _OPERATOR:
            return OperatorFault(_OPERATOR[code])
        if status in {401, 403}:
            return OperatorFault("access_denied")
        if status >= 500 or status == 408:
            return Unreached("provider_error", may_be_sent=status != _CERTAINLY_NOT_SENT)
        if code == "MessageRejected":
            return self._rejected(str(response["Error"].get("Message", "")).lower())
        return Refused("address_refused" if code == "BadRequestException" else "refused")

    def _rejected(self, text: str) -> Undelivered:
        """SES names the identities that are not verified: ours, or a recipient in the sandbox."""
        if "not verified" not in text and "not have authority" not in text:
            return Refused("content_refused")
        domain = self._sender_address.rpartition("@")[2]
        named = {word.strip(" ,.;:<>\"'()") for word in text.split()}
        if named & {self._sender_address, domain}:
            return OperatorFault("sender_not_verified")
        return Refused("recipient_not_verified")


def _quota(account: Mapping[str, Any]) -> Quota | None:
    given = account.get("SendQuota") or {}
    per_second, per_day = given.get("MaxSendRate"), given.get("Max24HourSend")
    if not per_second or per_day is None:
        return None
    if per_day < 0:
        return Quota(float(per_second), math.inf)
    left = max(0.0, per_day - given.get("SentLast24Hours", 0.0))
    return Quota(float(per_second), left, float(per_day))


@lru_cache(maxsize=1)
def get_ses() -> Ses:
    """The provider of this process."""
    return Ses()


def forget_ses() -> None:
    """Make it anew at the next use."""
    get_ses.cache_clear()
