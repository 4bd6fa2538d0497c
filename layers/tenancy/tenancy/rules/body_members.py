"""Types of members that several bodies have."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from tenancy.rules.texts import NAME_MAX_CHARACTERS, parse_name

ORGANIZATION_MAX_CHARACTERS: Final = 63  # of a subdomain, longer than an id

Name = Annotated[
    str, AfterValidator(parse_name), Field(json_schema_extra={"minLength": 1, "maxLength": NAME_MAX_CHARACTERS})
]
OrganizationText = Annotated[
    str, Field(max_length=ORGANIZATION_MAX_CHARACTERS, description="Subdomain or id of the organization.")
]
