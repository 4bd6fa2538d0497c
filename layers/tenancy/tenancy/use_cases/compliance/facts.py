"""The facts that each compliance report has."""

from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.compliance import LogExcerpt, RowSecurity, Setting
from tenancy.rules.usage import Period
from tenancy.use_cases.compliance.deployment import DeployedFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """The facts of a report in *period*, as of *generated_at*.

    *connection* and *archive* are settings that a connection with PostgreSQL shows.
    """

    generated_at: datetime
    period: Period
    row_security: RowSecurity
    connection: Setting
    archive: Setting
    deployed: DeployedFacts
    log: LogExcerpt
