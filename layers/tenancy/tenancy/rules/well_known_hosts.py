"""Names of hosts that software or people look for below any domain.

No organization may get one.

A mail server asks `mta-sts.<domain>` for its policy, a browser asks `wpad.<domain>` for its proxy. An organization with
such a subdomain would answer for the platform. The sources of the names stand beside them.
"""

import re
from collections.abc import Callable
from typing import Final

# RFC 2219 (BCP 17, aliases of network services), RFC 2142 (mailbox names, often hosts as well).
SERVICES: Final = frozenset({
    "archie", "finger", "gopher", "ldap", "marketing", "news", "noc", "ntp", "ph", "rwhois", "sales", "usenet", "uucp",
    "wais", "whois",
})  # fmt: skip
# RFC 8461 (mta-sts), draft-koch-openpgp-webkey-service (openpgpkey), RFC 6186 and RFC 8314 (mail), RFC 6764
# (calendars), RFC 7489, 6376, 7208 and 8460 (labels that are used with an underscore), Mozilla's autoconfiguration,
# "External Domain Name System records for Microsoft 365".
MAIL: Final = frozenset({
    "acme-challenge", "autoconfig", "autodiscover", "bimi", "caldav", "calendar", "carddav", "contacts", "dkim",
    "dmarc", "domainkey", "enterpriseenrollment", "enterpriseregistration", "exchange", "imap4", "imaps", "lists",
    "lyncdiscover", "mailer-daemon", "mailhost", "mailserver", "msoid", "mta-sts", "newsletter", "no-reply",
    "openpgpkey", "outlook", "owa", "pop3", "pop3s", "pops", "smtps", "spf", "submission", "submissions", "tls-rpt",
    "tlsrpt",
})  # fmt: skip
# RFC 6761, 6762, 7686, 8375 (special names), RFC 3927 and 5214 (isatap), draft-ietf-wrec-wpad (wpad), RFC 4120
# (kerberos), RFC 8489 and 8656 (stun, turn), RFC 6120 (xmpp).
NETWORK: Final = frozenset({
    "broadcasthost", "example", "internal", "invalid", "ip6-localhost", "ip6-loopback", "ipv4only", "isatap", "jabber",
    "kdc", "kerberos", "local", "localdomain", "localhost", "loghost", "loopback", "onion", "resolver", "router",
    "stun", "syslog", "time", "turn", "wpad", "xmpp",
})  # fmt: skip
WELL_KNOWN: Final = SERVICES | MAIL | NETWORK
# Hosts of which a domain has several (`ns5`, `www2`, `mx-01`). Source of the numbered names:
# https://github.com/nkkollaw/reserved-subdomains, and the names of RFC 2219.
NUMBERED: Final = frozenset({
    "autodiscover", "cdn", "db", "dc", "dns", "email", "ftp", "gateway", "gw", "host", "imap", "ldap", "mail", "mta",
    "mx", "ns", "ntp", "pop", "proxy", "relay", "server", "sftp", "sip", "smtp", "static", "vpn", "web", "webmail",
    "www",
})  # fmt: skip


def compile_reserved(skeleton: Callable[[str], str]) -> re.Pattern[str]:
    """Return the pattern of the reserved names, as *skeleton* shows them, without hyphens.

    Digits that look like letters are letters in a skeleton: `[ol2-9]` is a digit or looks like one.
    """
    known = sorted(skeleton(name).replace("-", "") for name in WELL_KNOWN)
    numbered = sorted(map(skeleton, NUMBERED))
    return re.compile(f"(?:{'|'.join(known)}|(?:{'|'.join(numbered)})[ol2-9]*)")
