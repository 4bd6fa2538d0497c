"""The deployment under attack: its calls, their permitted callers, and the findings."""

from collections import Counter
from dataclasses import dataclass, field

from tests.given import Databases
from tests.isolation.proof.attack.calls import Call
from tests.isolation.proof.attack.gateway import GatewayRequest, GatewayResponse, LocalGateway
from tests.isolation.proof.leaks.output import CapturedOutput
from tests.isolation.proof.leaks.queues import QueueInspector
from tests.isolation.proof.normalization import UUIDS
from tests.isolation.proof.proof_data import ANONYMOUS_KIND, Credential, ProofData, ProofOrganization

# The fields that a public route shows to everyone who names the organization: a browser goes to its provider, or from
# the host of the organization to that of the API, with the subdomain that it has sent.
PUBLIC_FIELDS = {
    "GET /auth/sso/start": frozenset(
        {
            "PostgreSQL sso_connections.client_id",
            "PostgreSQL sso_connections.authorization_endpoint",
            "PostgreSQL organizations.subdomain",
        }
    ),
    "GET /branding/images/{organization_id}/{digest}": frozenset({"PostgreSQL branding_images.content"}),
}


@dataclass(slots=True)
class AttackFindings:
    """A sentence for each finding, and counters of the attempts.

    *leaks*: data or rows of another organization. *faults*: status 5xx. *existence_leaks*: an answer that differs from
    that for an organization that does not exist. *accepted*: a foreign organization was named without a refusal.
    *attempts* counts by route, injection point and kind of credential.
    """

    leaks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    existence_leaks: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    attempts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class AttackTarget:
    """A deployment under attack.

    *permitted* has the kinds of credentials that each call succeeds with, *canaries_shown* how many own canaries its
    answers have, both by the call's name. *unknown* is an organization that does not exist.
    """

    databases: Databases
    gateway: LocalGateway
    data: ProofData
    queues: QueueInspector
    output: CapturedOutput
    unknown: ProofOrganization
    calls: list[Call] = field(default_factory=list)
    permitted: dict[str, list[str]] = field(default_factory=dict)
    canaries_shown: Counter[str] = field(default_factory=Counter)
    findings: AttackFindings = field(default_factory=AttackFindings)

    def is_public(self, call: Call) -> bool:
        return ANONYMOUS_KIND in self.permitted[call.name]

    def foreign_texts(self, credential: Credential, response: GatewayResponse, request: GatewayRequest) -> set[str]:
        """Return the fields and ids of other organizations in *response*.

        The operator may see all of them.
        """
        if credential.is_operator:
            return set()
        sent = set(request.parameters.values())
        foreign_ids = {
            f"the id {found}"
            for found in UUIDS.findall(response.text)
            if found not in sent and self.data.owners.get(found, credential.owner) != credential.owner
        }
        foreign_fields = self.data.canaries.foreign_fields_in(response.text, credential.owner)
        return foreign_fields - PUBLIC_FIELDS.get(request.route.name, frozenset()) | foreign_ids
