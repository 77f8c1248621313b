"""An exam's receipt: its log as a chain of hashes, the signed head, and how anybody checks both.

Pure: no database, no settings. An entry's hash is SHA-256 over the 32 bytes of the hash before it
(zeros before the first) and the UTF-8 of the entry's canonical JSON (RFC 8785); PostgreSQL computes
the same: sha256(previous_hash || convert_to(entry, 'UTF8')). The statement about the last entry is
signed with Ed25519 over its canonical JSON. docs/decisions/0010-exam-receipt.md says why.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StringConstraints, ValidationError

from studypack.core.canonical_json import canonical
from studypack.exams.receipt_keys import decode, is_signed_by

FORMAT: Final = "studypack-exam-receipt/1"
FIRST_PREVIOUS: Final = bytes(32)
"""What the first entry's hash builds on."""

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SessionId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
]


class LogEvent(StrEnum):
    """What happened to a session; the log has nothing else."""

    STARTED = "STARTED"
    ANSWERED = "ANSWERED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    SUBMITTED = "SUBMITTED"


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number and hash; an empty log has number 0."""

    sequence: int = 0
    hash: bytes = FIRST_PREVIOUS


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log, ready to be stored."""

    sequence: int
    event: LogEvent
    at: datetime
    text: str
    previous: bytes
    hash: bytes

    @property
    def head(self) -> Head:
        """The log's head once this entry is stored."""
        return Head(self.sequence, self.hash)


def next_entry(
    head: Head, session_id: UUID, event: LogEvent, at: datetime, data: Mapping[str, object]
) -> Entry:
    """The entry that follows the head. `data` is JSON; what it says depends on the event."""
    sequence = head.sequence + 1
    text = canonical(
        {
            "session": str(session_id),
            "sequence": sequence,
            "event": event.value,
            "at": instant(at),
            "data": data,
        }
    )
    return Entry(sequence, event, at, text, head.hash, link(head.hash, text))


def link(previous: bytes, text: str) -> bytes:
    """The hash of an entry of this text after an entry of that hash."""
    return hashlib.sha256(previous + text.encode()).digest()


def instant(at: datetime) -> str:
    """A time as receipts write it: UTC, always with microseconds, e.g.
    2026-03-11T12:00:00.000000Z.
    """
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def leads_to(head: Head, log: Sequence[tuple[str, bytes]]) -> bool:
    """Whether a log (texts with their hashes, in order) is unbroken and ends with this head."""
    previous = FIRST_PREVIOUS
    for text, digest in log:
        if link(previous, text) != digest:
            return False
        previous = digest
    return Head(len(log), previous) == head


class LoggedEntry(BaseModel):
    """An entry of the log as the receipt shows it, with its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: dict[str, Any] = Field(
        description="session, sequence, event, at, data; hashed as canonical JSON (RFC 8785)"
    )
    hash: Hash = Field(description="SHA-256 over the hash before and the entry, hexadecimal")


class Statement(BaseModel):
    """What is signed: the log of this session ends with this entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["studypack-exam-receipt/1"]
    session: SessionId
    entries: Annotated[StrictInt, Field(ge=1)]
    head: Hash
    key: str = Field(max_length=100, description="The `kid` of the key that signed")
    signed_at: str = Field(max_length=40)

    @property
    def message(self) -> bytes:
        """The bytes that the signature is over."""
        return canonical(self.model_dump(mode="json")).encode()


class Receipt(BaseModel):
    """The whole document. Without statement and signature it is not signed yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["studypack-exam-receipt/1"]
    entries: Annotated[tuple[LoggedEntry, ...], Field(min_length=1)]
    statement: Statement | None
    signature: str | None = Field(
        max_length=100, description="Ed25519 over the statement's canonical JSON, base64url"
    )


def statement(session_id: UUID, head: Head, key: str, *, signed_at: datetime) -> Statement:
    """The statement to be signed about a log that ends here."""
    return Statement(
        format=FORMAT,
        session=str(session_id),
        entries=head.sequence,
        head=head.hash.hex(),
        key=key,
        signed_at=instant(signed_at),
    )


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not hold: a stable code, a sentence, and which entry, if it is about one."""

    code: str
    message: str
    sequence: int | None = None


