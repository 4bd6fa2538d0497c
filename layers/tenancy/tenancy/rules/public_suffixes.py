"""Public suffixes: names under which anyone can register a domain. The list comes with publicsuffixlist."""

from functools import cache

import idna
from publicsuffixlist import PublicSuffixList


def is_public_suffix(domain: str) -> bool:
    """Tell whether *domain*, in its stored form, is a public suffix, such as `com` or `co.uk`."""
    return _public_suffixes().is_public(idna.decode(domain))


def is_registrable(domain: str) -> bool:
    """Tell whether *domain*, in its stored form, has one label more than a public suffix: it is the apex of a zone."""
    name = idna.decode(domain)
    return bool(_public_suffixes().privatesuffix(name) == name)


@cache
def _public_suffixes() -> PublicSuffixList:
    """Return the list, with names in Unicode: their Punycode would take a tenth of a second."""
    return PublicSuffixList(accept_encoded_idn=False)
