"""Defects of what stands between a request and the stores."""

from typing import Final

from scripts.prove.mutant import CORE, Mutant

MUTANTS: Final = (
    Mutant(
        name="the header is not held against the credential",
        wall="principal first",
        file=f"{CORE}/gateway/mentions.py",
        old='    ("x-organization-id", MentionSource.HEADER),\n',
        new="",
    ),
    Mutant(
        name="the host is not held against the credential",
        wall="principal first",
        file=f"{CORE}/gateway/mentions.py",
        old='    ("host", MentionSource.HOST),\n',
        new="",
    ),
    Mutant(
        name="the query is not held against the credential",
        wall="principal first",
        file=f"{CORE}/gateway/mentions.py",
        old="return (*headers, *path, *query, *find_mentions(body))",
        new="return (*headers, *path, *find_mentions(body))",
    ),
    Mutant(
        name="the body is not held against the credential",
        wall="principal first",
        file=f"{CORE}/gateway/mentions.py",
        old="return (*headers, *path, *query, *find_mentions(body))",
        new="return (*headers, *path, *query)",
    ),
    Mutant(
        name="a call of a batch is not held against the credential",
        wall="principal first",
        file=f"{CORE}/use_cases/ingest/parse_batch.py",
        old="        _require_own(tenant, find_mentions(raw))\n",
        new="",
    ),
    Mutant(
        name="another's path is answered as forbidden",
        wall="principal first",
        file=f"{CORE}/rules/resolution.py",
        old="ResolutionOutcome.FOREIGN_PATH if MentionSource.PATH in disagreeing else ResolutionOutcome.MISMATCH",
        new="ResolutionOutcome.MISMATCH",
    ),
    Mutant(
        name="a platform key may name an organization in a header",
        wall="principal first",
        file=f"{CORE}/rules/resolution.py",
        old="if mention.source is MentionSource.HEADER:\n                return MentionVerdict.DISAGREES",
        new="if mention.source is MentionSource.HEADER:\n                return MentionVerdict.AGREES",
    ),
    Mutant(
        name="a route has no authorizer",
        wall="credentials",
        file="template.yaml",
        old="Read: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /usage, Method: GET}}",
        new="Read: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /usage, Method: GET, Auth: {Authorizer: NONE}}}",
    ),
    Mutant(
        name="tokens from before a revocation are accepted",
        wall="credentials",
        file=f"{CORE}/use_cases/keys/authenticate.py",
        old="if member is None or member.epoch != claims.epoch:",
        new="if member is None:",
    ),
    Mutant(
        name="expired keys are accepted",
        wall="credentials",
        file=f"{CORE}/use_cases/keys/authenticate.py",
        old="if holder is None or (holder.expires_at is not None and holder.expires_at <= now):",
        new="if holder is None:",
    ),
    Mutant(
        name="the second of two credentials is not looked at",
        wall="credentials",
        file=f"{CORE}/rules/credentials.py",
        old="if len(values) != 1:",
        new="if not values:",
    ),
    Mutant(
        name="a token may bring its own key",
        wall="credentials",
        file=f"{CORE}/rules/tokens.py",
        old="if not HEADER_MEMBERS.issuperset(members) or not isinstance(kid, str) or kid not in self.keys:",
        new="if not isinstance(kid, str) or kid not in self.keys:",
    ),
    Mutant(
        name="one cache entry serves every write key",
        wall="nothing kept between requests but by digest",
        file=f"{CORE}/use_cases/keys/write_keys.py",
        old="found = self._known.get(key.digest)",
        new="found = next(iter(self._known.values()), None)",
    ),
    Mutant(
        name="organizations of a tier share a gateway key",
        wall="gateway key per organization",
        file=f"{CORE}/use_cases/keys/authenticate.py",
        old="gateway_key=holder.gateway_key)",
        new="gateway_key=holder.tier)",
    ),
    Mutant(
        name="the request's log line names the organization",
        wall="logs",
        file=f"{CORE}/gateway/serve.py",
        old='        credential_id=caller.get("credential_id"),\n',
        new='        credential_id=caller.get("credential_id"),\n        subdomain=caller.get("subdomain"),\n',
    ),
    Mutant(
        name="an e-mail address is printed",
        wall="logs",
        file="functions/provision/app.py",
        old="    actor, now = actor_of(request_of(app), operator), datetime.now(UTC)\n",
        new="    actor, now = actor_of(request_of(app), operator), datetime.now(UTC)\n    print(new.admin_email)\n",
    ),
)