def verify(document: object, keys: Mapping[str, bytes]) -> list[Problem]:
    """Check a receipt against public keys (by id) that the caller trusts; empty if all holds.

    `document` is the parsed JSON, from anywhere. Codes: `malformed`; of the chain
    `entry_missing`, `entry_added`, `entry_out_of_order`, `entry_changed`; of the signature
    `unsigned`, `head_differs`, `other_session`, `unknown_key`, `signature_invalid`; of the exam's
    course `not_started`, `not_submitted`, `after_submission`, `question_not_on_form`,
    `revision_not_newer`.
    """
    try:
        receipt = Receipt.model_validate(document)
        rows = [_row(logged) for logged in receipt.entries]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return [Problem("malformed", f"This is no exam receipt: {place}: {first['msg']}")]
    except (ValueError, RecursionError) as error:
        return [Problem("malformed", f"This is no exam receipt: {error}")]
    return [
        *_check_chain(rows, receipt.statement),
        *_check_signature(rows, receipt, keys),
        *_check_course(rows),
    ]


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry of a document that somebody sent."""

    sequence: int
    event: str
    session: object
    data: Mapping[str, Any]
    text: str
    hash: bytes


def _row(logged: LoggedEntry) -> _Row:
    entry = logged.entry
    if set(entry) != {"session", "sequence", "event", "at", "data"}:
        raise ValueError("an entry has other members than session, sequence, event, at, data")
    sequence, data = entry["sequence"], entry["data"]
    if type(sequence) is not int or sequence < 1 or not isinstance(data, dict):
        raise ValueError("an entry's sequence is no positive number, or its data no object")
    return _Row(
        sequence=sequence,
        event=str(entry["event"]),
        session=entry["session"],
        data=data,
        text=canonical(entry),
        hash=bytes.fromhex(logged.hash),
    )


def _check_chain(rows: Sequence[_Row], signed: Statement | None) -> Iterator[Problem]:
    """Name what differs entry by entry: each is checked against the hash that the document itself
    gives the one before it, so that one change is not reported of all that follow.
    """
    numbers = Counter(row.sequence for row in rows)
    last = signed.entries if signed is not None else max(numbers)
    # A forged number of entries must not make this loop long: what is missing is shown as ranges.
    for first, until in _gaps(sorted(numbers), last):
        span = f"Entry {first} is" if first == until else f"Entries {first} to {until} are"
        yield Problem("entry_missing", f"{span} missing.", first)
    hashes: dict[int, set[bytes]] = {0: {FIRST_PREVIOUS}}
    for row in rows:
        hashes.setdefault(row.sequence, set()).add(row.hash)
    seen: set[int] = set()
    before = 0
    for row in rows:
        if row.sequence in seen or row.sequence > last:
            yield Problem(
                "entry_added", f"Entry {row.sequence} ({row.event}) was added.", row.sequence
            )
        elif row.sequence < before:
            yield Problem(
                "entry_out_of_order",
                f"Entry {row.sequence} ({row.event}) stands after entry {before}.",
                row.sequence,
            )
        seen.add(row.sequence)
        before = max(before, row.sequence)
        previous = hashes.get(row.sequence - 1)
        if previous is not None and all(link(one, row.text) != row.hash for one in previous):
            yield Problem(
                "entry_changed",
                f"Entry {row.sequence} ({row.event}) does not match its hash: it was changed,"
                " or the hash of the entry before it was.",
                row.sequence,
            )


def _gaps(numbers: Sequence[int], last: int) -> Iterator[tuple[int, int]]:
    for before, after in itertools.pairwise([0, *numbers, max(last, numbers[-1]) + 1]):
        if after - before > 1:
            yield before + 1, after - 1


def _check_signature(
    rows: Sequence[_Row], receipt: Receipt, keys: Mapping[str, bytes]
) -> Iterator[Problem]:
    signed = receipt.statement
    if signed is None or receipt.signature is None:
        yield Problem("unsigned", "The receipt is not signed; fetch it again in some minutes.")
        return
    ends = {row.hash.hex() for row in rows if row.sequence == signed.entries}
    if ends and signed.head not in ends:
        yield Problem(
            "head_differs", "The last entry's hash is not the one that was signed.", signed.entries
        )
    for row in rows:
        if row.session != signed.session:
            yield Problem(
                "other_session",
                f"Entry {row.sequence} ({row.event}) is of another session than was signed.",
                row.sequence,
            )
    public = keys.get(signed.key)
    if public is None:
        yield Problem("unknown_key", f"None of the given keys is the one that signed: {signed.key}")
        return
    try:
        signature = decode(receipt.signature)
    except ValueError:
        signature = b""
    if not is_signed_by(public, signed.message, signature):
        yield Problem(
            "signature_invalid", "The signature is not this key's over this receipt's statement."
        )


def _check_course(rows: Sequence[_Row]) -> Iterator[Problem]:
    """What no honest log holds, whoever signed it."""
    events = [row.event for row in rows]
    if events[0] != LogEvent.STARTED or events.count(LogEvent.STARTED) != 1:
        yield Problem("not_started", "The log does not begin with one start.")
        return
    if LogEvent.SUBMITTED not in events:
        yield Problem("not_submitted", "The log has no submission.")
    else:
        for row in rows[events.index(LogEvent.SUBMITTED) + 1 :]:
            yield Problem(
                "after_submission",
                f"Entry {row.sequence} ({row.event}) comes after the submission.",
                row.sequence,
            )
    form = {_text(place, "question") for place in _items(rows[0].data, "form")}
    newest: dict[str, int] = {}
    for row in rows:
        if row.event != LogEvent.ANSWERED:
            continue
        question, revision = _text(row.data, "question"), row.data.get("revision")
        if question not in form:
            yield Problem(
                "question_not_on_form",
                f"Entry {row.sequence} answers a question that is not on the form.",
                row.sequence,
            )
        if type(revision) is not int or revision <= newest.get(question, 0):
            yield Problem(
                "revision_not_newer",
                f"Entry {row.sequence} is not newer than what was saved before.",
                row.sequence,
            )
        else:
            newest[question] = revision


def _items(data: Mapping[str, Any], name: str) -> list[Any]:
    items = data.get(name)
    return items if isinstance(items, list) else []


def _text(data: object, name: str) -> str:
    return str(data.get(name)) if isinstance(data, Mapping) else ""
