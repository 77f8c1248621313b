"""Exam receipts in a test: a small one made by hand, and every way to tamper with one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from studypack.exams import receipt
from studypack.exams.receipt import Head, LogEvent, next_entry
from studypack.exams.receipt_keys import KeyRing, encode, read_key_ring

SESSION = UUID("0197a000-0000-7000-8000-000000000001")
QUESTIONS = [UUID(f"0197a000-0000-7000-8000-0000000000a{n}") for n in range(3)]
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)
RING = read_key_ring("a-key-of-the-tests-that-is-long-enough")
OTHER_RING = read_key_ring("another-key-of-the-tests-long-enough")

Document = dict[str, Any]

FACTS: list[tuple[LogEvent, dict[str, Any]]] = [
    (
        LogEvent.STARTED,
        {
            "title": "Prüfung «10 %»",
            "time_factor": "1.50",
            "form": [{"question": str(question), "version": 1} for question in QUESTIONS],
        },
    ),
    (
        LogEvent.ANSWERED,
        {"question": str(QUESTIONS[0]), "revision": 1, "answer": {"option_id": "b"}},
    ),
    (LogEvent.PAUSED, {"ends_at_latest": "2026-03-11T12:30:00.000000Z"}),
    (LogEvent.RESUMED, {"deadline_at": "2026-03-11T13:10:00.000000Z"}),
    (
        LogEvent.ANSWERED,
        {"question": str(QUESTIONS[0]), "revision": 2, "answer": {"x": 0.1, "y": 1e-7}},
    ),
    (LogEvent.ANSWERED, {"question": str(QUESTIONS[1]), "revision": 1, "answer": None}),
    (LogEvent.SUBMITTED, {"by": "LEARNER", "score_raw": "1.0000"}),
]


def sample(
    facts: list[tuple[LogEvent, dict[str, Any]]] = FACTS, *, ring: KeyRing = RING
) -> Document:
    """A whole and signed receipt of these facts, as parsed JSON."""
    head, entries = Head(), []
    for minutes, (event, data) in enumerate(facts):
        entry = next_entry(head, SESSION, event, NOON + timedelta(minutes=minutes), data)
        entries.append({"entry": json.loads(entry.text), "hash": entry.hash.hex()})
        head = entry.head
    document = {"format": receipt.FORMAT, "entries": entries}
    return {**document, **signed(head, ring)}


def signed(head: Head, ring: KeyRing = RING) -> Document:
    """Statement and signature about a log that ends here."""
    statement = receipt.statement(SESSION, head, ring.signing.id, signed_at=NOON)
    return {
        "statement": statement.model_dump(mode="json"),
        "signature": encode(ring.signing.sign(statement.message)),
    }


def written_anew(document: Document) -> Document:
    """The same entries with numbers and hashes that fit, which needs no key."""
    head = Head()
    for logged in document["entries"]:
        entry = logged["entry"]
        renewed = next_entry(
            head,
            SESSION,
            LogEvent(entry["event"]),
            datetime.fromisoformat(entry["at"]),
            entry["data"],
        )
        logged["entry"], logged["hash"] = json.loads(renewed.text), renewed.hash.hex()
        head = renewed.head
    return document


def _changed(number: int, member: str, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        entry = document["entries"][number - 1]["entry"]
        if member in entry:
            entry[member] = value
        else:
            entry["data"][member] = value

    return change


def _swap(document: Document) -> None:
    entries = document["entries"]
    entries[1], entries[2] = entries[2], entries[1]


def _add_in_the_middle(document: Document) -> None:
    entry = copy.deepcopy(document["entries"][1])
    entry["entry"]["data"]["answer"] = {"option_id": "c"}
    document["entries"].insert(2, entry)


def _add_at_the_end(document: Document) -> None:
    last = document["entries"][-1]
    head = Head(last["entry"]["sequence"], bytes.fromhex(last["hash"]))
    entry = next_entry(head, SESSION, LogEvent.PAUSED, NOON, {})
    document["entries"].append({"entry": json.loads(entry.text), "hash": entry.hash.hex()})


def _write_anew(document: Document) -> None:
    document["entries"][1]["entry"]["data"]["answer"] = {"option_id": "c"}
    written_anew(document)


def _write_shorter(document: Document) -> None:
    del document["entries"][1]
    written_anew(document)


def _sign_anew(document: Document) -> None:
    _write_anew(document)
    document["statement"]["head"] = document["entries"][-1]["hash"]


def _take_other_signature(document: Document) -> None:
    document["signature"] = signed(Head(7, bytes(32)))["signature"]


def _break_signature(document: Document) -> None:
    document["signature"] = document["signature"][:-4] + "????"


def _change_session(document: Document) -> None:
    document["statement"]["session"] = str(QUESTIONS[0])


TAMPERED: dict[str, tuple[Callable[[Document], None], set[tuple[str, int | None]]]] = {
    "an answer": (_changed(2, "answer", {"option_id": "c"}), {("entry_changed", 2)}),
    "a place on an image": (_changed(5, "answer", {"x": 0.2, "y": 1e-7}), {("entry_changed", 5)}),
    "a time": (_changed(2, "at", "2026-03-11T12:00:59.000000Z"), {("entry_changed", 2)}),
    "the accommodation": (_changed(1, "time_factor", "1.00"), {("entry_changed", 1)}),
    "a pause": (_changed(3, "ends_at_latest", "later"), {("entry_changed", 3)}),
    "the score": (_changed(7, "score_raw", "3.0000"), {("entry_changed", 7)}),
    "what happened": (_changed(3, "event", "RESUMED"), {("entry_changed", 3)}),
    "a number": (
        _changed(3, "sequence", 2),
        {("entry_missing", 3), ("entry_added", 2), ("entry_changed", 2)},
    ),
    "a hash": (
        lambda d: d["entries"][3].update(hash="0" * 64),
        {("entry_changed", 4), ("entry_changed", 5)},
    ),
    "the order": (_swap, {("entry_out_of_order", 2)}),
    "a row removed": (lambda d: d["entries"].pop(2), {("entry_missing", 3)}),
    "the last row removed": (
        lambda d: d["entries"].pop(),
        {("entry_missing", 7), ("not_submitted", None)},
    ),
    "the first row removed": (
        lambda d: d["entries"].pop(0),
        {("entry_missing", 1), ("not_started", None)},
    ),
    "a row added": (
        _add_in_the_middle,
        {("entry_added", 2), ("entry_changed", 2), ("revision_not_newer", 2)},
    ),
    "a row added at the end": (_add_at_the_end, {("entry_added", 8), ("after_submission", 8)}),
    "the chain written anew": (_write_anew, {("head_differs", 7)}),
    "the chain written anew and shorter": (_write_shorter, {("entry_missing", 7)}),
    "the chain and the statement": (_sign_anew, {("signature_invalid", None)}),
    "another signature": (_take_other_signature, {("signature_invalid", None)}),
    "a broken signature": (_break_signature, {("signature_invalid", None)}),
    "the time of signing": (
        lambda d: d["statement"].update(signed_at="2026-03-11T11:00:00.000000Z"),
        {("signature_invalid", None)},
    ),
    "the session of the statement": (
        _change_session,
        {("signature_invalid", None), *(("other_session", n) for n in range(1, 8))},
    ),
    "the key's name": (
        lambda d: d["statement"].update(key=OTHER_RING.signing.id),
        {("signature_invalid", None)},
    ),
    "a key that nobody published": (
        lambda d: d.update(sample(ring=read_key_ring("the key of a forger, long enough too"))),
        {("unknown_key", None)},
    ),
    "no signature": (lambda d: d.update(signature=None), {("unsigned", None)}),
    "no statement": (lambda d: d.update(statement=None), {("unsigned", None)}),
    "a member that nobody signed": (lambda d: d.update(note="passed"), {("malformed", None)}),
    "a member of an entry": (
        lambda d: d["entries"][0]["entry"].update(note="passed"),
        {("malformed", None)},
    ),
    "another format": (
        lambda d: d.update(format="another/1"),
        {("malformed", None)},
    ),
    "a number beyond measure": (_changed(2, "revision", 2**60), {("malformed", None)}),
    "no entries": (lambda d: d.update(entries=[]), {("malformed", None)}),
    "a hash that is none": (lambda d: d["entries"][0].update(hash="zz"), {("malformed", None)}),
    "a number that is none": (_changed(1, "sequence", "one"), {("malformed", None)}),
}
"""What was done to the sample, and what must be said of it: codes with the entry that they name."""


def tampered(what: str) -> Document:
    """The sample with this done to it."""
    document = sample()
    TAMPERED[what][0](document)
    return document


def public_keys() -> dict[str, bytes]:
    """The keys that a verifier of these tests trusts."""
    return {**RING.public_keys, **OTHER_RING.public_keys}
