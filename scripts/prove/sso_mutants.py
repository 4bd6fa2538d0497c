"""Mutants of single sign-on."""

from typing import Final

from scripts.prove.mutant import CORE, Mutant

SAFEGUARD: Final = "single sign-on"
FORGED: Final = "tests/handlers/single_sign_on/test_forged_answers.py"
MEMBERS: Final = "tests/handlers/single_sign_on/test_sso_members.py"
CONNECTION: Final = "tests/handlers/single_sign_on/test_connection.py"
LOG_IN: Final = "tests/handlers/single_sign_on/test_sso_log_in.py"
MIX_UP: Final = "tests/handlers/single_sign_on/test_mix_up.py"
FINISH: Final = f"{CORE}/use_cases/sso/finish_log_in.py"
LIVE: Final = f"{CORE}/use_cases/sso/live_connection.py"
TOKEN: Final = f"{CORE}/rules/sso/id_token.py"

MUTANTS: Final = (
    Mutant(
        name="a state of single sign-on works twice",
        safeguard=SAFEGUARD,
        file=LIVE,
        old="    if log_in.used_at is not None:\n",
        new="    if False:\n",
        caught_by=f"{FORGED}::test_state_is_used_once",
    ),
    Mutant(
        name="another browser completes a log-in by single sign-on",
        safeguard=SAFEGUARD,
        file=FINISH,
        old="        if answer.secret.digest != log_in.browser_digest:\n",
        new="        if False:\n",
        caught_by=f"{FORGED}::test_state_of_another_browser_is_refused_and_stays",
    ),
    Mutant(
        name="a log-in by single sign-on outlives its connection",
        safeguard=SAFEGUARD,
        file=LIVE,
        old="    if connection.id != log_in.connection_id or not isinstance(connection, of_type):\n",
        new="    if not isinstance(connection, of_type):\n",
        caught_by=f"{LOG_IN}::test_replaced_connection_cancels_log_ins_that_have_begun",
    ),
    Mutant(
        name="the callback takes a state of another organization",
        safeguard=SAFEGUARD,
        file="functions/sso/app.py",
        old="        if state_owner != organization_id or not is_named(platform_db, named_by(app), organization_id):\n",
        new="        if False:\n",
        caught_by=f"{MIX_UP}::test_code_of_acme_does_not_reach_the_provider_of_globex",
    ),
    Mutant(
        name="an answer of another issuer is accepted",
        safeguard=SAFEGUARD,
        file=FINISH,
        old="    if answer.issuer not in {None, connection.issuer}:\n",
        new="    if False:\n",
        caught_by=f"{FORGED}::test_answer_that_names_another_issuer_is_a_mix_up",
    ),
    Mutant(
        name="the nonce of an ID token is not compared",
        safeguard=SAFEGUARD,
        file=TOKEN,
        old='    if not hmac.compare_digest(_text(claims, "nonce").encode(), expected.nonce.encode()):\n',
        new="    if False:\n",
        caught_by=f"{FORGED}::test_forged_answer_is_refused",
    ),
    Mutant(
        name="an ID token for another client is accepted",
        safeguard=SAFEGUARD,
        file=TOKEN,
        old="    if not isinstance(audiences, list) or expected.client_id not in audiences:\n",
        new="    if not isinstance(audiences, list):\n",
        caught_by=f"{FORGED}::test_forged_answer_is_refused",
    ),
    Mutant(
        name="a code of single sign-on works twice",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sessions/log_in_by_sso.py",
        old="log_in.code_used_at is not None or ",
        new="",
        caught_by=f"{FORGED}::test_code_is_used_once",
    ),
    Mutant(
        name="an address of an unproven domain is linked to a member",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sso/admit_member.py",
        old='    if not is_domain_proven(conn, asked.organization_id, email.rpartition("@")[2]):\n',
        new="    if False:\n",
        caught_by=f"{MEMBERS}::test_member_with_a_password_is_not_linked_without_a_proof",
    ),
    Mutant(
        name="an unverified address makes a member",
        safeguard=SAFEGUARD,
        file=TOKEN,
        old='    if claims.get("email_verified") is not True:\n',
        new="    if False:\n",
        caught_by=f"{FORGED}::test_ineligible_person_is_forbidden",
    ),
    Mutant(
        name="a disabled member is made active by single sign-on",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sso/admit_member.py",
        old="    if member.status in STATUS_FAULTS:\n",
        new="    if False:\n",
        caught_by=f"{MEMBERS}::test_disabled_and_removed_members_stay_so",
    ),
    Mutant(
        name="a client secret is sent to another client",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sso/connect.py",
        old="    same = before if isinstance(before, OidcConnection) and before.is_of(wanted.client) else None\n",
        new="    same = before if isinstance(before, OidcConnection) else None\n",
        caught_by=f"{CONNECTION}::test_secret_is_never_sent_to_another_client",
    ),
    Mutant(
        name="the permission to connect a provider makes a super_admin",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sso/connect.py",
        old="    require_permissions_of(Role.SUPER_ADMIN, tenant.scopes, so=CONNECT_TEXT)\n",
        new="",
        caught_by=f"{CONNECTION}::test_connection_needs_all_permissions_of_a_super_admin",
    ),
    Mutant(
        name="a subject of a former SAML provider is a member of the next one",
        safeguard=SAFEGUARD,
        file=f"{CORE}/use_cases/sso/connect_saml.py",
        old="            realm_id=same.realm_id if same is not None else uuid4(),\n",
        new="            realm_id=tenant.organization_id,\n",
        caught_by="tests/handlers/single_sign_on/test_saml_log_in.py"
        "::test_same_name_of_another_source_is_another_provider",
    ),
)
