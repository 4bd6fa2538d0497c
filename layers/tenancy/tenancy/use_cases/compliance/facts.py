"""The facts that each compliance report has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tenancy.rules.compliance import LogExcerpt, Setting, TableSecurity
from tenancy.rules.usage import Period
from tenancy.use_cases.compliance.deployment import DeployedFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFacts:
    """The facts of a report in *period*, as of *generated_at*.

    *connection* and *archive* are settings that a connection with PostgreSQL shows.
    """

    generated_at: datetime
    period: Period
    tables: Sequence[TableSecurity]
    connection: Setting
    archive: Setting
    deployed: DeployedFacts
    log: LogExcerpt
