"""Mutants of compliance reports."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, Mutant

SAFEGUARD: Final = "compliance reports"
TESTS: Final = "tests/handlers/compliance"
STORE: Final = f"{CORE}/stores/postgres/compliance.py"

MUTANTS: Final = (
    Mutant(
        name="a report reads the audit logs of all organizations",
        safeguard="the statement's own condition",
        file=STORE,
        old="WHERE organization_id = %(organization_id)s AND occurred_at >= %(start)s AND occurred_at < %(end)s",
        new="WHERE %(organization_id)s::uuid IS NOT NULL AND occurred_at >= %(start)s AND occurred_at < %(end)s",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="a report lists the keys of all organizations",
        safeguard="the statement's own condition",
        file=STORE,
        old="SELECT count(*) OVER (), k.id, k.type, k.created_at, k.expires_at, o.key_rotation_days\n"
        "    FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id\n"
        "    WHERE k.organization_id = %(organization_id)s",
        new="SELECT count(*) OVER (), k.id, k.type, k.created_at, k.expires_at, o.key_rotation_days\n"
        "    FROM api_keys AS k JOIN organizations AS o ON o.id = k.organization_id\n"
        "    WHERE %(organization_id)s::uuid IS NOT NULL",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="organizations with any permission read their report",
        safeguard=SAFEGUARD,
        file="functions/audit/app.py",
        old="@for_operators_or_own(AUDIT_READ)",
        new='@for_operators_or_own("usage:read")',
        caught_by=f"{TESTS}/test_own_report.py::test_organization_without_audit_read_is_refused",
    ),
    Mutant(
        name="keys read reports without an entry in the audit log",
        safeguard=SAFEGUARD,
        file="functions/audit/app.py",
        old="@recorded\ndef report(",
        new="def report(",
        caught_by=f"{TESTS}/test_log_excerpts.py::test_read_of_a_report_by_a_key_is_in_the_next_one",
    ),
    Mutant(
        name="a page shows values without escapes",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/report_page.py",
        old="    return escape(str(value))\n",
        new="    return str(value)\n",
        caught_by=f"{TESTS}/test_own_report.py::test_page_is_html_without_script",
    ),
    Mutant(
        name="caches may keep a report",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/documents/compliance.py",
        old='json.dumps(document), {"Cache-Control": NO_STORE})',
        new='json.dumps(document), {"Cache-Control": "private"})',
        caught_by=f"{TESTS}/test_own_report.py::test_json_is_not_stored_by_caches",
    ),
    Mutant(
        name="a setting that is not visible counts as off",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/compliance.py",
        old="state=SettingState.NOT_KNOWN, detail=reason",
        new="state=SettingState.OFF, detail=reason",
        caught_by=f"{TESTS}/test_deployed_settings.py::test_settings_that_aws_does_not_show_are_not_known",
    ),
    Mutant(
        name="a table without forced row-level security counts as protected",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/compliance.py",
        old="if not (self.is_enabled and self.is_forced and self.policies)",
        new="if not (self.is_enabled and self.policies)",
        caught_by=f"{TESTS}/test_row_security.py::test_row_level_security_is_that_of_the_catalog",
    ),
    Mutant(
        name="a report calls a period complete whose entries retention has deleted",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/compliance.py",
        old="return is_kept and self.read < MAX_READ_ENTRIES",
        new="return self.read < MAX_READ_ENTRIES",
        caught_by=f"{TESTS}/test_log_excerpts.py::test_period_before_a_cut_is_not_complete",
    ),
    Mutant(
        name="a table whose policy shows all rows counts as protected",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/compliance.py",
        old="each.binds(column) for each",
        new="True for each",
        caught_by=f"{TESTS}/test_row_security.py::test_policy_that_shows_other_rows_protects_nothing",
    ),
)
