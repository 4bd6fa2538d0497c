"""Mutants of log-in and sessions."""

from typing import Final

from scripts.prove import expected_tests
from scripts.prove.mutant import CORE, POSTGRES, Mutant

MUTANTS: Final = (
    Mutant(
        name="a refresh token works at the host of another organization",
        safeguard="log-in and sessions",
        file=f"{CORE}/use_cases/sessions/named_organization.py",
        old="return names_none or find_named(platform_db, named) == organization_id",
        new="return True",
        caught_by=expected_tests.ATTACKS,
    ),
    Mutant(
        name="a refresh token is looked up without its organization",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/sessions.py",
        old="    WHERE t.organization_id = %s AND t.digest = %s\n    FOR NO KEY UPDATE",
        new="    WHERE (t.organization_id = %s OR true) AND t.digest = %s\n    FOR NO KEY UPDATE",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="all sessions end, not those of one organization",
        safeguard="the statement's own condition",
        file=f"{CORE}/stores/postgres/sessions.py",
        old="AND user_id = %(user_id)s AND ended_at IS NULL\n      AND (%(kept)s",
        new="AND user_id = %(user_id)s AND ended_at IS NULL\n      OR (%(kept)s",
        caught_by=expected_tests.STATEMENTS_ALONE,
    ),
    Mutant(
        name="the platform sees sessions of all organizations",
        safeguard="row-level security, forced",
        file=f"{POSTGRES}/0024_sessions.sql",
        old="FOR SELECT TO tenancy_platform USING (expires_at <= (SELECT now()))",
        new="FOR SELECT TO tenancy_platform USING (true)",
        caught_by="tests/use_cases/test_expire_sessions.py::test_sweep_sees_only_expired_sessions_of_all",
    ),
    Mutant(
        name="a disabled member logs in",
        safeguard="log-in and sessions",
        file=f"{CORE}/rules/sessions.py",
        old="return self.status == MEMBER_ACTIVE and ",
        new="return ",
        caught_by="tests/use_cases/test_log_in.py::test_member_that_may_not_log_in_is_refused",
    ),
    Mutant(
        name="a log-in of an unknown member computes no hash",
        safeguard="log-in and sessions",
        file=f"{CORE}/rules/password_hashes.py",
        old="        HASHER.verify(password_hash or DUMMY_HASH, password)\n",
        new="        HASHER.verify(password_hash or '', password)\n",
        caught_by="tests/use_cases/test_log_in.py::test_every_refusal_does_the_same_work",
    ),
    Mutant(
        name="a replaced refresh token is replaced again",
        safeguard="log-in and sessions",
        file=f"{CORE}/use_cases/sessions/refresh_session.py",
        old="    if family.used_at is None:\n",
        new="    if family.used_at is None or not family.repeats_at(now):\n",
        caught_by="tests/use_cases/test_refresh_session.py::test_later_reuse_ends_the_session",
    ),
    Mutant(
        name="a changed password does not end a log-in with the old one",
        safeguard="log-in and sessions",
        file=f"{CORE}/use_cases/sessions/log_in.py",
        old="or not _has_same_password(found, member)",
        new="",
        caught_by="tests/use_cases/test_log_in.py::test_password_that_changed_meanwhile_starts_no_session",
    ),
    Mutant(
        name="the session cookie is used with another origin",
        safeguard="the session cookie",
        file=f"{CORE}/gateway/documents/sessions.py",
        old="    require_own_origin(request)\n",
        new="",
        caught_by="tests/handlers/test_session_cookie.py::test_another_origin_is_refused",
    ),
    Mutant(
        name="the session cookie is used without X-Console",
        safeguard="the session cookie",
        file=f"{CORE}/gateway/session_cookie.py",
        old='return request.header_values.get(CONSOLE) == ("1",)',
        new="return find_cookie(request) is not None",
        caught_by="tests/handlers/test_session_cookie.py::test_cookie_without_the_header_is_ignored",
    ),
)
