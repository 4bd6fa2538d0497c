"""The tags of a custom domain's resources in AWS.

IAM lets a stack delete only resources with its own tag that no stack of CloudFormation has made. It lets the function
that makes them tag any other resource.
"""

from collections.abc import Mapping
from typing import Final

from tenancy.rules.custom_domains import DomainOwner

DOMAINS_TAG: Final = "tenancy:domains-of"  # its value is the name of the stack
ORGANIZATION_TAG: Final = "tenancy:organization"
CLAIM_TAG: Final = "tenancy:claim"


def domain_tags(stack_name: str, owner: DomainOwner) -> Mapping[str, str]:
    """Return the tags of the resources of *owner*'s claim."""
    return {
        DOMAINS_TAG: stack_name,
        ORGANIZATION_TAG: str(owner.organization_id),
        CLAIM_TAG: str(owner.claim_id),
    }
