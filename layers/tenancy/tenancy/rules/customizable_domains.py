"""Domains at which the API can be served for one organization."""

from typing import Final

from tenancy.rules.claimable_domains import refuse_domain
from tenancy.rules.custom_domains import CUSTOM_DOMAIN_MAX_CHARACTERS
from tenancy.rules.public_suffixes import is_public_suffix, is_registrable

# Top-level names that no public DNS server answers for, or that have another meaning (IANA: "Special-Use Domain
# Names"), and names of AWS, of which some lead to this API.
SPECIAL_NAMES: Final = (
    "alt", "arpa", "corp", "home", "internal", "invalid", "lan", "local", "localhost", "onion", "test",
    "amazonaws.com", "amazonaws.com.cn", "api.aws", "awsapprunner.com", "cloudfront.net", "elasticbeanstalk.com",
    "on.aws",
)  # fmt: skip


def require_customizable(domain: str, *, base_domain: str, api_host: str) -> None:
    """Require that *domain*, in its stored form, may be a custom domain.

    *base_domain* is that of the platform. *api_host* is the host of the API, with or without a port.

    Raises:
        InvalidError: it belongs to the platform or to many organizations, has no CNAME record, or is too long.
    """
    refuse_domain(_find_problem(domain, (base_domain.lower(), api_host.partition(":")[0].lower())))


def _find_problem(domain: str, platform_names: tuple[str, ...]) -> str | None:
    if len(domain) > CUSTOM_DOMAIN_MAX_CHARACTERS:
        return f"The domain has {len(domain)} characters. Expected at most {CUSTOM_DOMAIN_MAX_CHARACTERS}."
    if any(is_within(domain, name) or is_within(name, domain) for name in platform_names):
        return f"{domain} belongs to the platform. Use a name of your own domain."
    if any(is_within(domain, name) for name in SPECIAL_NAMES):
        return f"{domain} cannot be a custom domain. Use a name of a domain that you have registered."
    if is_public_suffix(domain):
        return f"{domain} is a public suffix. Use a name of a domain that you have registered, such as api.acme.com."
    if is_registrable(domain):
        return (
            f"{domain} cannot have a CNAME record, because it is the apex of its zone. Use data.{domain}, for example."
        )
    return None


def is_within(domain: str, parent: str) -> bool:
    """Tell whether *domain* is *parent* or a name below it."""
    return domain == parent or domain.endswith(f".{parent}")
