"""Checks that compare members of a query with each other.

A route makes them after each member is valid by itself. If a member is at fault, the route does not run. Then the late
checks of the other members run here, so that one answer has all faults.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tenancy.errors import QUERY, FieldError, InvalidError
from tenancy.rules.json_members import locate


class LateCheck(NamedTuple):
    """A check that needs the *members* of a query.

    *check* takes the query and the time, and raises `InvalidError`.
    """

    members: tuple[str, ...]
    check: Callable[[Any, datetime], object]


class QueryMembers(BaseModel):
    """The members of a query, with the checks that compare some of them."""

    model_config = ConfigDict(frozen=True)

    LATE_CHECKS: ClassVar[tuple[LateCheck, ...]] = ()

    @classmethod
    def find_valid(cls, values: Mapping[str, Sequence[str]], at_fault: Collection[str]) -> Self | None:
        """Return the query without the locations *at_fault*, or None if it is not valid either."""
        valid = {name: found[-1] for name, found in values.items() if locate(QUERY, name) not in at_fault}
        try:
            return cls.model_validate(valid)
        except ValidationError:
            return None

    def list_late_errors(self, at_fault: Collection[str], now: datetime) -> list[FieldError]:
        """Return the errors of checks whose members are not *at_fault*."""
        errors: list[FieldError] = []
        for late in self.LATE_CHECKS:
            if at_fault and any(locate(QUERY, name) in at_fault for name in late.members):
                continue
            try:
                late.check(self, now)
            except InvalidError as refusal:
                errors += refusal.errors
        return errors
