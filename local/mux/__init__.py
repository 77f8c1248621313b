"""A stand-in for Mux: direct uploads, assets, captions, signed playback, signed webhooks. It
transcodes nothing: a video's length is read from its file, and a playlist stands for its pictures.
The local server mounts it under /_local/mux.
"""

from local.mux.application import application
from local.mux.standin import Endpoint, StandIn

PATH = "/_local/mux"
WEBHOOK_PATH = "/api/webhooks/mux"
TOKEN_ID = "local-only"  # noqa: S105 (no secret)
TOKEN_SECRET = "known to everybody, and good for this stand-in only"  # noqa: S105 (no secret)
WEBHOOK_SECRET = "whsec_mux_local_only_and_known_to_everybody"  # noqa: S105 (no secret)
SIGNING_KEY_ID = "local-signing-key"

__all__ = [
    "PATH",
    "SIGNING_KEY_ID",
    "TOKEN_ID",
    "TOKEN_SECRET",
    "WEBHOOK_PATH",
    "WEBHOOK_SECRET",
    "Endpoint",
    "StandIn",
    "application",
]
