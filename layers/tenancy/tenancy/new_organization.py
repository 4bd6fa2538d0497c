"""What the operator says to provision an organization, checked."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, EmailStr, Field, SecretStr, StringConstraints, field_validator

from tenancy.organization import NAME_MAX_CHARACTERS, is_subdomain
from tenancy.tiers import Tier

PASSWORD_MIN_CHARACTERS: Final = 12
PASSWORD_MAX_CHARACTERS: Final = 256


class NewOrganization(BaseModel):
    """An organization to be. The subdomain is brought to lower case; the password is never shown or logged."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_MAX_CHARACTERS)]
    subdomain: str
    admin_email: EmailStr
    admin_password: Annotated[SecretStr, Field(min_length=PASSWORD_MIN_CHARACTERS, max_length=PASSWORD_MAX_CHARACTERS)]
    tier: Tier = Tier.STARTER

    @field_validator("name")
    @classmethod
    def _is_one_line(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("A name is one line of printable characters.")
        return name

    @field_validator("subdomain")
    @classmethod
    def _is_dns_label(cls, subdomain: str) -> str:
        label = subdomain.lower() if subdomain.isascii() else subdomain
        if not is_subdomain(label):
            raise ValueError("A subdomain is one DNS label: 1 to 63 of a-z, 0-9 and -, not at either end.")
        return label

    @field_validator("admin_password")
    @classmethod
    def _is_text(cls, password: SecretStr) -> SecretStr:
        password.get_secret_value().encode()  # half a surrogate pair is no text, and no hash could be made of it
        return password

    @field_validator("admin_email")
    @classmethod
    def _is_lower_case(cls, email: str) -> str:
        return email.lower()
