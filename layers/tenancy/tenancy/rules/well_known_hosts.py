"""Names of hosts that software or people look for below any domain.

No organization may get one.

A mail server asks `mta-sts.<domain>` for its policy, a browser asks `wpad.<domain>` for its proxy. An organization with
such a subdomain would answer for the platform. The sources of the names stand beside them.
"""

import re
from collections.abc import Iterable
from typing import Final

# RFC 2219 (BCP 17, aliases of network services), RFC 2142 (mailbox names, often hosts as well), RFC 4642 (nntps), RFC
# 7194 (ircs), RFC 4513 (ldaps), RFC 4217 (ftps).
SERVICES: Final = frozenset({
    "archie", "finger", "ftps", "gopher", "irc", "ircs", "ldap", "ldaps", "marketing", "news", "nntp", "nntps", "noc",
    "ntp", "ph", "rwhois", "sales", "usenet", "uucp", "wais", "whois",
})  # fmt: skip
# RFC 8461 (mta-sts), draft-koch-openpgp-webkey-service (openpgpkey), RFC 6186 and RFC 8314 (mail), RFC 6764
# (calendars), RFC 7489, 6376, 7208 and 8460 (labels that are used with an underscore), Mozilla's autoconfiguration,
# "External Domain Name System records for Microsoft 365".
MAIL: Final = frozenset({
    "acme-challenge", "autoconfig", "autodiscover", "bimi", "caldav", "caldavs", "calendar", "carddav", "carddavs",
    "contacts", "dkim", "dmarc", "domainkey", "enterpriseenrollment", "enterpriseregistration", "exchange", "imap4",
    "imaps", "lists", "lyncdiscover", "mailer-daemon", "mailhost", "mailserver", "msoid", "mta-sts", "newsletter",
    "no-reply", "openpgpkey", "outlook", "owa", "pop3", "pop3s", "pops", "smtps", "spf", "submission",
    "submissions", "tls-rpt", "tlsrpt",
})  # fmt: skip
# RFC 6761, 6762, 7686, 8375 (special names), RFC 3927 and 5214 (isatap), draft-ietf-wrec-wpad (wpad), RFC 4120
# (kerberos), RFC 7064 and 7065 (stun, stuns, turn, turns), RFC 6120 (xmpp), RFC 3263 (sips).
NETWORK: Final = frozenset({
    "broadcasthost", "example", "internal", "invalid", "ip6-localhost", "ip6-loopback", "ipv4only", "isatap", "jabber",
    "kdc", "kerberos", "local", "localdomain", "localhost", "loghost", "loopback", "onion", "resolver", "router",
    "sips", "stun", "stuns", "syslog", "time", "turn", "turns", "wpad", "xmpp",
})  # fmt: skip
# Hosts that take mail and pass it on (`mail-in`, `smtp-out`, `mx-gw`).
MAIL_RELAYS: Final = frozenset(
    f"{service}-{role}"
    for service in ("mail", "mx", "smtp")
    for role in (
        "auth", "backup", "gate", "gateway", "gw", "host", "hub", "in", "inbound", "out", "outbound", "proxy", "relay",
        "server",
    )
)  # fmt: skip
# Hosts of which a domain has several (`ns5`, `www2`, `mx-01`). Source of the names:
# https://github.com/nkkollaw/reserved-subdomains, and the names of RFC 2219.
NUMBERED: Final = frozenset({
    "autodiscover", "cdn", "db", "dc", "dns", "email", "ftp", "gateway", "gw", "host", "imap", "ldap", "mail", "mta",
    "mx", "ns", "ntp", "pop", "proxy", "relay", "server", "sftp", "sip", "smtp", "static", "vpn", "web", "webmail",
    "www",
})  # fmt: skip
WELL_KNOWN: Final = SERVICES | MAIL | MAIL_RELAYS | NETWORK | NUMBERED


def compile_numbered(skeletons: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of *skeletons* with a number behind them, which is its group.

    Digits that look like letters are letters in a skeleton: `[ol2-9]` is a digit or looks like one. The caller tells
    `dev0` from `devo`. A shorter name comes first, so that the number is the longest one.
    """
    return re.compile(f"(?:{'|'.join(sorted(skeletons))})([ol2-9]+)")
