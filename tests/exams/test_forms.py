"""Forms come back the same from a session's id, and give nothing away before submission."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from studypack.exams.forms import sequence
from studypack.questions.answers import QuestionContent, QuestionType
from studypack.questions.forms import draw_key, present, reveal, shuffled

SESSION = UUID("01980f3e-6c00-7abc-8def-0123456789ab")
IDS = [UUID(int=index * 7919, version=4) for index in range(1, 31)]

session_ids = st.uuids()


@dataclass(frozen=True)
class Drawn:
    question_id: UUID
    topic_id: UUID


def scalars(value: object) -> list[object]:
    """Every leaf of a dumped document."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in scalars(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in scalars(item)]
    return [value]


def canary(type_: QuestionType, ids: list[UUID]) -> QuestionContent:
    """A content with something recognisable in every field that must stay secret."""
    sections = 2 if type_ is QuestionType.CLINICAL_SIM else 0
    document: dict[str, Any] = {
        "type": type_,
        "stem": "stem",
        "rationale": "CANARY rationale",
        "media": {"key": "media/hand.svg", "alt": "A hand", "width": 640, "height": 480},
        "options": [
            {
                "id": id_,
                "content": f"content {index}",
                "is_correct": index % 2 == 0,
                "sort_order": 20_000 + index,
                "points": 83,
                "feedback": f"CANARY feedback {index}",
                "section": index % sections if sections else None,
            }
            for index, id_ in enumerate(ids)
        ],
        "regions": [
            {"shape": "circle", "cx": 311.25, "cy": 312.25, "r": 13.25},
            {"shape": "rect", "x": 311.25, "y": 312.25, "width": 13.25, "height": 13.25},
            {"shape": "polygon", "points": [[311.25, 0], [312.25, 0], [313.25, 13.25]]},
        ],
        "sections": [
            {"title": f"section {index}", "prompt": "prompt"} for index in range(sections)
        ],
    }
    return QuestionContent.model_validate(document)


def question(type_: QuestionType, count: int, **fields: object) -> QuestionContent:
    options = [
        {"id": id_, "content": f"content {index}", "is_correct": index == 1, "sort_order": index}
        for index, id_ in enumerate(IDS[:count])
    ]
    document = {"type": type_, "stem": "stem", "rationale": "because", "options": options}
    return QuestionContent.model_validate(document | fields)


def test_the_draw_key_is_the_digest_that_postgresql_computes() -> None:
    # SELECT encode(sha256(convert_to(session_id::text || ':' || question_id::text, 'UTF8')), 'hex')
    question_id = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")

    assert (
        draw_key(SESSION, question_id)
        == "350e21d34c4d14dbd0a4dd519fbf81c5eb614a35fda3a29da3f198a266171917"
    )


@given(session_id=session_ids, seed=st.integers())
def test_an_order_depends_on_the_items_and_not_on_how_they_come(
    session_id: UUID, seed: int
) -> None:
    items = list(range(20))
    mixed = random.Random(seed).sample(items, len(items))  # noqa: S311 (not for secrets)

    assert shuffled(session_id, "salt", mixed) == shuffled(session_id, "salt", items)
    assert sorted(shuffled(session_id, "salt", items)) == items


def test_sessions_and_salts_shuffle_differently() -> None:
    items = list(range(20))

    orders = {
        tuple(shuffled(session_id, salt, items))
        for session_id in (SESSION, IDS[0])
        for salt in ("a", "b")
    }

    assert len(orders) == 4


def test_every_place_is_about_equally_likely() -> None:
    firsts = [shuffled(UUID(int=index), "salt", "abcd")[0] for index in range(4000)]

    # Binomial(4000, 1/4): five standard deviations are 137.
    assert all(abs(firsts.count(letter) - 1000) < 137 for letter in "abcd")


@given(session_id=session_ids, topics=st.lists(st.sampled_from(IDS[20:24]), max_size=20))
def test_a_form_by_topic_keeps_topics_together_in_the_blueprints_order(
    session_id: UUID, topics: list[UUID]
) -> None:
    drawn = [Drawn(id_, topic) for id_, topic in zip(IDS, topics, strict=False)]
    blueprint = [IDS[22], IDS[20], IDS[21]]

    form = sequence(drawn, session_id, "by_topic", topic_order=blueprint)

    ranks = [[*blueprint, IDS[23]].index(item.topic_id) for item in form]
    assert ranks == sorted(ranks)
    assert sorted(form, key=lambda item: item.question_id) == sorted(
        drawn, key=lambda item: item.question_id
    )
    reordered = sequence(reversed(drawn), session_id, "by_topic", topic_order=blueprint)
    assert form == reordered


