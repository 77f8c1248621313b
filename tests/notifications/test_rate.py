from __future__ import annotations

import pytest

from studypack.notifications.rate import SLOWEST, Bucket


def seconds_for(bucket: Bucket, mails: int, *, at: float = 0.0) -> float:
    for _ in range(mails):
        at += bucket.wait(at)
    return at


def test_a_second_has_as_many_mails_as_are_allowed_after_the_first_one() -> None:
    assert seconds_for(Bucket(10, at=0), 10) == 0
    assert seconds_for(Bucket(10, at=0), 110) == pytest.approx(10)


def test_a_rate_below_one_still_lets_the_first_mail_go_at_once() -> None:
    assert seconds_for(Bucket(0.5, at=0), 3) == pytest.approx(4)


def test_a_pause_saves_up_a_second_and_no_more() -> None:
    bucket = Bucket(10, at=0)
    seconds_for(bucket, 10)

    assert seconds_for(bucket, 10, at=1_000) == 1_000
    assert bucket.wait(1_000) == pytest.approx(0.1)


def test_slowing_down_halves_the_rate_down_to_a_tenth() -> None:
    bucket = Bucket(10, at=0)
    bucket.slow_down()
    assert seconds_for(bucket, 10) == pytest.approx(2)
    for _ in range(20):
        bucket.slow_down()
    assert bucket.wait(1_000) == 0
    assert bucket.wait(1_000) == pytest.approx(1)


def test_five_seconds_are_never_too_much_for_one_mail() -> None:
    bucket = Bucket(0.3, at=0)
    for _ in range(20):
        bucket.slow_down()
    bucket.wait(1_000)
    assert bucket.wait(1_000) == pytest.approx(1 / SLOWEST)


def test_success_leads_back_to_what_is_allowed_and_not_beyond() -> None:
    bucket = Bucket(10, at=0)
    bucket.slow_down()
    for _ in range(50):
        bucket.speed_up()
    assert seconds_for(bucket, 100, at=0) == pytest.approx(10, abs=0.2)
