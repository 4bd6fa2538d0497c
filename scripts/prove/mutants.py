"""All mutants: at least one for each safeguard that the tests can reach."""

from typing import Final

from scripts.prove import (
    branding_mutants,
    compliance_mutants,
    custom_domain_mutants,
    domain_mutants,
    home_mutants,
    host_mutants,
    key_mutants,
    request_mutants,
    saml_mutants,
    schema_mutants,
    session_mutants,
    sso_mutants,
    store_mutants,
)

MUTANTS: Final = (
    *schema_mutants.MUTANTS,
    *store_mutants.MUTANTS,
    *custom_domain_mutants.MUTANTS,
    *domain_mutants.MUTANTS,
    *key_mutants.MUTANTS,
    *request_mutants.MUTANTS,
    *host_mutants.MUTANTS,
    *home_mutants.MUTANTS,
    *session_mutants.MUTANTS,
    *sso_mutants.MUTANTS,
    *saml_mutants.MUTANTS,
    *branding_mutants.MUTANTS,
    *compliance_mutants.MUTANTS,
)
