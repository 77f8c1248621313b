"""Marks in everything of the bank that must stay secret until submission."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from studypack.core.database import transaction

CANARY = "canary"
SECRET_NAMES = frozenset(
    {
        "rationale",
        "is_correct",
        "points",
        "feedback",
        "sort_order",
        "section",
        "regions",
        "key",
        "credit",
        "difficulty",
        "discrimination",
        "location",
        "source_id",
    }
)
"""What no document of an item may even have a field for; `key` is also the name of an image's."""

REGION_MARK = 0.4242171
"""Added to where a hot spot's regions begin: a number that comes from nowhere else."""


def plant() -> int:
    """Mark every secret text and every region of every question; how many marks that is."""
    with transaction() as session:
        questions = session.execute(
            text("SELECT question_id, version, content FROM learning.question_versions")
        ).all()
        marks = 0
        for question_id, version, content in questions:
            content["rationale"] += f" {CANARY}-rationale-{question_id}"
            marks += 1
            for place, option in enumerate(content["options"]):
                option["feedback"] = f"{CANARY}-feedback-{question_id}-{place}"
                marks += 1
            for region in content["regions"]:
                for name in ("x", "cx"):
                    if name in region:
                        region[name] += REGION_MARK
                if "points" in region:
                    region["points"][0][0] += REGION_MARK
                marks += 1
            session.execute(
                text(
                    "UPDATE learning.question_versions SET content = CAST(:content AS jsonb)"
                    " WHERE question_id = :id AND version = :version"
                ),
                {"content": json.dumps(content), "id": question_id, "version": version},
            )
        session.execute(
            text(
                "UPDATE learning.questions SET source_id = 'canary-source-' || source_id,"
                " rationale = 'canary-rationale-' || id,"
                ' metadata = metadata || \'{"note": "canary-metadata"}\''
            )
        )
        session.execute(
            text(
                "UPDATE learning.question_options SET feedback = 'canary-feedback-' || id,"
                ' metadata = \'{"note": "canary-metadata"}\''
            )
        )
    return marks


def found_in(body: str) -> list[str]:
    """What of the secrets a response's body tells."""
    told = [mark for mark in (CANARY, str(REGION_MARK)[2:]) if mark in body]
    return told + sorted(_secret_names(json.loads(body)) if body else [])


def _secret_names(document: Any) -> set[str]:
    if isinstance(document, list):
        return set().union(*(_secret_names(part) for part in document))
    if not isinstance(document, dict):
        return set()
    own = SECRET_NAMES & document.keys()
    if {"alt", "width", "height"} <= document.keys():
        own -= {"key"}
    return own | set().union(*(_secret_names(part) for part in document.values()))
