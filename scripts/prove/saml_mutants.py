"""Mutants of SAML."""

from typing import Final

from scripts.prove.mutant import CORE, Mutant

SAFEGUARD: Final = "single sign-on"
FORGED: Final = "tests/handlers/single_sign_on/test_forged_saml.py"
ANSWERS: Final = "tests/unit/test_saml_answer.py::test_forged_answer_is_refused_for_its_reason"
ANSWER: Final = f"{CORE}/rules/saml/answer.py"
TAKE: Final = f"{CORE}/use_cases/sso/take_saml_answer.py"
FINISH: Final = f"{CORE}/use_cases/sso/finish_saml_log_in.py"

MUTANTS: Final = (
    Mutant(
        name="an assertion without a signature is accepted",
        safeguard=SAFEGUARD,
        file=ANSWER,
        old="        raise SsoRefusedError(SsoFault.UNSIGNED)\n    signed = _verified(assertion, certificates)\n",
        new="        return assertion\n    signed = _verified(assertion, certificates)\n",
        caught_by=ANSWERS,
    ),
    Mutant(
        name="an answer with a second assertion is read",
        safeguard=SAFEGUARD,
        file=ANSWER,
        old="    if len(named) != 1 or ",
        new="    if not named or ",
        caught_by=ANSWERS,
    ),
    Mutant(
        name="an assertion for another organization is accepted",
        safeguard=SAFEGUARD,
        file=ANSWER,
        old="        if expected.audience not in {text_of(each) ",
        new="        if not {text_of(each) ",
        caught_by=f"{FORGED}::test_assertion_for_another_organization_is_refused",
    ),
    Mutant(
        name="an assertion to another request is accepted",
        safeguard=SAFEGUARD,
        file=ANSWER,
        old='    if data.get("InResponseTo") != expected.request_id:\n',
        new="    if False:\n",
        caught_by=ANSWERS,
    ),
    Mutant(
        name="an assertion is accepted twice",
        safeguard=SAFEGUARD,
        file=TAKE,
        old="        insert_assertion(conn, organization_id, _assertion_digest(proven), expires_at",
        new="        dict(conn=conn, digest=_assertion_digest(proven), expires_at",
        caught_by=f"{FORGED}::test_assertion_is_replayed_in_no_other_log_in",
    ),
    Mutant(
        name="another browser finishes a log-in by SAML",
        safeguard=SAFEGUARD,
        file=FINISH,
        old="        if secret.digest != log_in.browser_digest:\n",
        new="        if False:\n",
        caught_by=f"{FORGED}::test_token_needs_the_cookie_of_its_browser",
    ),
    Mutant(
        name="a log-in by SAML is finished after its connection was changed",
        safeguard=SAFEGUARD,
        file=FINISH,
        old="        if live is None or live.id != log_in.connection_id:\n",
        new="        if live is None:\n",
        caught_by=f"{FORGED}::test_changed_connection_is_refused_before_the_token_is_used",
    ),
    Mutant(
        name="a comment in an answer is ignored",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/saml/xml.py",
        old='(text.replace(COMMENT, "") if may_have_comments else text)',
        new='text.replace(COMMENT, "")',
        caught_by=ANSWERS,
    ),
)
