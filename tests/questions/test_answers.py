"""Contents that may be published, and answers that fit them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studypack.core.errors import AppError
from studypack.questions.answers import (
    ANSWER,
    AnswerMismatch,
    ClinicalSimAnswer,
    HotSpotAnswer,
    MultiSelectAnswer,
    OrderingAnswer,
    QuestionContent,
    QuestionType,
    SingleBestAnswer,
    check_answer,
    validate_content,
)

IDS = [UUID(int=index, version=4) for index in range(1, 9)]
IMAGE = {"key": "media/hand.svg", "alt": "A hand", "width": 640, "height": 480}


def options(*correct: bool, **extra: object) -> list[dict[str, Any]]:
    return [
        {"id": IDS[index], "content": f"option {index}", "is_correct": value, "sort_order": index}
        | extra
        for index, value in enumerate(correct)
    ]


def content(type_: QuestionType, **fields: object) -> QuestionContent:
    document = {"type": type_, "stem": "Which?", "rationale": "Because."} | fields
    return QuestionContent.model_validate(document)


def single_best(**fields: object) -> QuestionContent:
    return content(
        QuestionType.SINGLE_BEST, **{"options": options(False, True, False, False)} | fields
    )


def multi_select(**fields: object) -> QuestionContent:
    return content(
        QuestionType.MULTI_SELECT, **{"options": options(True, False, True, False)} | fields
    )


def ordering(**fields: object) -> QuestionContent:
    return content(QuestionType.ORDERING, **{"options": options(False, False, False)} | fields)


def hot_spot(*regions: dict[str, Any], **fields: object) -> QuestionContent:
    keys = regions or ({"shape": "circle", "cx": 100, "cy": 120, "r": 30},)
    return content(QuestionType.HOT_SPOT, **{"media": IMAGE, "regions": keys} | fields)


def clinical_sim(**fields: object) -> QuestionContent:
    decisions = [
        {"id": IDS[index], "content": f"decision {index}", "points": points, "section": index // 2}
        for index, points in enumerate((2, -1, 1, 0))
    ]
    sections = [{"title": "Evaluate", "prompt": "First?"}, {"title": "Treat", "prompt": "Then?"}]
    return content(
        QuestionType.CLINICAL_SIM, **{"options": decisions, "sections": sections} | fields
    )


SOUND = [single_best(), multi_select(select=2), ordering(), hot_spot(), clinical_sim()]


def fields_of(question: QuestionContent) -> list[str]:
    return [problem.field for problem in validate_content(question)]


@pytest.mark.parametrize("question", SOUND, ids=lambda question: question.type)
def test_a_sound_question_of_each_type_has_no_problem(question: QuestionContent) -> None:
    assert validate_content(question) == []


@pytest.mark.parametrize("question", SOUND, ids=lambda question: question.type)
def test_a_content_survives_being_stored_as_json(question: QuestionContent) -> None:
    stored = json.loads(question.model_dump_json())

    assert QuestionContent.model_validate(stored) == question


def test_a_stem_a_rationale_and_the_text_of_an_option_may_not_be_blank() -> None:
    blank = options(True, False)
    blank[1]["content"] = " "

    question = single_best(stem="", rationale="\n", options=blank)

    assert fields_of(question) == ["stem", "rationale", "options.1.content"]


def test_an_image_needs_an_alternative_text() -> None:
    assert fields_of(single_best(media=IMAGE | {"alt": " "})) == ["media.alt"]


@pytest.mark.parametrize("correct", [(False, False), (True, True)])
def test_a_single_best_question_has_exactly_one_correct_option(correct: tuple[bool, ...]) -> None:
    assert fields_of(single_best(options=options(*correct))) == ["options"]


@pytest.mark.parametrize(
    "question",
    [
        single_best(options=options(True)),
        multi_select(options=options(True)),
        ordering(options=options(False)),
    ],
    ids=lambda question: question.type,
)
def test_a_choice_needs_at_least_two_options(question: QuestionContent) -> None:
    assert fields_of(question) == ["options"]


def test_a_choice_has_at_most_as_many_options_as_an_answer_may_name() -> None:
    many = [{"id": uuid4(), "content": "x", "sort_order": index} for index in range(51)]

    assert fields_of(ordering(options=many)) == ["options"]


def test_a_multi_select_question_has_a_correct_option() -> None:
    assert fields_of(multi_select(options=options(False, False))) == ["options"]


def test_a_multi_select_question_asks_for_as_many_options_as_are_correct() -> None:
    assert fields_of(multi_select(select=3)) == ["select"]


def test_two_steps_of_an_ordering_cannot_share_a_place() -> None:
    assert fields_of(ordering(options=options(False, False, sort_order=1))) == ["options"]


def test_two_options_cannot_share_an_id() -> None:
    assert fields_of(single_best(options=options(True, False, id=IDS[0]))) == ["options"]


def test_ids_in_time_order_are_refused_because_learners_see_them() -> None:
    time_ordered = options(True, False)
    time_ordered[1]["id"] = UUID("0193e7a0-0000-7000-8000-000000000001")

    assert fields_of(single_best(options=time_ordered)) == ["options.1.id"]


def test_a_hot_spot_needs_an_image_and_a_region() -> None:
    assert fields_of(hot_spot(media=None, regions=())) == ["media", "regions"]


def test_a_hot_spot_has_no_options() -> None:
    assert fields_of(hot_spot(options=options(True, False))) == ["options"]


@pytest.mark.parametrize(
    "region",
    [
        {"shape": "rect", "x": 600, "y": 0, "width": 41, "height": 10},
        {"shape": "rect", "x": -1, "y": 0, "width": 10, "height": 10},
        {"shape": "circle", "cx": 20, "cy": 465, "r": 16},
        {"shape": "polygon", "points": [[0, 0], [10, 0], [10, 481]]},
    ],
)
def test_a_region_that_leaves_the_image_is_named(region: dict[str, Any]) -> None:
    inside = {"shape": "rect", "x": 0, "y": 0, "width": 640, "height": 480}

    assert fields_of(hot_spot(inside, region)) == ["regions.1"]


def test_a_polygon_encloses_something() -> None:
    assert fields_of(hot_spot({"shape": "polygon", "points": [[0, 0], [5, 5], [9, 9]]})) == [
        "regions.0"
    ]


def test_a_simulation_needs_a_section() -> None:
    assert "sections" in fields_of(clinical_sim(sections=()))


def test_each_section_of_a_simulation_has_a_title_a_prompt_and_two_decisions() -> None:
    third = {"title": "", "prompt": ""}
    sections = [*clinical_sim().model_dump()["sections"], third]

    assert fields_of(clinical_sim(sections=sections)) == [
        "sections.2.title",
        "sections.2.prompt",
        "sections.2",
    ]


def test_every_decision_of_a_simulation_has_points_and_one_of_its_sections() -> None:
    decisions = clinical_sim().model_dump()["options"]
    extra = [
        {"id": IDS[6], "content": "nowhere", "points": 1},
        {"id": IDS[7], "content": "beyond", "section": 2},
    ]

    assert fields_of(clinical_sim(options=[*decisions, *extra])) == [
        "options.4.section",
        "options.5.section",
        "options.5.points",
    ]


def test_a_simulation_has_a_decision_that_gains_points() -> None:
    harmless = [
        decision | {"points": min(0, decision["points"])}
        for decision in clinical_sim().model_dump()["options"]
    ]

    assert fields_of(clinical_sim(options=harmless)) == ["options"]


def test_fields_of_another_type_are_out_of_place() -> None:
    question = single_best(
        options=options(True, False, points=1, section=0),
        regions=[{"shape": "circle", "cx": 1, "cy": 1, "r": 1}],
        sections=[{"title": "a", "prompt": "b"}],
        select=1,
    )

    assert fields_of(question) == [
        "regions",
        "sections",
        "select",
        "options.0.points",
        "options.0.section",
        "options.1.points",
        "options.1.section",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"stem": "a\x00b"},
        {"unknown": 1},
        {"select": 0},
        {"options": [{"id": "not an id", "content": "x"}]},
        {"regions": [{"shape": "star"}]},
        {"regions": [{"shape": "circle", "cx": float("nan"), "cy": 0, "r": 1}]},
        {"regions": [{"shape": "polygon", "points": [[0, 0], [1, 1]]}]},
        {"media": IMAGE | {"width": 0}},
    ],
)
def test_a_content_of_the_wrong_shape_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        single_best(**fields)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"type": "SINGLE_BEST", "option_id": str(IDS[0])}, SingleBestAnswer(option_id=IDS[0])),
        ({"type": "MULTI_SELECT", "option_ids": []}, MultiSelectAnswer(option_ids=())),
        (
            {"type": "ORDERING", "option_ids": [str(IDS[1]), str(IDS[0])]},
            OrderingAnswer(option_ids=(IDS[1], IDS[0])),
        ),
        ({"type": "HOT_SPOT", "x": 1, "y": 2.5}, HotSpotAnswer(x=1.0, y=2.5)),
        (
            {"type": "CLINICAL_SIM", "option_ids": [str(IDS[0])]},
            ClinicalSimAnswer(option_ids=(IDS[0],)),
        ),
    ],
)
def test_an_answer_is_read_by_its_type_and_written_back_the_same(
    document: dict[str, Any], expected: object
) -> None:
    answer = ANSWER.validate_python(document)

    assert answer == expected
    assert json.loads(answer.model_dump_json()) == document


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "ESSAY", "text": "x"},
        {"type": "SINGLE_BEST"},
        {"type": "SINGLE_BEST", "option_id": str(IDS[0]), "is_correct": True},
        {"type": "MULTI_SELECT", "option_ids": [str(IDS[0])] * 51},
        {"type": "HOT_SPOT", "x": float("inf"), "y": 0},
        {"type": "HOT_SPOT", "x": 0, "y": float("nan")},
    ],
)
def test_an_answer_of_the_wrong_shape_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ANSWER.validate_python(document)


@pytest.mark.parametrize(
    ("document", "question"),
    [
        ({"type": "SINGLE_BEST", "option_id": IDS[0]}, single_best()),
        ({"type": "MULTI_SELECT", "option_ids": [IDS[0], IDS[1]]}, multi_select(select=2)),
        ({"type": "MULTI_SELECT", "option_ids": IDS[:4]}, multi_select()),
        ({"type": "MULTI_SELECT", "option_ids": []}, multi_select(select=2)),
        ({"type": "ORDERING", "option_ids": [IDS[2], IDS[0], IDS[1]]}, ordering()),
        ({"type": "HOT_SPOT", "x": 0, "y": 480}, hot_spot()),
        ({"type": "CLINICAL_SIM", "option_ids": [IDS[3], IDS[0]]}, clinical_sim()),
        ({"type": "CLINICAL_SIM", "option_ids": []}, clinical_sim()),
    ],
)
def test_an_answer_that_fits_passes_whether_right_or_wrong(
    document: dict[str, Any], question: QuestionContent
) -> None:
    check_answer(ANSWER.validate_python(document), question)


@pytest.mark.parametrize(
    ("document", "question", "field"),
    [
        ({"type": "SINGLE_BEST", "option_id": IDS[0]}, multi_select(), "type"),
        ({"type": "CLINICAL_SIM", "option_ids": []}, multi_select(), "type"),
        ({"type": "SINGLE_BEST", "option_id": IDS[7]}, single_best(), "option_id"),
        ({"type": "MULTI_SELECT", "option_ids": [IDS[0], IDS[7]]}, multi_select(), "option_ids"),
        ({"type": "MULTI_SELECT", "option_ids": [IDS[0], IDS[0]]}, multi_select(), "option_ids"),
        ({"type": "MULTI_SELECT", "option_ids": IDS[:3]}, multi_select(select=2), "option_ids"),
        ({"type": "ORDERING", "option_ids": []}, ordering(), "option_ids"),
        ({"type": "ORDERING", "option_ids": IDS[:2]}, ordering(), "option_ids"),
        ({"type": "ORDERING", "option_ids": [*IDS[:3], IDS[0]]}, ordering(), "option_ids"),
        ({"type": "ORDERING", "option_ids": [IDS[0], IDS[1], IDS[7]]}, ordering(), "option_ids"),
        ({"type": "HOT_SPOT", "x": 640.5, "y": 1}, hot_spot(), "x"),
        ({"type": "HOT_SPOT", "x": 1, "y": -0.5}, hot_spot(), "y"),
        ({"type": "CLINICAL_SIM", "option_ids": [IDS[7]]}, clinical_sim(), "option_ids"),
        ({"type": "CLINICAL_SIM", "option_ids": [IDS[1]] * 2}, clinical_sim(), "option_ids"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_by_field(
    document: dict[str, Any], question: QuestionContent, field: str
) -> None:
    with pytest.raises(AnswerMismatch) as refusal:
        check_answer(ANSWER.validate_python(document), question)

    assert refusal.value.field == field
    assert refusal.value.message


def test_a_mismatch_is_a_value_error_that_answers_422_with_its_field() -> None:
    mismatch = AnswerMismatch("option_ids", "An option is named twice.")

    assert isinstance(mismatch, ValueError)
    assert isinstance(mismatch, AppError)
    assert mismatch.status == 422
    assert [error.field for error in mismatch.errors] == ["option_ids"]


@given(st.permutations(IDS[:3]))
def test_any_permutation_of_the_steps_is_an_order(order: list[UUID]) -> None:
    check_answer(OrderingAnswer(option_ids=tuple(order)), ordering())


@given(x=st.floats(allow_nan=False), y=st.floats(allow_nan=False))
def test_a_point_fits_exactly_if_the_image_holds_it(x: float, y: float) -> None:
    answer = HotSpotAnswer.model_construct(x=x, y=y)
    inside = 0 <= x <= 640 and 0 <= y <= 480

    try:
        check_answer(answer, hot_spot())
    except AnswerMismatch:
        assert not inside
    else:
        assert inside