def test_a_shuffled_form_mixes_the_topics() -> None:
    drawn = [Drawn(id_, IDS[index // 10]) for index, id_ in enumerate(IDS[:20])]

    form = sequence(drawn, SESSION, "shuffled", topic_order=IDS[:2])

    topics = [item.topic_id for item in form]
    assert topics not in ([*IDS[:1] * 10, *IDS[1:2] * 10], [*IDS[1:2] * 10, *IDS[:1] * 10])
    assert set(form) == set(drawn)


@pytest.mark.parametrize("type_", list(QuestionType))
@given(
    session_id=session_ids,
    ids=st.lists(st.uuids(version=4), min_size=4, max_size=10, unique=True),
    position=st.integers(1, 400),
    shuffle=st.booleans(),
)
def test_a_public_item_holds_no_secret(
    type_: QuestionType, session_id: UUID, ids: list[UUID], position: int, shuffle: bool
) -> None:
    public = present(canary(type_, ids), session_id, position, shuffle)

    leaves = scalars(public.model_dump(mode="json"))
    assert "CANARY" not in public.model_dump_json()
    assert not any(isinstance(leaf, bool | float) for leaf in leaves)
    numbers = {leaf for leaf in leaves if isinstance(leaf, int)}
    assert numbers <= {position, 640, 480}


@pytest.mark.parametrize("type_", list(QuestionType))
def test_the_fields_of_a_public_item_are_these_and_no_others(type_: QuestionType) -> None:
    public = present(canary(type_, IDS[:4]), SESSION, 1, True).model_dump()

    assert set(public) == {"position", "type", "stem", "media", "select", "options", "sections"}
    options = [*public["options"], *(o for s in public["sections"] for o in s["options"])]
    assert len(options) == 4
    assert all(set(option) == {"id", "label", "content"} for option in options)
    assert all(set(section) == {"title", "prompt", "options"} for section in public["sections"])
    assert set(public["media"]) == {"kind", "key", "alt", "width", "height"}


@pytest.mark.parametrize("type_", list(QuestionType))
@given(session_id=session_ids, shuffle=st.booleans())
def test_the_review_shows_the_item_as_it_was_shown(
    type_: QuestionType, session_id: UUID, shuffle: bool
) -> None:
    content = canary(type_, IDS[:7])

    public = present(content, session_id, 3, shuffle).model_dump()
    revealed = reveal(content, session_id, 3, shuffle).model_dump()

    assert covers(revealed, public)


def covers(larger: object, smaller: object) -> bool:
    """Whether the one document has all that the other has, at the same places."""
    if isinstance(larger, dict) and isinstance(smaller, dict):
        return all(key in larger and covers(larger[key], smaller[key]) for key in smaller)
    if isinstance(larger, tuple) and isinstance(smaller, tuple):
        return len(larger) == len(smaller) and all(map(covers, larger, smaller))
    return larger == smaller


def test_the_review_has_the_key_the_rationale_and_what_each_option_was_worth() -> None:
    revealed = reveal(canary(QuestionType.SINGLE_BEST, IDS[:4]), SESSION, 1, True)

    assert revealed.rationale == "CANARY rationale"
    assert len(revealed.regions) == 3
    assert {option.id: option.is_correct for option in revealed.options} == {
        IDS[0]: True,
        IDS[1]: False,
        IDS[2]: True,
        IDS[3]: False,
    }
    assert all(option.feedback and option.points == 83 for option in revealed.options)


def test_the_key_of_a_choice_is_its_right_options() -> None:
    assert reveal(question(QuestionType.SINGLE_BEST, 4), SESSION, 1, True).key == (IDS[1],)


def test_the_key_of_an_ordering_is_the_right_order() -> None:
    assert reveal(question(QuestionType.ORDERING, 5), SESSION, 1, True).key == tuple(IDS[:5])


def test_the_key_of_a_simulation_is_the_decisions_that_gain_points() -> None:
    content = question(
        QuestionType.CLINICAL_SIM,
        0,
        sections=[{"title": "Evaluate", "prompt": "First?"}],
        options=[
            {"id": id_, "content": "x", "points": points, "section": 0, "sort_order": index}
            for index, (id_, points) in enumerate(zip(IDS, (1, 0, -1, 2), strict=False))
        ],
    )

    assert set(reveal(content, SESSION, 1, True).key) == {IDS[0], IDS[3]}


def test_options_keep_their_authors_order_unless_shuffled() -> None:
    content = question(QuestionType.SINGLE_BEST, 5)
    backwards = content.model_copy(update={"options": content.options[::-1]})

    assert [option.id for option in present(backwards, SESSION, 1, False).options] == IDS[:5]


@given(session_id=session_ids, position=st.integers(1, 400))
def test_the_order_of_the_stored_options_does_not_matter(session_id: UUID, position: int) -> None:
    content = question(QuestionType.MULTI_SELECT, 6)
    backwards = content.model_copy(update={"options": content.options[::-1]})

    assert present(backwards, session_id, position, True) == present(
        content, session_id, position, True
    )


def test_shuffling_moves_the_key_about() -> None:
    content = question(QuestionType.SINGLE_BEST, 4)
    places = [
        next(
            option.label
            for option in present(content, UUID(int=index), 1, True).options
            if option.id == IDS[1]
        )
        for index in range(400)
    ]

    assert all(60 < places.count(label) < 140 for label in "ABCD")


@given(session_id=session_ids, count=st.integers(3, 8), shuffle=st.booleans())
def test_steps_never_come_in_the_right_order(session_id: UUID, count: int, shuffle: bool) -> None:
    public = present(question(QuestionType.ORDERING, count), session_id, 1, shuffle)

    assert [option.id for option in public.options] != IDS[:count]
    assert {option.id for option in public.options} == set(IDS[:count])


def test_three_steps_come_in_each_wrong_order_about_as_often() -> None:
    content = question(QuestionType.ORDERING, 3)
    orders = [
        "".join(option.content[-1] for option in present(content, UUID(int=i), 1, False).options)
        for i in range(1000)
    ]

    assert set(orders) == {"021", "102", "120", "201", "210"}
    # Binomial(1000, 1/5): five standard deviations are 63.
    assert all(abs(orders.count(order) - 200) < 63 for order in set(orders))


def test_two_steps_come_in_either_order_lest_the_display_tell_the_answer() -> None:
    content = question(QuestionType.ORDERING, 2)
    firsts = {present(content, UUID(int=i), 1, False).options[0].id for i in range(50)}

    assert firsts == set(IDS[:2])


def test_labels_follow_the_displayed_places_and_go_on_after_z() -> None:
    labels = [
        o.label for o in present(question(QuestionType.SINGLE_BEST, 28), SESSION, 1, True).options
    ]

    assert labels[:3] == ["A", "B", "C"]
    assert labels[25:] == ["Z", "AA", "AB"]


def test_decisions_stand_in_their_sections_with_letters_of_their_own() -> None:
    public = present(canary(QuestionType.CLINICAL_SIM, IDS[:7]), SESSION, 1, True)

    assert public.options == ()
    assert [section.title for section in public.sections] == ["section 0", "section 1"]
    assert [{option.id for option in section.options} for section in public.sections] == [
        {IDS[0], IDS[2], IDS[4], IDS[6]},
        {IDS[1], IDS[3], IDS[5]},
    ]
    assert [[option.label for option in section.options] for section in public.sections] == [
        ["A", "B", "C", "D"],
        ["A", "B", "C"],
    ]


def test_a_hot_spot_shows_its_image_and_nothing_of_its_regions() -> None:
    public: BaseModel = present(
        question(
            QuestionType.HOT_SPOT,
            0,
            media={"key": "k", "alt": "A hand", "width": 640, "height": 480},
            regions=[{"shape": "circle", "cx": 5, "cy": 6, "r": 7}],
        ),
        SESSION,
        1,
        True,
    )

    assert public.model_dump(mode="json") == {
        "position": 1,
        "type": "HOT_SPOT",
        "stem": "stem",
        "media": {"kind": "image", "key": "k", "alt": "A hand", "width": 640, "height": 480},
        "select": None,
        "options": [],
        "sections": [],
    }
