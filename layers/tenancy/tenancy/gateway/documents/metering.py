"""Metering as clients speak of it: what they report and set aside, and what is left."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from tenancy.errors import FieldError, InvalidError
from tenancy.gateway.times import format_time
from tenancy.rules.durations import MAX_RESERVATION_SECONDS
from tenancy.rules.quotas import Allowance, Metric
from tenancy.use_cases.usage.meter import ReservedUsage

MAX_AMOUNT: Final = 10**15


class UsageBody(BaseModel):
    """The body of POST /v1/usage/{metric}."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[StrictInt, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]

    def amount_of(self, metric: Metric) -> int:
        """Return the amount; only what is stored can become less.

        Raises:
            InvalidError: less than one of what is counted.
        """
        if metric is not Metric.STORAGE_BYTES and self.amount < 1:
            message = "At least one is reported."
            raise InvalidError(
                message, errors=[FieldError(location="body/amount", code="greater_than_equal", message=message)]
            )
        return self.amount


class ReservationBody(BaseModel):
    """The body of POST /v1/usage/{metric}/reservations."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[StrictInt, Field(ge=1, le=MAX_AMOUNT)]
    ttl_seconds: Annotated[StrictInt, Field(ge=1, le=MAX_RESERVATION_SECONDS)]


class CommitBody(BaseModel):
    """The body of a commit; without an amount all that was set aside is used."""

    model_config = ConfigDict(frozen=True)

    amount: Annotated[StrictInt | None, Field(ge=0, le=MAX_AMOUNT)] = None


def allowance_document(allowance: Allowance) -> dict[str, Any]:
    """Return what is used and left."""
    return {"used": allowance.used, "limit": allowance.limit, "remaining": allowance.remaining}


def reserved_document(reserved: ReservedUsage) -> dict[str, Any]:
    """Return a reservation, and what is left beside it and all others."""
    return {
        "id": str(reserved.id),
        "metric": reserved.metric.value,
        "amount": reserved.amount,
        "expires_at": format_time(reserved.expires_at),
        "limit": reserved.allowance.limit,
        "remaining": reserved.allowance.remaining,
    }
