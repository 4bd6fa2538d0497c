"""Mutants of brandings."""

from typing import Final

from scripts.prove.mutant import CORE, POSTGRES, Mutant

SAFEGUARD: Final = "brandings"
PUBLIC: Final = "tests/handlers/branding/test_public_branding.py"
CHANGE: Final = "tests/handlers/branding/test_change_branding.py"
IMAGES: Final = "tests/handlers/branding/test_branding_images.py"
SENDER: Final = "tests/handlers/branding/test_branding_sender.py"
LAYOUT: Final = "tests/unit/test_mail_layout.py"
FORMATS: Final = "tests/unit/test_brand_images.py"
EFFECTIVE: Final = f"{CORE}/use_cases/branding/effective_branding.py"
CHANGING: Final = f"{CORE}/use_cases/branding/change_branding.py"
READING: Final = f"{CORE}/use_cases/branding/read_branding.py"

MUTANTS: Final = (
    Mutant(
        name="a suspended organization shows its branding",
        safeguard=SAFEGUARD,
        file=EFFECTIVE,
        old="    if standing is None or standing.status is not OrganizationStatus.ACTIVE:\n",
        new="    if standing is None:\n",
        caught_by=f"{PUBLIC}::test_organization_that_is_not_active_has_the_platforms",
    ),
    Mutant(
        name="a branding needs no entitlement to be shown",
        safeguard=SAFEGUARD,
        file=EFFECTIVE,
        old="    return bool(standing.entitlements.values[WHITE_LABEL_FLAG])\n",
        new="    return True\n",
        caught_by=f"{PUBLIC}::test_downgrade_hides_and_upgrade_brings_back",
    ),
    Mutant(
        name="caches keep the branding that a body names",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/cached_answers.py",
        old="cache_control if request.measure_body() == 0 else NO_STORE",
        new="cache_control",
        caught_by=f"{PUBLIC}::test_answer_to_a_body_is_kept_by_no_cache",
    ),
    Mutant(
        name="an image is shown without its branding",
        safeguard=SAFEGUARD,
        file=READING,
        old="    if image is None or not may_be_branded(standing):\n",
        new="    if image is None:\n",
        caught_by=f"{IMAGES}::test_hidden_branding_hides_its_images",
    ),
    Mutant(
        name="a change of the branding needs no entitlement",
        safeguard=SAFEGUARD,
        file=CHANGING,
        old=".entitlements, WHITE_LABEL_FLAG)\n        _require_own_domain",
        new='.entitlements, "sso")\n        _require_own_domain',
        caught_by=f"{CHANGE}::test_downgrade_since_the_admission_refuses_the_change",
    ),
    Mutant(
        name="an organization sends from another one's domain",
        safeguard=SAFEGUARD,
        file=CHANGING,
        old="    if address is not None and not is_sender_domain_proven(conn, tenant.organization_id, address):\n",
        new="    if False:\n",
        caught_by=f"{SENDER}::test_address_needs_a_proven_domain_of_its_own",
    ),
    Mutant(
        name="a withdrawn e-mail domain still sends",
        safeguard=SAFEGUARD,
        file=EFFECTIVE,
        old="    if address is not None and not is_sender_domain_proven(conn, organization_id, address):\n",
        new="    if False:\n",
        caught_by=f"{SENDER}::test_withdrawn_domain_sends_from_the_platform",
    ),
    Mutant(
        name="an unproven e-mail domain counts as proven",
        safeguard=SAFEGUARD,
        file=EFFECTIVE,
        old="    return domain is not None and domain.verified_at is not None\n",
        new="    return domain is not None\n",
        caught_by=f"{SENDER}::test_withdrawn_domain_sends_from_the_platform",
    ),
    Mutant(
        name="mails come from an address that SES has not verified",
        safeguard=SAFEGUARD,
        file=f"{CORE}/stores/aws/mail.py",
        old="        if address is not None and self._may_send_from(address):\n",
        new="        if address is not None:\n",
        caught_by=f"{SENDER}::test_pending_identity_sends_from_the_platform",
    ),
    Mutant(
        name="the public branding shows the sender",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/documents/branding.py",
        old="        **branding.shown_colors,\n",
        new='        **branding.shown_colors,\n        "sender_address": branding.sender_address,\n',
        caught_by=f"{PUBLIC}::test_sender_is_not_public",
    ),
    Mutant(
        name="caches mix the brandings of organizations",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/cached_answers.py",
        old='VARY: Final = "X-Organization-ID, X-Forwarded-Host"\n',
        new='VARY: Final = "X-Forwarded-Host"\n',
        caught_by=f"{PUBLIC}::test_answer_is_cached_by_its_names",
    ),
    Mutant(
        name="a browser may guess the type of an image",
        safeguard=SAFEGUARD,
        file=f"{CORE}/gateway/cached_answers.py",
        old='    "X-Content-Type-Options": "nosniff",\n',
        new='    "X-Content-Type-Options": "sniff",\n',
        caught_by=f"{IMAGES}::test_image_can_do_nothing_and_is_kept_for_ever",
    ),
    Mutant(
        name="a JPEG may have another file after its end",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/branding/images.py",
        old="    _require(place == len(content) and len(sizes) == 1,",
        new="    _require(len(sizes) == 1,",
        caught_by=f"{FORMATS}::test_bytes_around_an_image_are_refused",
    ),
    Mutant(
        name="the text of a mail is not escaped in its HTML part",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/mail_layout.py",
        old="not line.startswith(console_url):\n        return escape(line)\n",
        new="not line.startswith(console_url):\n        return line\n",
        caught_by=f"{LAYOUT}::test_text_keeps_its_lines",
    ),
    Mutant(
        name="a mail links to more than pages of the console",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/mail_layout.py",
        old="is_console_page = CONSOLE_PAGE.fullmatch(line.removeprefix(console_url)) is not None\n",
        new="is_console_page = True\n",
        caught_by=f"{LAYOUT}::test_no_other_text_is_a_link",
    ),
    Mutant(
        name="a sender's name may have an address",
        safeguard=SAFEGUARD,
        file=f"{CORE}/rules/branding/sender.py",
        old='    shown = unicodedata.normalize("NFKC", name)\n',
        new="    shown = name\n",
        caught_by="tests/unit/test_mail_sender.py::test_name_with_an_address_is_refused",
    ),
    Mutant(
        name="an image belongs to no tenant",
        safeguard=SAFEGUARD,
        file=f"{POSTGRES}/0032_branding.sql",
        old="ALTER TABLE branding_images FORCE ROW LEVEL SECURITY;\n",
        new="",
        caught_by="tests/isolation/test_tables.py::test_every_table_follows_the_rule",
    ),
    Mutant(
        name="a live organization's branding can be deleted",
        safeguard=SAFEGUARD,
        file=f"{POSTGRES}/0032_branding.sql",
        old=" AND (SELECT is_ending((SELECT current_tenant()))));\n-- An image",
        new=");\n-- An image",
        caught_by="tests/stores/test_branding.py::test_branding_of_a_live_organization_is_not_deleted",
    ),
)
