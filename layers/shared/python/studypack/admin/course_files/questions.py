"""A question of the bank as its author would write it."""

from __future__ import annotations

from typing import Any

from studypack.admin.course_files.types import (
    ChoiceFile,
    DecisionFile,
    ImageFile,
    QuestionFile,
    SectionFile,
)
from studypack.questions.answers import Media, Option, QuestionContent, QuestionType
from studypack.questions.models import Question


def question_file(question: Question, topic: str, document: dict[str, Any]) -> QuestionFile:
    """The entry of a file that is imported as this question. `document`: its current version."""
    content = QuestionContent.model_validate(document)
    options = sorted(content.options, key=lambda option: option.sort_order)
    is_choice = content.type in {QuestionType.SINGLE_BEST, QuestionType.MULTI_SELECT}
    return QuestionFile.model_validate(
        {
            "id": question.source_id,
            "type": content.type,
            "topic": topic,
            "difficulty": question.difficulty,
            "stem": content.stem,
            "rationale": content.rationale,
            "options": [_choice(option) for option in options] if is_choice else (),
            "select": content.select,
            "steps": [option.content for option in options]
            if content.type is QuestionType.ORDERING
            else (),
            "image": _image(content.media) if content.media else None,
            "regions": content.regions,
            "sections": [
                SectionFile(
                    title=section.title,
                    prompt=section.prompt,
                    decisions=tuple(
                        _decision(option) for option in options if option.section == index
                    ),
                )
                for index, section in enumerate(content.sections)
            ],
        }
    )


def _choice(option: Option) -> ChoiceFile:
    return ChoiceFile(
        text=option.content, correct=option.is_correct is True, feedback=option.feedback
    )


def _decision(option: Option) -> DecisionFile:
    return DecisionFile(text=option.content, points=option.points or 0, feedback=option.feedback)


def _image(media: Media) -> ImageFile:
    return ImageFile(
        file=media.key.rpartition("/")[2], alt=media.alt, width=media.width, height=media.height
    )
