"""Look up the DNS records of a custom domain."""

from collections.abc import Callable
from dataclasses import dataclass

from tenancy.errors import FetchFault, UnreachableUrlError
from tenancy.rules.custom_domains import CustomDomain, RecordProblem
from tenancy.stores.aws.fetch import Fetcher


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProblems:
    """The problems of the TXT record and of the CNAME record. None is a record that is as it should be."""

    ownership: RecordProblem | None
    routing: RecordProblem | None


def find_record_problems(fetcher: Fetcher, claim: CustomDomain, base_domain: str) -> FoundProblems:
    """Return the problems of the records of *claim* now.

    Raises:
        UnavailableError: `fetch` does not work.
    """
    return FoundProblems(
        ownership=find_ownership_problem(fetcher, claim), routing=find_routing_problem(fetcher, claim, base_domain)
    )


def find_ownership_problem(fetcher: Fetcher, claim: CustomDomain) -> RecordProblem | None:
    """Return the reason why *claim* has no proof now, or None if it has one.

    Raises:
        UnavailableError: `fetch` does not work.
    """
    return _or_no_answer(lambda: claim.find_ownership_problem(fetcher.find_txt_records(claim.record_name)))


def find_routing_problem(fetcher: Fetcher, claim: CustomDomain, base_domain: str) -> RecordProblem | None:
    """Return the reason why the domain of *claim* does not lead to the platform now, or None if it does.

    Raises:
        UnavailableError: `fetch` does not work.
    """
    return _or_no_answer(lambda: claim.find_routing_problem(fetcher.find_cname_records(claim.domain), base_domain))


def _or_no_answer(look_up: Callable[[], RecordProblem | None]) -> RecordProblem | None:
    try:
        return look_up()
    except UnreachableUrlError as error:
        if error.fault in {FetchFault.NO_DNS_ANSWER, FetchFault.TOO_SLOW}:
            return RecordProblem.NO_DNS_ANSWER
        raise
