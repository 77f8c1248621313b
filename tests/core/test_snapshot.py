from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import template as sam
from studypack.core.snapshot import PRIMED

LOOK = """
import json, sys
from api.auth.handler import handler
from studypack.core.config import get_settings
from studypack.core.database.engine import get_engine
print(json.dumps({
    "loaded": sorted(sys.modules),
    "engine": get_engine.cache_info().currsize,
    "settings": get_settings.cache_info().currsize,
}))
"""


def _start(initialization: str) -> dict[str, Any]:
    """What the handler's import leaves behind in an interpreter of its own."""
    path = os.pathsep.join(str(sam.ROOT / each) for each in ("layers/shared/python", "functions"))
    found = subprocess.run(
        [sys.executable, "-c", LOOK],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=Path(sys.prefix),
        env={
            "PYTHONPATH": path,
            "AWS_LAMBDA_FUNCTION_NAME": "AuthFunction",
            "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
            "DATABASE_URL": "postgresql://127.0.0.1/none",
        },
    )
    answer: dict[str, Any] = json.loads(found.stdout)
    return answer


@pytest.mark.parametrize(("initialization", "primed"), [("snap-start", True), ("on-demand", False)])
def test_a_snapshot_holds_the_slow_imports_and_neither_connection_nor_settings(
    initialization: str, primed: bool
) -> None:
    left = _start(initialization)

    assert ("boto3" in left["loaded"]) is primed
    assert ("argon2" in left["loaded"]) is primed
    assert set(PRIMED) <= set(left["loaded"]) or not primed
    assert (left["engine"], left["settings"]) == (0, 0)
