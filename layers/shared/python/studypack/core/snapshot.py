"""What Lambda SnapStart's snapshot of an API function holds beside the handler's own imports."""

from __future__ import annotations

import importlib
import os

PRIMED = (
    "argon2",  # passwords
    "aws_lambda_powertools.utilities.parameters",  # secrets, the database's first: brings boto3
    "studypack.core.database.driver",
)
"""Modules that are imported at first use elsewhere, because they are slow. In a snapshot they cost
nothing. Imports only: a connection, a secret or a drawn number would be shared by every environment
that starts from it.
"""


def prime() -> None:
    """Import them if this is the start from which a snapshot is taken."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        for module in PRIMED:
            importlib.import_module(module)
