"""What a template says about scoring, frozen into each session when it starts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studypack.exams.irt import Scale


class Scoring(BaseModel):
    """RAW: the percent that passes (None: no pass mark). SCALED: the reporting scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pass_percent: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    scale_minimum: int | None = None
    scale_maximum: int | None = None
    pass_score: int | None = None
    pass_theta: float | None = None

    @model_validator(mode="after")
    def _scale_is_whole(self) -> Scoring:
        given = [v is not None for v in (self.scale_minimum, self.scale_maximum, self.pass_score)]
        if any(given) and not all(given):
            raise ValueError("a scale needs minimum, maximum and pass_score")
        if all(given):
            _ = self.scale
        return self

    @property
    def scale(self) -> Scale | None:
        """The reporting scale, if there is one."""
        if self.scale_minimum is None or self.scale_maximum is None or self.pass_score is None:
            return None
        return Scale(
            self.scale_minimum, self.scale_maximum, self.pass_score, self.pass_theta or 0.0
        )
