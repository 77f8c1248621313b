from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import change_setting, execute, fields, value, values
from tests.support.concurrency import meeting_at
from tests.support.people import Person

ME = "/api/users/me"


def _change(person: Person, **changes: Any) -> dict[str, Any]:
    answer = person.patch(ME, json=changes)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def test_reading_oneself_costs_two_statements(learner: Person, statements: Any) -> None:
    statements()
    assert learner.get(ME).status_code == 200
    assert len(statements()) == 2
    assert learner.get(f"{ME}/profile").status_code == 200
    assert len(statements()) == 2


def test_changing_oneself_costs_at_most_two_more(learner: Person, statements: Any) -> None:
    statements()
    _change(learner, first_name="Lea", preferences={"theme": "dark"})
    assert len(statements()) == 4  # authenticate, read, one update for each of two tables


def test_features_are_those_of_the_free_plan_or_all_by_override(learner: Person) -> None:
    change_setting("free_plan_features", ["exams", "courses"])
    assert learner.get(ME).json()["features"] == ["courses", "exams"]
    execute("UPDATE auth.users SET access_override = true WHERE id = :id", id=learner.id)
    assert learner.get(ME).json()["features"] == [
        "assignments",
        "courses",
        "documents",
        "exams",
        "flashcards",
        "tutor",
    ]


def test_a_missing_feature_is_a_402_that_names_it(learner: Person) -> None:
    change_setting("free_plan_features", ["courses"])
    answer = learner.get("/api/exams/templates")
    assert answer.status_code == 402
    document = answer.json()
    assert document["code"] == "entitlement_required"
    assert document["features"] == ["exams"]
    assert {"ot-exam-pack", "pro-monthly"} <= {each["sku"] for each in document["products"]}


def test_what_is_left_out_of_a_change_stays(learner: Person) -> None:
    _change(learner, first_name="Lea", last_name="Brandt", marketing_opt_out=True)
    after = _change(learner, last_name=None)
    assert (after["first_name"], after["last_name"]) == ("Lea", None)
    assert after["marketing_opt_out"] is True
    assert learner.get(ME).json() == after


def test_a_new_time_zone_is_noted_with_its_time_and_the_same_one_is_not(learner: Person) -> None:
    for zone in ("Europe/Berlin", "Europe/Berlin", "America/New_York"):
        assert _change(learner, timezone=zone)["timezone"] == zone
    history = (
        "SELECT timezone FROM auth.timezone_history WHERE user_id = :id ORDER BY valid_from, id"
    )
    assert values(history, id=learner.id) == ["UTC", "Europe/Berlin", "America/New_York"]


def test_an_unknown_zone_is_named_and_nothing_of_the_change_happens(learner: Person) -> None:
    answer = learner.patch(ME, json={"timezone": "Mars/Olympus", "first_name": "Lea"})
    assert answer.status_code == 422
    assert fields(answer) == [("timezone", "unknown_timezone")]
    me = learner.get(ME).json()
    assert (me["timezone"], me["first_name"]) == ("UTC", None)


def test_preferences_are_merged_and_null_removes_a_key(learner: Person) -> None:
    _change(learner, preferences={"theme": "dark", "language": "de", "sizes": [1, 2]})
    after = _change(learner, preferences={"theme": "light", "language": None})
    assert after["preferences"] == {"theme": "light", "sizes": [1, 2]}


def test_socials_are_merged_and_null_removes_a_key(learner: Person) -> None:
    for change in ({"github": "lea", "linkedin": "lea-b"}, {"github": None, "twitter": "l"}):
        answer = learner.patch(f"{ME}/profile", json={"socials": change})
        assert answer.status_code == 200
    assert answer.json()["socials"] == {"linkedin": "lea-b", "twitter": "l"}


def test_a_profile_is_changed_field_by_field_and_null_empties(learner: Person) -> None:
    path = f"{ME}/profile"
    given = {"bio": "Hello", "website": "https://example.com/", "weekly_study_minutes": 300}
    assert given.items() <= learner.patch(path, json=given).json().items()
    after = learner.patch(path, json={"bio": None, "exam_date": "2027-02-01"}).json()
    assert (after["bio"], after["website"]) == (None, "https://example.com/")
    assert after == learner.get(path).json() == learner.get(ME).json()["profile"]


def _deep(levels: int) -> list[Any]:
    nested: list[Any] = []
    for _ in range(levels):
        nested = [nested]
    return nested


UNFIT: list[tuple[str, dict[str, Any], str]] = [
    (ME, {"first_name": ""}, "first_name"),
    (ME, {"first_name": "x" * 201}, "first_name"),
    (ME, {"first_name": "\ud800"}, "first_name"),
    (ME, {"timezone": None}, "timezone"),
    (ME, {"email": "canary@example.com"}, "email"),
    (ME, {"role": "ADMIN"}, "role"),
    (ME, {"preferences": {"a": "canary" * 2_000}}, "preferences"),
    (ME, {"preferences": {"a": _deep(30)}}, "preferences"),
    (ME, {"preferences": {"a": _deep(400)}}, "preferences"),
    (f"{ME}/profile", {"website": "javascript:canary()"}, "website"),
    (f"{ME}/profile", {"phone": "canary"}, "phone"),
    (f"{ME}/profile", {"weekly_study_minutes": 10_081}, "weekly_study_minutes"),
    (f"{ME}/profile", {"exam_date": "canary"}, "exam_date"),
    (f"{ME}/profile", {"onboarding_completed": True}, "onboarding_completed"),
    (f"{ME}/profile", {"socials": {"github": 1}}, "socials.github"),
    (f"{ME}/profile", {"socials": {f"n{n}": "x" for n in range(21)}}, "socials"),
]


