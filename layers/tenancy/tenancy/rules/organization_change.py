"""The validated request of an operator to change an organization."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tenancy.rules.body_members import Name
from tenancy.rules.entitlements import (
    BOUNDS,
    FLAG_NAMES,
    UNLIMITED_OVERRIDE,
    Overrides,
    OverrideValue,
    change_overrides,
)
from tenancy.rules.organization import CHANGEABLE, Organization, OrganizationStatus
from tenancy.rules.partial_change import PartialChange
from tenancy.rules.tiers import Tier

# Not a `type` statement: pydantic would add its schema to that of the model, beside the validator.
Override = bool | int | str | None


def _settable(status: OrganizationStatus) -> OrganizationStatus:
    if status not in CHANGEABLE:
        raise ValueError("Expected active or suspended. Use DELETE to delete an organization.")
    return status


def _document_overrides(schema: dict[str, Any]) -> None:
    """Add to the JSON schema of `OverrideChanges` the bounds that its validator checks."""
    numbers = {
        name: {
            "anyOf": [
                {"type": "integer", "minimum": bounds.least, "maximum": bounds.most},
                *([{"type": "string", "const": UNLIMITED_OVERRIDE}] if bounds.may_be_lifted else []),
                {"type": "null"},
            ]
        }
        for name, bounds in BOUNDS.items()
    }
    flag = {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    schema["properties"] = {**numbers, **dict.fromkeys(FLAG_NAMES, flag)}
    schema["minProperties"] = 1


Settable = Annotated[
    OrganizationStatus,
    AfterValidator(_settable),
    WithJsonSchema({"type": "string", "enum": sorted(CHANGEABLE)}),
]


class OverrideChanges(BaseModel):
    """New overrides of entitlements.

    null removes an override. A missing member keeps its override. The members are `ENTITLEMENT_NAMES`. Their bounds are
    in `BOUNDS`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_document_overrides)

    events_per_month: Override = None
    api_requests_per_minute: Override = None
    ingest_requests_per_minute: Override = None
    storage_gb: Override = None
    users: Override = None
    apps: Override = None
    data_retention_days: Override = None
    audit_retention_days: Override = None
    ml_predictions_per_month: Override = None
    custom_models: Override = None
    white_label: Override = None
    sso: Override = None

    @field_validator("*", mode="plain")
    @classmethod
    def _is_allowed(cls, value: object, field: ValidationInfo) -> OverrideValue | None:
        return None if value is None else _parse_override(str(field.field_name), value)

    @model_validator(mode="after")
    def _changes_something(self) -> "OverrideChanges":
        if not self.model_fields_set:
            raise ValueError("Expected at least one override.")
        return self

    def apply_to(self, overrides: Overrides) -> Overrides:
        """Return *overrides* after this change."""
        changes: Mapping[str, OverrideValue | None] = {name: getattr(self, name) for name in self.model_fields_set}
        return change_overrides(overrides, changes)


def _parse_override(name: str, value: object) -> OverrideValue:
    bounds = BOUNDS.get(name)
    if bounds is None:
        if not isinstance(value, bool):
            raise PydanticCustomError("invalid_type", "Expected true, false or null.")
        return value
    if bounds.may_be_lifted and value == UNLIMITED_OVERRIDE:
        return UNLIMITED_OVERRIDE
    limits = {
        "least": bounds.least,
        "most": bounds.most,
        "or_unlimited": ', "unlimited"' if bounds.may_be_lifted else "",
    }
    if type(value) is not int:
        expected = "Expected a whole number from {least} to {most}{or_unlimited} or null."
        raise PydanticCustomError("invalid_type", expected, limits)
    if not bounds.least <= value <= bounds.most:
        raise PydanticCustomError(
            "out_of_range", "Expected a whole number from {least} to {most}{or_unlimited}.", limits
        )
    return value


class OrganizationChange(PartialChange):
    """A new name, tier or status, new overrides, or several of them.

    A field that is None does not change.
    """

    name: Name | None = None
    tier: Tier | None = None
    status: Settable | None = None
    overrides: OverrideChanges | None = None

    @property
    def changes_entitlements(self) -> bool:
        """Whether the change may give the organization other entitlements."""
        return self.tier is not None or self.overrides is not None

    def apply_to(self, organization: Organization) -> Organization:
        """Return *organization* after this change."""
        overrides = organization.overrides
        return replace(
            organization,
            name=self.name or organization.name,
            tier=self.tier or organization.tier,
            status=self.status or organization.status,
            overrides=self.overrides.apply_to(overrides) if self.overrides is not None else overrides,
        )
