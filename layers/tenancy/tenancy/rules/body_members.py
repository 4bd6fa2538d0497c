"""Types of members that several bodies have."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from tenancy.rules.people.addresses import EMAIL_MAX_CHARACTERS, parse_address
from tenancy.rules.texts import NAME_MAX_CHARACTERS, parse_name

ORGANIZATION_MAX_CHARACTERS: Final = 63  # of a subdomain, longer than an id

Name = Annotated[
    str, AfterValidator(parse_name), Field(json_schema_extra={"minLength": 1, "maxLength": NAME_MAX_CHARACTERS})
]
Address = Annotated[
    str,
    Field(max_length=EMAIL_MAX_CHARACTERS, json_schema_extra={"format": "email"}),
    AfterValidator(parse_address),
]
OrganizationText = Annotated[
    str, Field(max_length=ORGANIZATION_MAX_CHARACTERS, description="Subdomain or id of the organization.")
]
