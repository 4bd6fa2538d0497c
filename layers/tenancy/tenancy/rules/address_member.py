"""The type of the e-mail addresses in bodies.

It is not in `body_members`, because email_validator takes long to import.
"""

from typing import Annotated

from pydantic import AfterValidator, Field

from tenancy.rules.people.addresses import EMAIL_MAX_CHARACTERS, parse_address

Address = Annotated[
    str,
    Field(max_length=EMAIL_MAX_CHARACTERS, json_schema_extra={"format": "email"}),
    AfterValidator(parse_address),
]
