"""Subdomains that no new organization may have.

They are not in `organization`, because their patterns take long to compile and one function alone needs them.
"""

import re
from typing import Final

from tenancy.rules.organization import RESERVED_SUBDOMAINS, subdomain_skeleton
from tenancy.rules.well_known_hosts import WELL_KNOWN, compile_numbered

# The subdomain of an erased organization is its own id. This matches the skeleton of a UUID.
ANONYMIZED_SUBDOMAIN: Final = re.compile(r"[ol2-9a-f]{8}(?:-[ol2-9a-f]{4}){3}-[ol2-9a-f]{12}")
# Without hyphens.
RESERVED_SKELETONS: Final = frozenset(
    subdomain_skeleton(name).replace("-", "") for name in RESERVED_SUBDOMAINS | WELL_KNOWN
)
NUMBERED_SKELETONS: Final = compile_numbered(RESERVED_SKELETONS)


def is_reserved(subdomain: str) -> bool:
    """Whether no new organization may have *subdomain*.

    Reserved are the platform's own names, hosts that are known below any domain (`mta-sts`), both with any number
    (`api2`, `ns5`), names that look like one of these (`adm1n`, `log-in`), and the ids of remnants. An organization
    that has a subdomain keeps it.
    """
    looks = subdomain_skeleton(subdomain)
    bare = looks.replace("-", "")
    if bare in RESERVED_SKELETONS or ANONYMIZED_SUBDOMAIN.fullmatch(looks) is not None:
        return True
    numbered = NUMBERED_SKELETONS.fullmatch(bare)
    return numbered is not None and any(map(str.isdigit, subdomain.replace("-", "")[-len(numbered[1]) :]))
