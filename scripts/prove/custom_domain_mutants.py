"""Mutants of the statements and rules of custom domains, and of their tables."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, POSTGRES, Mutant

STORE: Final = f"{CORE}/stores/postgres/custom_domains.py"
MIGRATION: Final = f"{POSTGRES}/0033_custom_domains.sql"
OWN_CONDITION: Final = "the statement's own condition"
LOOK_UPS: Final = "look-ups"
CLAIMS: Final = "claims of domains"
POSTGRES_STORES: Final = f"{CORE}/stores/postgres/platform"
LOG_IN: Final = "tests/handlers/single_sign_on/test_sso_log_in.py"
LIFE: Final = "tests/handlers/custom_domains/test_life.py"

MUTANTS: Final = (
    Mutant(
        name="the list of custom domains does not filter by organization",
        safeguard=OWN_CONDITION,
        file=STORE,
        old="WHERE organization_id = %(organization_id)s AND (%(after)s",
        new="WHERE (organization_id = %(organization_id)s OR true) AND (%(after)s",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="a custom domain of another organization is found",
        safeguard=OWN_CONDITION,
        file=STORE,
        old='SELECT_CUSTOM_DOMAIN + " WHERE organization_id = %s AND domain = %s"',
        new='SELECT_CUSTOM_DOMAIN + " WHERE (organization_id = %s OR true) AND domain = %s"',
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="two organizations can prove one custom domain",
        safeguard=LOOK_UPS,
        file=MIGRATION,
        old="CREATE UNIQUE INDEX listed_custom_domains_proven_key",
        new="CREATE INDEX listed_custom_domains_proven_key",
        caught_by=expected_tests.CUSTOM_DOMAIN,
    ),
    Mutant(
        name="a custom domain that is listed by mistake is served",
        safeguard=LOOK_UPS,
        file=MIGRATION,
        old="WHERE d.domain = ANY (wanted) AND d.is_served AND c.status = 'active'",
        new="WHERE d.domain = ANY (wanted) AND d.is_served",
        caught_by=expected_tests.LISTED_BY_MISTAKE,
    ),
    Mutant(
        name="functions may read which organization has a custom domain",
        safeguard=LOOK_UPS,
        file=MIGRATION,
        old="GRANT SELECT (organization_id, domain, is_served) ON listed_custom_domains TO tenancy_lookup;\n",
        new=(
            "GRANT SELECT (organization_id, domain, is_served) ON listed_custom_domains TO tenancy_lookup;\n"
            "GRANT SELECT ON listed_custom_domains TO tenancy_functions;\n"
        ),
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="a domain name of another claim is deleted",
        safeguard=CLAIMS,
        file=f"{CORE}/stores/aws/api_domains.py",
        old='if found is None or found["tags"].get(CLAIM_TAG) != str(owner.claim_id):',
        new="if found is None:",
        caught_by=f"{LIFE}::test_domain_name_of_another_claim_is_left_alone",
    ),
    Mutant(
        name="an old execution goes on after a removal",
        safeguard=CLAIMS,
        file=f"{CORE}/use_cases/domains/current_claim.py",
        old="claim is None or claim.attempt != attempt.number:",
        new="claim is None:",
        caught_by=f"{LIFE}::test_old_execution_makes_nothing_after_a_removal",
    ),
    Mutant(
        name="all claims of a domain have one target",
        safeguard=CLAIMS,
        file=f"{CORE}/rules/custom_domains.py",
        old='return f"{self.id.hex}.{TARGET_LABEL}.{base_domain}"',
        new='return f"all.{TARGET_LABEL}.{base_domain}"',
        caught_by=f"{LIFE}::test_removed_domain_moves_to_another_organization",
    ),
    Mutant(
        name="codes of log-ins go to the next owner of a domain",
        safeguard=CLAIMS,
        file=f"{POSTGRES_STORES}/listed_custom_domains.py",
        old="is_proven AND organization_id <> %(organization_id)s",
        new="is_proven AND false",
        caught_by=f"{LOG_IN}::test_redirect_uri_at_a_lost_domain_is_422",
    ),
    Mutant(
        name="a verify puts off the withdrawal of a domain",
        safeguard=CLAIMS,
        file=f"{CORE}/use_cases/schedule/check_custom_domains.py",
        old="claim.check_at is None or _proof(claim) != _proof(seen):",
        new="claim.check_at is None or claim != seen:",
        caught_by="tests/handlers/custom_domains/test_checks.py::test_verify_in_a_loop_does_not_put_off_the_withdrawal",
    ),
)
