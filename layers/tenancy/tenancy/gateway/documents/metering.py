"""Documents of metering: reports, reservations and allowances."""

from typing import Annotated, Any, Final, TypedDict

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from tenancy.errors import FieldError, InvalidError
from tenancy.gateway.answer_types import Time, Uuid
from tenancy.gateway.times import format_time
from tenancy.rules.durations import MAX_RESERVATION_SECONDS
from tenancy.rules.quotas import Allowance, Metric
from tenancy.use_cases.usage.meter import ReservedUsage

MAX_AMOUNT: Final = 10**15


class UsageBody(BaseModel):
    """The body of POST /v1/usage/{metric}."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[StrictInt, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]

    def amount_of(self, metric: Metric) -> int:
        """Return the amount. Only an amount of stored bytes may be negative.

        Raises:
            InvalidError: the amount is less than 1, and *metric* is not `storage_bytes`.
        """
        if metric is not Metric.STORAGE_BYTES and self.amount < 1:
            message = f"`amount` is {self.amount}. It must be at least 1 for the metric {metric.value}."
            raise InvalidError(
                message, errors=[FieldError(location="body/amount", code="out_of_range", message=message)]
            )
        return self.amount


class ReservationBody(BaseModel):
    """The body of POST /v1/usage/{metric}/reservations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[StrictInt, Field(ge=1, le=MAX_AMOUNT)]
    ttl_seconds: Annotated[StrictInt, Field(ge=1, le=MAX_RESERVATION_SECONDS)]


class CommitBody(BaseModel):
    """The body of a commit. Without an amount the whole reservation is committed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[StrictInt, Field(ge=0, le=MAX_AMOUNT)] | None = None


class AllowanceAnswer(TypedDict):
    """The used, allowed and remaining amounts. null is unlimited."""

    used: int
    limit: int | None
    remaining: int | None


class ReservationAnswer(TypedDict):
    """A reservation, and the amount that remains beside all reservations."""

    id: Uuid
    metric: Metric
    amount: int
    expires_at: Time
    limit: int | None
    remaining: int | None


def allowance_document(allowance: Allowance) -> dict[str, Any]:
    """Return the used, allowed and remaining amounts."""
    return {"used": allowance.used, "limit": allowance.limit, "remaining": allowance.remaining}


def reserved_document(reserved: ReservedUsage) -> dict[str, Any]:
    """Return a reservation, and the amount that remains beside all reservations."""
    return {
        "id": str(reserved.id),
        "metric": reserved.metric.value,
        "amount": reserved.amount,
        "expires_at": format_time(reserved.expires_at),
        "limit": reserved.allowance.limit,
        "remaining": reserved.allowance.remaining,
    }
