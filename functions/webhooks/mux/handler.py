"""POST /api/webhooks/mux: Mux tells what became of videos.

An event is acknowledged when it has taken effect, or there is nothing for it to take effect on;
anything else is a 5xx, so that Mux sends it again (for a day).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from studypack.core.webhooks import Failed, Refused, webhook
from studypack.courses import mux_inbox
from studypack.courses.mux_inbox import Outcome
from studypack.integrations import mux


@webhook("mux")
def handler(body: bytes, headers: Mapping[str, str]) -> str:
    """Answer one delivery."""
    secrets = mux.webhook_secrets()
    if not mux.is_signed(body, headers.get("mux-signature"), secrets, now=time.time()):
        raise Refused(400, "refused")
    try:
        event_id = mux_inbox.record(json.loads(body))
    except (mux_inbox.Malformed, ValueError, RecursionError):
        raise Refused(400, "refused") from None
    outcome = mux_inbox.process(event_id)
    if outcome is Outcome.FAILED:
        raise Failed(outcome.value)
    return outcome.value
