"""The validated request of an operator to change an organization."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from tenancy.rules.organization import CHANGEABLE, OrganizationStatus
from tenancy.rules.texts import parse_name
from tenancy.rules.tiers import Tier


def _settable(status: OrganizationStatus) -> OrganizationStatus:
    if status not in CHANGEABLE:
        raise ValueError("Expected active or suspended. Use DELETE to delete an organization.")
    return status


class OrganizationChange(BaseModel):
    """A new name, tier or status, or several of them.

    A field that is None does not change.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(parse_name)] | None = None
    tier: Tier | None = None
    status: Annotated[OrganizationStatus, AfterValidator(_settable)] | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("A null is not allowed. Omit members that do not change.")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> "OrganizationChange":
        if not self.model_fields_set:
            raise ValueError("Expected at least one of name, tier and status.")
        return self
