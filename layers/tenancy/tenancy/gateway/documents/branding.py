"""Documents of the branding of an organization."""

from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tenancy.gateway.parameters import Matching
from tenancy.rules.branding.branding import COLOR_NAMES, Branding, BrandingChange, ImageSlot
from tenancy.rules.branding.colors import contrast_of, parse_color
from tenancy.rules.branding.css_variables import VALUE_MAX_CHARACTERS, parse_fonts, parse_length
from tenancy.rules.branding.image_urls import image_url
from tenancy.rules.branding.sender import (
    SENDER_ADDRESS_MAX_CHARACTERS,
    SENDER_NAME_MAX_CHARACTERS,
    SenderState,
    parse_sender_name,
)
from tenancy.rules.sso.discovery import is_https_url
from tenancy.rules.tenant_urls import URL_MAX_CHARACTERS
from tenancy.use_cases.branding.change_branding import StoredBranding

IMAGE_URL_TEXT: Final = "Expected the https URL of a PNG, JPEG or WebP image, without user and fragment."
SENDER_MEMBERS: Final = ("sender_name", "sender_address")


def _parse_image_url(text: str) -> str:
    if not is_https_url(text, max_characters=URL_MAX_CHARACTERS):
        raise ValueError(IMAGE_URL_TEXT)
    return text


def _parse_sender_address(text: str) -> str:
    # Most requests do not need email_validator, which takes long to import.
    from tenancy.rules.people.addresses import parse_address  # noqa: PLC0415

    return parse_address(text)


ImageUrl = Annotated[str, Field(max_length=URL_MAX_CHARACTERS), AfterValidator(_parse_image_url)]
Color = Annotated[str, Field(max_length=VALUE_MAX_CHARACTERS), AfterValidator(parse_color)]
Length = Annotated[str, Field(max_length=VALUE_MAX_CHARACTERS), AfterValidator(parse_length)]
Fonts = Annotated[str, Field(max_length=VALUE_MAX_CHARACTERS), AfterValidator(parse_fonts)]
SenderName = Annotated[
    str,
    AfterValidator(parse_sender_name),
    Field(json_schema_extra={"minLength": 1, "maxLength": SENDER_NAME_MAX_CHARACTERS}),
]
SenderAddress = Annotated[
    str,
    Field(max_length=SENDER_ADDRESS_MAX_CHARACTERS, json_schema_extra={"format": "email"}),
    AfterValidator(_parse_sender_address),
]
ImageDigest = Annotated[str, Matching("[0-9a-f]{64}", "Expected the digest in the URL of an image, 64 digits.")]


class CssVariables(BaseModel):
    """New values of CSS variables. Null removes one. A missing one keeps its value."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=lambda name: f"--{name.replace('_', '-')}", validate_by_alias=True
    )

    font_family: Fonts | None = None
    heading_font_family: Fonts | None = None
    font_size: Length | None = None
    border_radius: Length | None = None
    border_width: Length | None = None
    spacing: Length | None = None
    background_color: Color | None = None
    surface_color: Color | None = None
    text_color: Color | None = None
    muted_text_color: Color | None = None
    link_color: Color | None = None
    border_color: Color | None = None

    def changes(self) -> dict[str, str | None]:
        """Return the sent variables by their names in CSS."""
        return self.model_dump(by_alias=True, exclude_unset=True)


CSS_VARIABLES: Final = tuple(str(field.alias) for field in CssVariables.model_fields.values())


class BrandingChanges(BaseModel):
    """The body of PUT /v1/branding. Null removes a value. A missing member keeps its value."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"minProperties": 1})

    logo_url: ImageUrl | None = None
    favicon_url: ImageUrl | None = None
    primary_color: Color | None = None
    secondary_color: Color | None = None
    accent_color: Color | None = None
    css_variables: CssVariables | None = None
    sender_name: SenderName | None = None
    sender_address: SenderAddress | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "BrandingChanges":
        if not self.model_fields_set:
            raise ValueError(f"Expected at least one of {', '.join(type(self).model_fields)}.")
        return self

    def change(self) -> BrandingChange:
        """Return the change that the body describes."""
        sent = self.model_fields_set
        variables: dict[str, str | None] = {}
        if "css_variables" in sent:
            variables = dict.fromkeys(CSS_VARIABLES) if self.css_variables is None else self.css_variables.changes()
        return BrandingChange(
            texts={name: getattr(self, name) for name in (*COLOR_NAMES, *SENDER_MEMBERS) if name in sent},
            css_variables=variables,
            image_urls={slot: getattr(self, f"{slot}_url") for slot in ImageSlot if f"{slot}_url" in sent},
        )


class BrandingAnswer(TypedDict):
    """The branding that a page shows. Images are on the platform's host. Colors that are not set are the platform's."""

    logo_url: str | None
    favicon_url: str | None
    primary_color: str
    secondary_color: str
    accent_color: str
    css_variables: dict[str, str]


class ContrastAnswer(TypedDict):
    """The contrast of *color* with white and with black (WCAG 2.2), from 1 to 21.

    *text_color* is the easier one of both to read on the color. It has at least 4.5, as text needs. *warning* is a
    sentence if the contrast with white is below 3, as edges and icons need, else null.
    """

    color: str
    white: float
    black: float
    text_color: str
    warning: str | None


class StoredBrandingAnswer(TypedDict):
    """A branding as it is stored. It is shown while it is *included* in the entitlements.

    *contrast* is by the names of the colors, also of those that are not set.
    """

    included: bool
    logo_url: str | None
    favicon_url: str | None
    primary_color: str | None
    secondary_color: str | None
    accent_color: str | None
    css_variables: dict[str, str]
    sender_name: str | None
    sender_address: str | None
    sender_state: SenderState
    contrast: dict[str, ContrastAnswer]


def branding_document(branding: Branding, organization_id: UUID, *, api_url: str) -> dict[str, Any]:
    """Return the branding that a page shows. That of the platform is the same for all."""
    return {
        **_image_urls(branding, organization_id, api_url),
        **branding.shown_colors,
        "css_variables": _variables(branding),
    }


def branding_text(branding: Branding, organization_id: UUID, *, api_url: str) -> str:
    """Return that document as JSON, equal for equal brandings."""
    return msgspec.json.encode(branding_document(branding, organization_id, api_url=api_url)).decode()


def stored_document(stored: StoredBranding, organization_id: UUID, *, api_url: str) -> dict[str, Any]:
    """Return a branding for administrators."""
    branding = stored.branding
    return {
        "included": stored.is_included,
        **_image_urls(branding, organization_id, api_url),
        **branding.colors,
        "css_variables": _variables(branding),
        "sender_name": branding.sender_name,
        "sender_address": branding.sender_address,
        "sender_state": stored.sender_state.value,
        "contrast": {name: _contrast_document(color) for name, color in branding.shown_colors.items()},
    }


def _image_urls(branding: Branding, organization_id: UUID, api_url: str) -> dict[str, str | None]:
    digests = {slot: branding.images.get(slot) for slot in ImageSlot}
    return {
        f"{slot}_url": None if digest is None else image_url(api_url, organization_id, digest)
        for slot, digest in digests.items()
    }


def _variables(branding: Branding) -> dict[str, str]:
    """Return the variables in the order of their list, and none that this release does not know."""
    return {name: branding.css_variables[name] for name in CSS_VARIABLES if name in branding.css_variables}


def _contrast_document(color: str) -> dict[str, Any]:
    contrast = contrast_of(color)
    return {
        "color": color,
        "white": contrast.white,
        "black": contrast.black,
        "text_color": contrast.text_color,
        "warning": contrast.warning,
    }
