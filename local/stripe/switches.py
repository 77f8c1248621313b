"""What goes wrong on purpose, and the settings that Stripe's dashboard would have."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

AFTER_LAST_RETRY = ("cancel", "unpaid", "past_due")


@dataclass
class Switches:
    """All of it can be changed while the stand-in runs."""

    copies: int = 1
    """How often each event is delivered to an endpoint, although it was taken the first time."""
    delay_seconds: float = 0.0
    """How long deliveries wait."""
    shuffle_seconds: float = 0.0
    """Deliveries wait a random time up to this, so that they come in another order."""
    drop_types: list[str] = field(default_factory=list)
    """Events of these types are never delivered ("*": none is); the API still lists them."""
    hold: bool = False
    """Nothing is delivered until this is off again."""
    after_last_retry: str = "cancel"
    """What a subscription becomes when the last retry of its payment failed."""
    retry_days: list[int] = field(default_factory=lambda: [3, 5, 7])
    """Days from a failed attempt at a renewal to the next one."""
    draft_seconds: int = 3_600
    """How long a renewal's invoice stays a draft."""
    clock_per_customer: bool = False
    """Customers who are made without a test clock get one of their own."""
    api_failures: int = 0
    """So many of the next API requests are answered with 500 and do nothing."""
    api_lost_answers: int = 0
    """So many of the next API writes are done, and answered with 500 all the same."""

    def set(self, changes: dict[str, Any]) -> None:
        """Change some. Raises ValueError when a name or a value is not one, and changes nothing."""
        kinds = {each.name: type(getattr(self, each.name)) for each in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"no switch is called {name}: {', '.join(kinds)}")
            fits = (
                isinstance(value, int | float)
                if kinds[name] is float
                else (type(value) is kinds[name])
            )
            if not fits:
                raise ValueError(f"{name} takes a {kinds[name].__name__}")
        if changes.get("after_last_retry", "cancel") not in AFTER_LAST_RETRY:
            raise ValueError(f"after_last_retry is one of {', '.join(AFTER_LAST_RETRY)}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
