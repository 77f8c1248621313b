"""Mux: its API for videos, links that let somebody watch, the signatures of its webhooks. The
stand-in that runs on one machine is local/mux.
"""

from studypack.integrations.mux.client import (
    DirectUpload,
    Track,
    add_captions,
    clear_upload,
    create_upload,
    delete_asset,
    find_asset,
    find_upload,
    generate_captions,
)
from studypack.integrations.mux.settings import can_sign, is_set_up, webhook_secrets
from studypack.integrations.mux.signatures import is_signed, sign
from studypack.integrations.mux.tokens import SignedLinks, forget_keys, sign_links

__all__ = [
    "DirectUpload",
    "SignedLinks",
    "Track",
    "add_captions",
    "can_sign",
    "clear_upload",
    "create_upload",
    "delete_asset",
    "find_asset",
    "find_upload",
    "forget_keys",
    "generate_captions",
    "is_set_up",
    "is_signed",
    "sign",
    "sign_links",
    "webhook_secrets",
]
