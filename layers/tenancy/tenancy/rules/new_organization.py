"""The validated request of an operator to provision an organization."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from tenancy.rules.address_member import Address
from tenancy.rules.body_members import Name
from tenancy.rules.organization import SUBDOMAIN_MAX_CHARACTERS, is_subdomain
from tenancy.rules.people.passwords import PASSWORD_MAX_CHARACTERS, PASSWORD_MIN_CHARACTERS, parse_password
from tenancy.rules.tiers import Tier

# The form that the OpenAPI document shows. `is_subdomain` refuses more.
SUBDOMAIN_FORM: Final = "^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$"


class NewOrganization(BaseModel):
    """A new organization.

    Subdomain and address are converted to lower case. The address is ASCII with its domain in Punycode, because SES
    takes no other. The password is never shown or logged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    subdomain: Annotated[
        str, Field(json_schema_extra={"pattern": SUBDOMAIN_FORM, "maxLength": SUBDOMAIN_MAX_CHARACTERS})
    ]
    admin_email: Address
    # The last field: its validator compares it with the fields above.
    admin_password: Annotated[SecretStr, Field(min_length=PASSWORD_MIN_CHARACTERS, max_length=PASSWORD_MAX_CHARACTERS)]
    tier: Tier = Tier.STARTER

    @field_validator("subdomain")
    @classmethod
    def _is_dns_label(cls, subdomain: str) -> str:
        label = subdomain.lower() if subdomain.isascii() else subdomain
        if not is_subdomain(label):
            raise ValueError(
                "Expected 1 to 63 characters of a-z, 0-9 and -. A-Z becomes lower case. "
                "It must not start or end with -, and must not have - in both the third and the fourth place."
            )
        return label

    @field_validator("admin_password")
    @classmethod
    def _is_good(cls, password: SecretStr, others: ValidationInfo) -> SecretStr:
        about = [str(others.data.get(name, "")) for name in ("name", "subdomain", "admin_email")]
        return SecretStr(parse_password(password.get_secret_value(), about=about))
