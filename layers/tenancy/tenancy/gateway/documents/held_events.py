"""Documents of held events, for the operator."""

from typing import TypedDict


class ReleasedAnswer(TypedDict):
    """The events that were released, and those that wait until they are due."""

    released: int
    waiting: int


class HeldAnswer(TypedDict):
    """The held events by reason."""

    count: int
    reasons: dict[str, int]
