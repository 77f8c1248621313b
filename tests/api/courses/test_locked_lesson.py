"""What somebody is offered who meets a lesson that they have not paid for."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from studypack.billing.features import Feature
from tests.support import bank, holdings, learning


def offered(person: Any, lesson: UUID) -> list[str]:
    """The products that the refusal names, in order."""
    refused = person.get(f"/api/lessons/{lesson}")
    assert refused.status_code == 402, refused.text
    return [each["sku"] for each in refused.json()["products"]]


def sku(product: UUID) -> str:
    found: str = bank.value("SELECT sku FROM payments.products WHERE id = :id", id=product)
    return found


def test_what_was_made_for_the_course_is_offered_before_what_opens_all_courses(
    learner: Any,
) -> None:
    learning.nothing_is_free()
    course, other = learning.a_course(1), learning.a_course(1)
    everything = [holdings.product(Feature.COURSES, price=price) for price in (900, 100)]
    of_course = [
        holdings.product((Feature.COURSES, {"course_id": course.id}), price=price)
        for price in (8_000, 5_000)
    ]
    holdings.product((Feature.COURSES, {"course_id": other.id}))
    holdings.product((Feature.EXAMS, {"course_id": course.id}))
    holdings.product((Feature.COURSES, {"course_id": course.id}), active=False)
    # A pack of the course and all courses too is still the course's.
    bundle = holdings.product(
        (Feature.COURSES, {"course_id": course.id}), Feature.COURSES, price=9_000
    )

    named = offered(learner, course.lessons[0][0])

    made_for_it = [sku(of_course[1]), sku(of_course[0]), sku(bundle)]
    assert named[:3] == made_for_it
    assert {sku(each) for each in everything} < set(named[3:])
    of_price_list = bank.rows(
        "SELECT sku FROM payments.products p WHERE is_active AND sku = ANY(:named)"
        " ORDER BY sort_order, price_amount, sku",
        named=named[3:],
    )
    assert named[3:] == [row.sku for row in of_price_list]
    assert len(set(named)) == len(named)


def test_buying_the_first_that_is_offered_opens_the_lesson_and_no_other_course(
    learner: Any,
) -> None:
    learning.nothing_is_free()
    course, other = learning.a_course(1), learning.a_course(1)
    pack = holdings.product((Feature.COURSES, {"course_id": course.id}))
    [first, *_] = offered(learner, course.lessons[0][0])
    assert first == sku(pack)

    holdings.purchase(learner.id, pack)

    assert learner.get(f"/api/lessons/{course.lessons[0][0]}").status_code == 200
    assert sku(pack) not in offered(learner, other.lessons[0][0])


def test_a_lesson_that_is_not_there_offers_nothing(learner: Any) -> None:
    learning.nothing_is_free()
    answer = learner.get(f"/api/lessons/{uuid4()}")
    assert (answer.status_code, answer.json()["code"]) == (404, "lesson_not_found")
