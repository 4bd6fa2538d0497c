"""E-mail addresses of people, in the form in which they are stored and compared."""

from typing import Final

from email_validator import EmailNotValidError, validate_email

EMAIL_MAX_CHARACTERS: Final = 254  # RFC 5321, with errata 1690
EMAIL_TEXT: Final = "Expected an e-mail address with ASCII characters before the @, such as admin@acme.example."


def parse_address(text: str) -> str:
    """Return *text* as a stored address: in lower case, ASCII, with its domain in Punycode.

    SES accepts no other form.

    Raises:
        ValueError: *text* is not such an address.
    """
    try:
        parts = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(EMAIL_TEXT) from error
    return f"{parts.local_part}@{parts.ascii_domain}".lower()
