"""The receipt's chain and signature: what holds, and what every kind of change is called."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import timedelta, timezone
from typing import Any

import pytest

from studypack.exams.receipt import (
    FIRST_PREVIOUS,
    Head,
    LogEvent,
    Problem,
    instant,
    leads_to,
    next_entry,
    verify,
)
from tests.support.receipts import (
    FACTS,
    NOON,
    OTHER_RING,
    QUESTIONS,
    RING,
    SESSION,
    TAMPERED,
    public_keys,
    sample,
    tampered,
)


def named(problems: list[Problem]) -> set[tuple[str, int | None]]:
    return {(problem.code, problem.sequence) for problem in problems}


def test_a_whole_receipt_holds() -> None:
    assert verify(sample(), public_keys()) == []


def test_a_receipt_holds_after_it_was_written_in_another_order_with_other_spaces() -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: turned(value[name]) for name in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    document = json.loads(json.dumps(turned(sample()), indent=4, ensure_ascii=True))
    assert verify(document, public_keys()) == []


@pytest.mark.parametrize("what", TAMPERED)
def test_a_change_is_detected_and_named(what: str) -> None:
    assert named(verify(tampered(what), public_keys())) == TAMPERED[what][1]


def test_no_single_changed_character_of_an_entry_passes() -> None:
    whole = sample()
    for number, logged in enumerate(whole["entries"], start=1):
        text = json.dumps(logged["entry"])
        for place in range(0, len(text), 7):
            digit = "1" if text[place] != "1" else "2"
            try:
                changed = json.loads(text[:place] + digit + text[place + 1 :])
            except ValueError:
                continue
            if changed == logged["entry"]:
                continue
            document = copy.deepcopy(whole)
            document["entries"][number - 1]["entry"] = changed
            assert verify(document, public_keys()), f"entry {number}: {changed}"


def test_two_changes_are_both_named() -> None:
    document = tampered("an answer")
    document["entries"][5]["entry"]["data"]["answer"] = {"option_id": "d"}
    assert named(verify(document, public_keys())) == {("entry_changed", 2), ("entry_changed", 6)}


def test_a_receipt_of_a_retired_key_holds_and_one_of_a_strangers_does_not() -> None:
    document = sample(ring=OTHER_RING)
    assert verify(document, public_keys()) == []
    assert named(verify(document, RING.public_keys)) == {("unknown_key", None)}
    wrong = {OTHER_RING.signing.id: RING.signing.public}
    assert named(verify(document, wrong)) == {("signature_invalid", None)}


@pytest.mark.parametrize("document", [None, [], "receipt", 7, {}, {"format": "x"}])
def test_what_is_no_receipt_is_called_so(document: Any) -> None:
    assert [problem.code for problem in verify(document, public_keys())] == ["malformed"]


def test_a_document_nested_beyond_measure_is_no_receipt() -> None:
    document = sample()
    deep: Any = {}
    for _ in range(100_000):
        deep = [deep]
    document["entries"][0]["entry"]["data"] = {"form": deep}
    assert [problem.code for problem in verify(document, public_keys())] == ["malformed"]
    while deep:  # taken apart by hand: its own end would recurse as deep
        deep = deep.pop()


def test_a_forged_number_of_entries_is_one_problem_however_large() -> None:
    document = sample()
    document["statement"]["entries"] = 10**15
    problems = verify(document, public_keys())
    assert named(problems) == {("entry_missing", 8), ("signature_invalid", None)}


def test_a_log_that_an_honest_server_would_not_write_is_refused_though_it_is_signed() -> None:
    start, first, *_, end = FACTS
    stranger = (LogEvent.ANSWERED, {**first[1], "question": str(SESSION)})
    for facts, code in (
        ([first, end], "not_started"),
        ([start, start, end], "not_started"),
        ([start, first], "not_submitted"),
        ([start, end, first], "after_submission"),
        ([start, stranger, end], "question_not_on_form"),
        ([start, first, first, end], "revision_not_newer"),
    ):
        assert [problem.code for problem in verify(sample(facts), public_keys())] == [code]


def test_an_entrys_hash_is_sha256_over_the_hash_before_and_its_text() -> None:
    data = {"question": str(QUESTIONS[0])}
    first = next_entry(Head(), SESSION, LogEvent.STARTED, NOON, data)
    second = next_entry(first.head, SESSION, LogEvent.SUBMITTED, NOON, {})
    assert first.hash == hashlib.sha256(FIRST_PREVIOUS + first.text.encode()).digest()
    assert second.hash == hashlib.sha256(first.hash + second.text.encode()).digest()
    assert (first.sequence, second.sequence, second.previous) == (1, 2, first.hash)
    assert first.text == (
        f'{{"at":"2026-03-11T12:00:00.000000Z","data":{{"question":"{QUESTIONS[0]}"}},'
        f'"event":"STARTED","sequence":1,"session":"{SESSION}"}}'
    )
    log = [(first.text, first.hash), (second.text, second.hash)]
    assert leads_to(second.head, log)
    assert not leads_to(second.head, log[1:])
    assert not leads_to(first.head, log)
    assert not leads_to(second.head, [(first.text, second.hash), log[1]])


def test_times_are_written_in_utc_with_microseconds() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert instant(east) == "2026-03-11T12:00:00.000000Z"
    assert instant(east + timedelta(microseconds=1)) == "2026-03-11T12:00:00.000001Z"
