"""The colours of our mails by role. Templates name roles, never colours; a test computes the
contrast of every text on the ground that it stands on, light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

LIGHT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ground": "#f4f5fa",
        "card": "#ffffff",
        "ink": "#1a1d2b",
        "body": "#3b4055",
        "soft": "#5c6278",
        "line": "#e0e3ee",
        "accent": "#3d4bb8",
        "on_accent": "#ffffff",
        "tint": "#eef0fb",
        "good": "#17694a",
        "good_tint": "#e4f4ec",
        "bad": "#a32a2a",
        "bad_tint": "#fbeaea",
    }
)
DARK: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ground": "#11131c",
        "card": "#1a1d29",
        "ink": "#f0f1f8",
        "body": "#cdd1e0",
        "soft": "#a0a6bd",
        "line": "#32384d",
        "accent": "#a3aeff",
        "on_accent": "#12142b",
        "tint": "#252a42",
        "good": "#7ed7b0",
        "good_tint": "#17332b",
        "bad": "#ff9c96",
        "bad_tint": "#3b2024",
    }
)
