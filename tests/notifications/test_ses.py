from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from local import template as sam
from studypack.core import aws, telemetry
from studypack.core.config import get_settings
from studypack.integrations.email import Quota, Refused, Unreached
from studypack.integrations.email.ses import Ses
from studypack.notifications.sending import Figures, measure
from tests.support.mail_queue import NOW, queue, reader
from tests.support.ses_standin import TAKE, Answer, SesStandIn

RAW = b"To: ada@example.com\r\nSubject: x\r\n\r\nx\r\n"


def hand_over() -> str:
    return Ses().send(RAW, to="ada@example.com", tags={"template": "WELCOME"})


def test_a_mail_is_handed_over_as_it_is_with_its_tags_and_configuration_set(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_CONFIGURATION_SET", "mail")
    get_settings.cache_clear()

    provider_id = hand_over()

    [taken] = ses.taken
    assert (taken.provider_id, taken.raw, taken.to) == (provider_id, RAW, "ada@example.com")
    assert (taken.tags, taken.configuration_set) == ({"template": "WELCOME"}, "mail")


def test_a_call_that_times_out_is_made_once_because_a_second_may_be_a_second_mail(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    ses.answer = lambda _to: Answer(takes=True, waits_for=released)
    monkeypatch.setattr("studypack.integrations.email.ses.READ_SECONDS", 0.2)
    aws.client.cache_clear()

    with pytest.raises(Unreached) as raised:
        hand_over()

    released.set()
    assert (raised.value.code, raised.value.may_be_sent) == ("no_answer", True)
    assert ses.offered.total() == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_ses_is_asked_once(ses: SesStandIn, status: int) -> None:
    ses.answer = lambda _to: Answer(status, "InternalFailure")

    with pytest.raises(Unreached) as raised:
        hand_over()

    assert raised.value.may_be_sent is (status != 503)
    assert ses.offered.total() == 1


def test_what_ses_says_stays_out_of_our_words(ses: SesStandIn) -> None:
    ses.answer = lambda _to: Answer(400, "MessageRejected", "ada@example.com is suppressed")

    with pytest.raises(Refused) as raised:
        hand_over()

    assert str(raised.value) == "content_refused"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_the_quota_is_asked_for_once_in_five_minutes(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ses.account["SendQuota"] = {"Max24HourSend": 200, "MaxSendRate": 1, "SentLast24Hours": 50}
    provider = Ses()

    assert provider.quota() == Quota(per_second=1, left_today=150, per_day=200)
    ses.account["SendQuota"]["MaxSendRate"] = 14
    assert provider.quota() == Quota(per_second=1, left_today=150, per_day=200)
    monkeypatch.setattr("studypack.integrations.email.ses.QUOTA_SECONDS", -1)
    assert Ses().quota() == Quota(per_second=14, left_today=150, per_day=200)


def test_an_account_without_a_daily_limit_may_send_for_ever(ses: SesStandIn) -> None:
    ses.account["SendQuota"] = {"Max24HourSend": -1, "MaxSendRate": 14, "SentLast24Hours": 50}

    assert Ses().quota() == Quota(per_second=14, left_today=float("inf"))


def test_the_alarms_on_mail_watch_what_is_measured(
    ses: SesStandIn, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(reader())
    ses.answer = lambda _to: TAKE
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    telemetry.get_metrics.cache_clear()
    try:
        measure(Figures(sent=3, failed=1, uncertain=2, throttled=4), now=NOW)
    finally:
        telemetry.get_metrics.cache_clear()

    [line] = [json.loads(each) for each in capsys.readouterr().out.splitlines() if "_aws" in each]
    [written] = line["_aws"]["CloudWatchMetrics"]
    names = {each["Name"] for each in written["Metrics"]}
    assert (line["EmailsSent"], line["EmailQueueAge"]) == ([3.0], [1.0])
    watched = {name: dimensions for name, dimensions in _watched() if name.startswith("Email")}
    assert set(watched) == names - {"EmailsSent"}
    [dimensions] = written["Dimensions"]
    ours = {name: line[name] for name in dimensions}
    assert all(each == ours for each in watched.values())


def _watched() -> list[tuple[str, dict[str, Any]]]:
    document = sam.load(sam.TEMPLATE.read_text(encoding="utf-8"))
    alarms = [
        each["Properties"]
        for each in document["Resources"].values()
        if each["Type"] == "AWS::CloudWatch::Alarm" and "MetricName" in each["Properties"]
    ]
    return [
        (each["MetricName"], {one["Name"]: one["Value"] for one in each["Dimensions"]})
        for each in alarms
    ]
