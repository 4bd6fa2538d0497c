"""Mutants of the code that reads hosts as custom domains."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, Mutant

MUTANTS: Final = (
    Mutant(
        name="a custom domain is not compared with the credential",
        safeguard="principal first",
        file=f"{CORE}/gateway/resolver.py",
        old="owners = domain_owners.find(mentions, now=now)",
        new="owners = domain_owners.find((), now=now)",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="a custom domain is not compared with a write key",
        safeguard="principal first",
        file=f"{CORE}/use_cases/ingest/ingest_events.py",
        old="owners = self._domain_owners.find(mentions, now=now)",
        new="owners = self._domain_owners.find((), now=now)",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="a custom domain in capitals is another host",
        safeguard="principal first",
        file=f"{CORE}/rules/host_names.py",
        old="return None if name == spelled_name(api_host) else name",
        new="return None if name == spelled_name(api_host) or name not in text else name",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="the first custom domain that was found is that of each host",
        safeguard="principal first",
        file=f"{CORE}/use_cases/admission/domain_owners.py",
        old="        kept = {name: self._owners[name] for name in names if name in self._owners}\n",
        new="        kept = {name: next(iter(self._owners.values())) for name in names if name in self._owners}\n",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="a refresh token works at the custom domain of another organization",
        safeguard="log-in and sessions",
        file=f"{CORE}/use_cases/organizations/find_named.py",
        old="subdomains=subdomains, domains=domains)",
        new="subdomains=subdomains, domains=[])",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="a forwarded custom domain selects an organization",
        safeguard="log-in and sessions",
        file=f"{CORE}/rules/named_organization.py",
        old="self.domains.intersection(owned)",
        new="self.all_domains.intersection(owned)",
        caught_by=expected_tests.FORWARDED_DOMAIN,
    ),
    Mutant(
        name="a password reset tells by its work whether an organization exists",
        safeguard="log-in and sessions",
        file=f"{CORE}/use_cases/people/reset_password.py",
        old="        insert_reset(\n",
        new="        if not is_changeable:\n            return\n        insert_reset(\n",
        caught_by=expected_tests.ANSWERS_AT_HOSTS,
    ),
)
