"""What the operator says to change an organization, checked."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, field_validator, model_validator

from tenancy.rules.organization import CHANGEABLE, OrganizationStatus, parse_name
from tenancy.rules.tiers import Tier


def _settable(status: OrganizationStatus) -> OrganizationStatus:
    if status not in CHANGEABLE:
        raise ValueError("An organization is made active or suspended; it is deleted by DELETE.")
    return status


class OrganizationChange(BaseModel):
    """Another name, tier or status, or several of them; what is None stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(parse_name)] | None = None
    tier: Tier | None = None
    status: Annotated[OrganizationStatus, AfterValidator(_settable)] | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_something(cls, value: object) -> object:
        if value is None:
            raise ValueError("What stays as it is, is left out.")
        return value

    @model_validator(mode="after")
    def _changes_something(self) -> "OrganizationChange":
        if not self.model_fields_set:
            raise ValueError("A change has a name, a tier or a status.")
        return self
