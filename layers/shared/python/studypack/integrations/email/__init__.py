"""Handing mails over: what every provider answers, and Amazon SES. The stand-in that runs on one
machine is moto's; the one that fails on purpose is tests/support/ses_standin.py.
"""

from studypack.integrations.email.answers import (
    OperatorFault,
    Provider,
    Quota,
    Refused,
    Throttled,
    Undelivered,
    Unreached,
)

__all__ = [
    "OperatorFault",
    "Provider",
    "Quota",
    "Refused",
    "Throttled",
    "Undelivered",
    "Unreached",
]
