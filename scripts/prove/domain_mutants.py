"""Mutants of the statements on e-mail domains, and of their tables."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, POSTGRES, Mutant

STORE: Final = f"{CORE}/stores/postgres/email_domains.py"
MIGRATION: Final = f"{POSTGRES}/0029_email_domains.sql"
OWN_CONDITION: Final = "the statement's own condition"

MUTANTS: Final = (
    Mutant(
        name="the list of e-mail domains does not filter by organization",
        safeguard=OWN_CONDITION,
        file=STORE,
        old="WHERE organization_id = %(organization_id)s AND (%(after)s",
        new="WHERE (organization_id = %(organization_id)s OR true) AND (%(after)s",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="the number of e-mail domains is that of all organizations",
        safeguard=OWN_CONDITION,
        file=STORE,
        old="count(*) FROM email_domains WHERE organization_id = %s",
        new="count(*) FROM email_domains WHERE (organization_id = %s OR true)",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="an e-mail domain of another organization is deleted",
        safeguard=OWN_CONDITION,
        file=STORE,
        old="DELETE FROM email_domains WHERE organization_id = %s AND domain = %s",
        new="DELETE FROM email_domains WHERE (organization_id = %s OR true) AND domain = %s",
        caught_by=expected_tests.FOREIGN_ROWS,
    ),
    Mutant(
        name="functions may read which organization has proven a domain",
        safeguard="look-ups",
        file=MIGRATION,
        old="GRANT UPDATE (check_at) ON proven_email_domains TO tenancy_platform;\n",
        new=(
            "GRANT UPDATE (check_at) ON proven_email_domains TO tenancy_platform;\n"
            "GRANT SELECT ON proven_email_domains TO tenancy_functions;\n"
        ),
        caught_by=expected_tests.TABLE_RULES,
    ),
    Mutant(
        name="two organizations can prove one domain",
        safeguard="look-ups",
        file=MIGRATION,
        old="PRIMARY KEY (organization_id, domain),\n    CONSTRAINT proven_email_domains_domain_key UNIQUE (domain)\n",
        new="PRIMARY KEY (organization_id, domain)\n",
        caught_by=expected_tests.PROVEN_DOMAIN,
    ),
)