def test_input_that_does_not_fit_is_named_is_not_echoed_and_changes_nothing(
    learner: Person,
) -> None:
    before = learner.get(ME).json()
    for path, changes, field in UNFIT:
        answer = learner.patch(
            path, content=json.dumps(changes), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 422, (path, str(changes)[:80])
        assert [name for name, _ in fields(answer)] == [field]
        assert "canary" not in answer.text
    assert learner.get(ME).json() == before


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e400", "9" * 400, r'"\ud800"'])
def test_what_the_database_cannot_store_is_refused_by_name(learner: Person, value: str) -> None:
    answer = learner.patch(
        ME,
        content=f'{{"preferences": {{"a": {value}}}}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    assert [name for name, _ in fields(answer)] == ["preferences"]
    assert learner.get(ME).json()["preferences"] == {}


def test_text_of_any_script_comes_back_as_it_was(learner: Person) -> None:
    name = "Ľéa ‮ 李 🦉 %s {} '; --"
    assert _change(learner, first_name=name)["first_name"] == name
    assert learner.get(ME).json()["first_name"] == name


ANSWERS = {"user_type": "SOLO_BUILDER", "experience_level": "BEGINNER"}


def test_onboarding_may_be_done_again_and_counts_once_in_the_funnel(learner: Person) -> None:
    for goal in ("an app", "another app"):
        answer = learner.post(f"{ME}/onboarding", json={**ANSWERS, "build_goal": goal})
        assert answer.status_code == 200
    assert answer.json()["onboarding_completed"] is True
    assert answer.json()["build_goal"] == "another app"
    events = (
        "SELECT event_name FROM activity.analytics_events WHERE user_id = :id"
        " ORDER BY event_time, id"
    )
    assert values(events, id=learner.id) == ["signup_completed", "onboarding_completed"]


@pytest.mark.usefixtures("wide_pool")
def test_onboarding_twice_at_once_counts_once(learner: Person) -> None:
    answers = meeting_at(
        "SELECT 1 FROM auth.user_profiles WHERE user_id = :id FOR UPDATE",
        [lambda: learner.post(f"{ME}/onboarding", json=ANSWERS).status_code] * 2,
        id=learner.id,
    )
    assert answers == [200, 200]
    counted = (
        "SELECT count(*) FROM activity.analytics_events"
        " WHERE user_id = :id AND event_name = 'onboarding_completed'"
    )
    assert value(counted, id=learner.id) == 1


def test_onboarding_without_its_two_answers_is_not_done(learner: Person) -> None:
    answer = learner.post(f"{ME}/onboarding", json={"user_type": "WIZARD"})
    assert answer.status_code == 422
    assert {name for name, _ in fields(answer)} == {"user_type", "experience_level"}
    assert learner.get(ME).json()["profile"]["onboarding_completed"] is False


def test_public_settings_are_for_everyone(api: TestClient) -> None:
    answer = api.get("/api/config")
    assert answer.status_code == 200
    assert answer.json()["password_minimum_length"] == 10
    assert answer.json()["free_plan_features"] == sorted(answer.json()["free_plan_features"])


def test_preferences_cannot_grow_without_end(learner: Any) -> None:
    for number in range(3):
        answer = learner.patch(
            "/api/users/me", json={"preferences": {f"note-{number}": "x" * 9_000}}
        )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "preferences"
    kept = learner.get("/api/users/me").json()["preferences"]
    assert sorted(kept) == ["note-0", "note-1"]


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "right/UTC", "posix/Europe/Berlin"])
def test_a_zone_that_only_this_machine_knows_is_refused(learner: Person, zone: str) -> None:
    assert fields(learner.patch(ME, json={"timezone": zone})) == [("timezone", "unknown_timezone")]


def test_postgresql_knows_every_zone_that_is_taken(database_url: str) -> None:
    from studypack.accounts import registration

    known = set(values("SELECT name FROM pg_timezone_names"))
    assert registration._zones() - known == set()


@pytest.mark.parametrize(("path", "name"), [(ME, "preferences"), (f"{ME}/profile", "socials")])
@pytest.mark.usefixtures("wide_pool")
def test_two_changes_at_once_both_hold(learner: Person, path: str, name: str) -> None:
    answers = meeting_at(
        "SELECT 1 FROM auth.user_profiles WHERE user_id = :id FOR UPDATE",
        [
            lambda key=key: learner.patch(path, json={name: {key: "x"}}).status_code
            for key in ("one", "two")
        ],
        id=learner.id,
    )
    assert answers == [200, 200]
    kept = learner.get(path).json()[name]
    assert sorted(kept) == ["one", "two"]
