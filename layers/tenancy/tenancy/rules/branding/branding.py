"""The branding of an organization, and that of the platform for all others."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

BRANDING_CHANGED: Final = "branding.changed"
COLOR_NAMES: Final = ("primary_color", "secondary_color", "accent_color")
DEFAULT_COLORS: Final[Mapping[str, str]] = MappingProxyType(
    {"primary_color": "#1e3a8a", "secondary_color": "#475569", "accent_color": "#1d4ed8"}
)
NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})


class ImageSlot(StrEnum):
    """The place of an image. An organization has at most one image for each."""

    LOGO = "logo"
    FAVICON = "favicon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """The branding as it is stored. None is not set.

    *images* has the SHA-256 of each image, in hexadecimal digits.
    """

    images: Mapping[ImageSlot, str] = field(default_factory=dict)
    primary_color: str | None = None
    secondary_color: str | None = None
    accent_color: str | None = None
    css_variables: Mapping[str, str] = NO_VARIABLES
    sender_name: str | None = None
    sender_address: str | None = None

    @property
    def colors(self) -> Mapping[str, str | None]:
        """The colors as they are stored, by name."""
        return {name: getattr(self, name) for name in COLOR_NAMES}

    @property
    def shown_colors(self) -> Mapping[str, str]:
        """The colors, with those of the platform for colors that are not set."""
        return {name: color or DEFAULT_COLORS[name] for name, color in self.colors.items()}

    def list_changes(self, other: "Branding") -> list[str]:
        """Return the names of the members that differ in *other*, as the API names them."""
        images = [f"{slot}_url" for slot in ImageSlot if self.images.get(slot) != other.images.get(slot)]
        names = (*COLOR_NAMES, "css_variables", "sender_name", "sender_address")
        return [*images, *(name for name in names if getattr(self, name) != getattr(other, name))]


PLATFORM_BRANDING: Final = Branding()


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandingChange:
    """New values of members, by name. None removes a value.

    *texts* are the colors and the sender. *image_urls* are URLs of the tenant.
    """

    texts: Mapping[str, str | None]
    css_variables: Mapping[str, str | None]
    image_urls: Mapping[ImageSlot, str | None]

    def apply_to(self, branding: Branding, images: Mapping[ImageSlot, str | None]) -> Branding:
        """Return *branding* after this change. *images* has the digests of the changed images."""
        variables = {**branding.css_variables, **self.css_variables}
        return replace(
            branding,
            images={slot: digest for slot, digest in {**branding.images, **images}.items() if digest is not None},
            css_variables={name: value for name, value in variables.items() if value is not None},
            **self.texts,
        )
