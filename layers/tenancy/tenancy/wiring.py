"""Builds databases, queues, keys and the admission gate of a function from its settings.

A property imports its driver when it is used, because each import makes a cold start slower. A test in tests/cold_start
names the drivers that a function must not import.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from tenancy.rules.durations import (
    AWS_CALL_TIMEOUT_SECONDS,
    CLICKHOUSE_QUERY_TIMEOUT_SECONDS,
    DEPLOYED_SETTINGS_CALL_SECONDS,
    FETCH_CALL_TIMEOUT_SECONDS,
    PUBLICATION_REDIS_TIMEOUT_SECONDS,
)
from tenancy.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver

    from tenancy.gateway.nearest_reads import NearestReads
    from tenancy.gateway.serve import Handler
    from tenancy.gateway.trail import AuditTrail
    from tenancy.rules.access_tokens.verify import TokenClaims
    from tenancy.rules.host_names import PlatformHosts
    from tenancy.stores.aws.certificates import DomainCertificates
    from tenancy.stores.aws.client import AwsClient
    from tenancy.stores.aws.database_cluster import DatabaseCluster
    from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects
    from tenancy.stores.aws.dead_letters import DeadLetters
    from tenancy.stores.aws.deployed_settings import DeployedSettings
    from tenancy.stores.aws.domain_executions import DomainExecutions
    from tenancy.stores.aws.encryptor import Encryptor
    from tenancy.stores.aws.event_bus import EventBus
    from tenancy.stores.aws.event_queue import EventQueue
    from tenancy.stores.aws.executions import Executions
    from tenancy.stores.aws.export_links import ExportLinks
    from tenancy.stores.aws.exports import Exports
    from tenancy.stores.aws.fetch import Fetcher
    from tenancy.stores.aws.gateway_keys import GatewayKeys
    from tenancy.stores.aws.mail import Mailer
    from tenancy.stores.aws.redrive_queue import RedriveQueue
    from tenancy.stores.aws.register import Register
    from tenancy.stores.aws.rejected_call_queue import RejectedCallQueue
    from tenancy.stores.aws.secret_versions import SecretVersions
    from tenancy.stores.aws.secrets import Secrets
    from tenancy.stores.aws.sender_identities import SenderIdentities
    from tenancy.stores.aws.signer import Signer
    from tenancy.stores.clickhouse.client import Client
    from tenancy.stores.internet.names import Names
    from tenancy.stores.postgres.client import Database
    from tenancy.stores.postgres.homes import Homes, RoutedDatabases
    from tenancy.stores.redis.client import Redis
    from tenancy.use_cases.admission.admit import AdmissionGate
    from tenancy.use_cases.admission.domain_owners import DomainOwners
    from tenancy.use_cases.compliance.deployment import Deployment
    from tenancy.use_cases.domains.domain_stores import DomainStores
    from tenancy.use_cases.keys.sign_tokens import TokenSigner
    from tenancy.use_cases.keys.verify_tokens import TokenVerifier
    from tenancy.use_cases.keys.write_keys import WriteKeys


class Wiring:
    """The resources of one process.

    Each is built on first use and connects at its first call.
    """

    def __init__(self, settings: Settings) -> None:
        """Keep the settings and open no connection."""
        self.settings = settings

    @cached_property
    def secrets(self) -> "Secrets":
        """Secrets Manager, under the stack's prefix."""
        from tenancy.stores.aws.secrets import Secrets

        return Secrets(self._aws("secretsmanager"), self.settings.secrets_prefix)

    @cached_property
    def database(self) -> "Homes":
        """PostgreSQL with the functions' role.

        Row-level security limits it to one tenant.
        """
        from tenancy.stores.aws.secrets import DATABASE

        return self._routed(DATABASE)

    @cached_property
    def authorizer_database(self) -> "RoutedDatabases":
        """PostgreSQL with the authorizer's role, which may look up credentials and read no table."""
        from tenancy.stores.aws.secrets import AUTHORIZER_DATABASE

        return self._routed(AUTHORIZER_DATABASE)

    @cached_property
    def platform_database(self) -> "Homes":
        """PostgreSQL with the platform's role, for statements that cross organizations."""
        from tenancy.stores.aws.secrets import PLATFORM_DATABASE

        return self._routed(PLATFORM_DATABASE)

    @cached_property
    def nearest_reads(self) -> "NearestReads":
        """Reads with the functions' role, from the replica if the stack has one that may hold the data."""
        from tenancy.gateway.nearest_reads import open_nearest_reads
        from tenancy.stores.aws.secrets import DATABASE

        return open_nearest_reads(self.database, lambda: self.secrets.get_secret(DATABASE), self._replica)

    @property
    def _replica(self) -> tuple[str, int] | None:
        """Host and port of the replica, None without one that may hold the data."""
        from tenancy.rules.replica_reads import may_hold

        region = self.settings.replica_region or self.settings.region
        return self.settings.replica_address if may_hold(region, self.settings.pinned_region) else None

    @cached_property
    def owner_database(self) -> "RoutedDatabases":
        """PostgreSQL with the owner of the tables, for migrations only."""
        from tenancy.stores.aws.secrets import OWNER_DATABASE

        return self._routed(OWNER_DATABASE, as_owner=True)

    @cached_property
    def secret_versions(self) -> "SecretVersions":
        """The versions of secrets whose users are rotated."""
        from tenancy.stores.aws.secret_versions import SecretVersions

        return SecretVersions(self._aws("secretsmanager"), self.settings.secrets_prefix)

    def database_at(self, url: str) -> "Database":
        """Return PostgreSQL at *url*, which is in no secret that is in use."""
        from tenancy.stores.postgres.client import Database

        return Database(lambda: url)

    def clickhouse_reader(self, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS) -> "Callable[[], Client]":
        """Return the client that may only read tenants' tables.

        It connects at the first call.
        """
        from tenancy.stores.aws.secrets import CLICKHOUSE_READER

        return self._clickhouse(CLICKHOUSE_READER, timeout_seconds)

    def clickhouse_writer(self, *, timeout_seconds: int = CLICKHOUSE_QUERY_TIMEOUT_SECONDS) -> "Callable[[], Client]":
        """Return the client that may write and delete.

        It connects at the first call.
        """
        from tenancy.stores.aws.secrets import CLICKHOUSE

        return self._clickhouse(CLICKHOUSE, timeout_seconds)

    def redis(self, *, timeout_seconds: float) -> "Redis":
        """Return Redis with a time-out of *timeout_seconds* for each call."""
        from tenancy.stores.aws.secrets import REDIS
        from tenancy.stores.redis.client import Redis

        return Redis(lambda: self.secrets.get_secret(REDIS), timeout_seconds=timeout_seconds)

    @cached_property
    def request_redis(self) -> "Redis":
        """Redis for admission, with the time-out that the template sets."""
        return self.redis(timeout_seconds=self.settings.redis_timeout_seconds)

    @cached_property
    def publication_redis(self) -> "Redis":
        """Redis for publishing a standing after a commit.

        The time-out allows for a new connection.
        """
        return self.redis(timeout_seconds=PUBLICATION_REDIS_TIMEOUT_SECONDS)

    @cached_property
    def event_queue(self) -> "EventQueue":
        """The event queue, which load reads."""
        from tenancy.stores.aws.event_queue import EventQueue

        return EventQueue(self._sqs, self.settings.events_queue_url)

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """The dead-letter queue of the event queue."""
        from tenancy.stores.aws.dead_letters import DeadLetters

        return DeadLetters(self._sqs, self.settings.dead_letters_url)

    @cached_property
    def dead_letter_objects(self) -> "DeadLetterObjects":
        """The bucket of dead letters."""
        from tenancy.stores.aws.dead_letter_objects import DeadLetterObjects

        path_style = self.settings.aws_endpoint_url is not None
        return DeadLetterObjects(self.settings.region, self.settings.dead_letters_bucket, path_style=path_style)

    @cached_property
    def event_redrive(self) -> "RedriveQueue":
        """The event queue, for dead letters that are sent back."""
        from tenancy.stores.aws.redrive_queue import RedriveQueue

        return RedriveQueue(self._sqs, self.settings.events_queue_url)

    @cached_property
    def audit_redrive(self) -> "RedriveQueue":
        """The audit queue, for dead letters that are sent back."""
        from tenancy.stores.aws.redrive_queue import RedriveQueue

        return RedriveQueue(self._sqs, self.settings.audit_queue_url)

    @cached_property
    def rejected_call_queue(self) -> "RejectedCallQueue":
        """The queue of sampled calls of Segment SDKs."""
        from tenancy.stores.aws.rejected_call_queue import RejectedCallQueue

        return RejectedCallQueue(self._sqs, self.settings.rejected_calls_url)

    @cached_property
    def trail(self) -> "AuditTrail":
        """The audit trail of requests."""
        from tenancy.gateway.trail import AuditTrail
        from tenancy.stores.aws.audit_queue import AuditQueue

        return AuditTrail(AuditQueue(self._sqs, self.settings.audit_queue_url))

    @cached_property
    def signer(self) -> "Signer":
        """The KMS key that signs certificates and checkpoints."""
        from tenancy.stores.aws.signer import Signer

        return Signer(self._kms, self.settings.signing_key_id)

    @cached_property
    def encryptor(self) -> "Encryptor":
        """The KMS key that encrypts stored answers."""
        from tenancy.stores.aws.encryptor import Encryptor

        return Encryptor(self._kms, self.settings.encryption_key_id)

    @cached_property
    def sso_encryptor(self) -> "Encryptor":
        """The KMS key that encrypts client secrets of single sign-on."""
        from tenancy.stores.aws.encryptor import Encryptor

        return Encryptor(self._kms, self.settings.sso_key_id)

    @cached_property
    def gateway_keys(self) -> "GatewayKeys":
        """The keys and usage plans of API Gateway."""
        from tenancy.stores.aws.gateway_keys import GatewayKeys

        return GatewayKeys(self.settings.region, self.settings.usage_plans_path)

    @cached_property
    def gateway_key_removal(self) -> "GatewayKeys":
        """The keys of API Gateway, for a function that only deletes them."""
        from tenancy.stores.aws.gateway_keys import GatewayKeys

        return GatewayKeys(self.settings.region)

    @cached_property
    def exports(self) -> "Exports":
        """The bucket of exported files."""
        from tenancy.stores.aws.exports import Exports

        path_style = self.settings.aws_endpoint_url is not None
        return Exports(self.settings.region, self.settings.exports_bucket, path_style=path_style)

    @cached_property
    def register(self) -> "Register":
        """The register of erasures and ended keys."""
        from tenancy.stores.aws.register import Register

        return Register(self._aws("s3"), self.settings.register_bucket)

    @cached_property
    def export_links(self) -> "ExportLinks":
        """The links to exported files."""
        from tenancy.stores.aws.export_links import ExportLinks

        return ExportLinks(self.settings.region, self.settings.exports_bucket, self.settings.aws_endpoint_url)

    @cached_property
    def executions(self) -> "Executions":
        """The executions of the state machine that deletes organizations."""
        from tenancy.stores.aws.executions import Executions

        return Executions(self._aws("states"), self.settings.state_machine_arn)

    @cached_property
    def domain_executions(self) -> "DomainExecutions":
        """The executions of the state machine that serves the API at custom domains."""
        from tenancy.stores.aws.domain_executions import DomainExecutions

        return DomainExecutions(self._aws("states"), self.settings.domains_machine_arn)

    @cached_property
    def domain_stores(self) -> "DomainStores":
        """PostgreSQL, ACM, API Gateway and Route 53, for the resources of custom domains."""
        from tenancy.stores.aws.api_domains import ApiDomains
        from tenancy.stores.aws.target_records import TargetRecords
        from tenancy.use_cases.domains.domain_stores import DomainStores

        region, stack_name = self.settings.region, self.settings.stack_name
        return DomainStores(
            platform_db=self.platform_database,
            certificates=self.certificates,
            api_domains=ApiDomains(region, stack_name),
            target_records=TargetRecords(region, self.settings.hosted_zone_id),
            base_domain=self.settings.base_domain,
        )

    @cached_property
    def certificates(self) -> "DomainCertificates":
        """The certificates of custom domains, in ACM."""
        from tenancy.stores.aws.certificates import DomainCertificates

        return DomainCertificates(self.settings.region, self.settings.stack_name)

    @cached_property
    def mailer(self) -> "Mailer":
        """SES with the sender address of the platform."""
        from tenancy.stores.aws.mail import Mailer

        return Mailer(self.settings.region, self.settings.mail_from)

    def find_sender_identities(self) -> "SenderIdentities":
        """Return the identities of SES. The first use imports boto3, which most requests do not need."""
        return self._sender_identities

    @cached_property
    def _sender_identities(self) -> "SenderIdentities":
        from tenancy.stores.aws.sender_identities import SenderIdentities

        return SenderIdentities(self.settings.region)

    @cached_property
    def deployment(self) -> "Deployment":
        """The settings of the stack's queues, buckets and keys, as AWS has them."""
        from tenancy.use_cases.compliance.deployment import DeployedResources, Deployment

        settings = self.settings
        resources = DeployedResources(
            queues={
                "EventsQueue": settings.events_queue_url,
                "DeadLetters": settings.dead_letters_url,
                "RejectedCalls": settings.rejected_calls_url,
                "AuditQueue": settings.audit_queue_url,
                "AuditDeadLetters": settings.audit_dead_letters_url,
            },
            buckets={
                "ExportsBucket": settings.exports_bucket,
                "DeadLettersBucket": settings.dead_letters_bucket,
                "RegisterBucket": settings.register_bucket,
            },
            keys={"SealingKey": settings.encryption_key_id, "SsoKey": settings.sso_key_id},
        )
        return Deployment(self.make_deployed_settings, resources)

    def make_deployed_settings(self) -> "DeployedSettings":
        """Return the reader of settings. The first use imports boto3, which most requests do not need."""
        from tenancy.stores.aws.deployed_settings import DeployedSettings

        return DeployedSettings(
            self._aws("sqs", timeout_seconds=DEPLOYED_SETTINGS_CALL_SECONDS),
            self._aws("kms", timeout_seconds=DEPLOYED_SETTINGS_CALL_SECONDS),
            self.settings.region,
            path_style=self.settings.aws_endpoint_url is not None,
        )

    @property
    def api_url(self) -> str:
        """The start of each call of the API in mails. Only the local stack has no TLS."""
        scheme = "https" if self.settings.aws_endpoint_url is None else "http"
        return f"{scheme}://{self.settings.api_host}/v1"

    def database_cluster(self, cluster_id: str) -> "DatabaseCluster":
        """Return the cluster of Aurora that the stack has made."""
        from tenancy.stores.aws.database_cluster import DatabaseCluster

        return DatabaseCluster(self.settings.region, cluster_id)

    @cached_property
    def event_bus(self) -> "EventBus":
        """The default bus of EventBridge."""
        from tenancy.stores.aws.event_bus import EventBus

        return EventBus(self._aws("events"), self.settings.stack_name)

    @cached_property
    def fetcher(self) -> "Fetcher":
        """The function that fetches URLs and DNS records of tenants."""
        from tenancy.stores.aws.fetch import Fetcher

        lambda_service = self._aws("lambda", timeout_seconds=FETCH_CALL_TIMEOUT_SECONDS)
        return Fetcher(lambda_service, self.settings.fetch_function)

    @cached_property
    def names(self) -> "Names":
        """The DNS resolver, for names of tenants."""
        from tenancy.stores.internet.names import Names

        return Names(self.settings.dns_resolver)

    def gate(self, database: "Callable[[], Homes]") -> "AdmissionGate":
        """Return the admission gate, after a try to connect Redis.

        It opens *database* only for a standing that Redis does not have.
        """
        from tenancy.use_cases.admission.admit import AdmissionGate

        self.request_redis.connect()
        return AdmissionGate(self.request_redis, database)

    def handler(
        self, app: "APIGatewayRestResolver", database: "Homes", reads: "NearestReads | None" = None
    ) -> "Handler":
        """Return the Lambda handler of *app*, whose requests are admitted, audited and resolved to one organization.

        Admission reads *database* only for a standing that Redis does not have. A host that is none of the platform's
        is looked up there. If the stack has a replica, answers to writes have read tokens, those of *reads* if the
        function has them.
        """
        from tenancy.gateway.resolver import handler_of

        add_read_token = None
        if self._replica is not None:
            from tenancy.gateway.nearest_reads import add_time_token

            add_read_token = add_time_token if reads is None else reads.add_token
        return handler_of(
            app,
            hosts=self.platform_hosts,
            domain_owners=self.domain_owners(lambda: database),
            upgrade_url=self.settings.upgrade_url,
            trail=self.trail,
            gate=self.gate(lambda: database),
            add_read_token=add_read_token,
        )

    @property
    def platform_hosts(self) -> "PlatformHosts":
        """The hosts of the platform."""
        from tenancy.rules.host_names import PlatformHosts

        return PlatformHosts(base_domain=self.settings.base_domain, api_host=self.settings.api_host)

    def domain_owners(self, database: "Callable[[], Homes]") -> "DomainOwners":
        """Return the owners of custom domains, which are looked up in *database*."""
        from tenancy.use_cases.admission.domain_owners import DomainOwners

        return DomainOwners(database, self.platform_hosts)

    @cached_property
    def write_keys(self) -> "WriteKeys":
        """The look-up of write keys, for routes without an authorizer."""
        from tenancy.use_cases.keys.write_keys import WriteKeys

        return WriteKeys(self.authorizer_database)

    @cached_property
    def token_signer(self) -> "TokenSigner":
        """The private keys of access tokens, which one function may read."""
        from tenancy.stores.aws.secrets import TOKEN_SIGNING_KEYS
        from tenancy.use_cases.keys.sign_tokens import TokenSigner

        return TokenSigner(lambda: self.secrets.get_secret(TOKEN_SIGNING_KEYS), issuer=self.settings.token_issuer)

    @cached_property
    def token_verifier(self) -> "TokenVerifier":
        """The public keys of access tokens: those of the platform, and those of the operator."""
        from tenancy.stores.aws.secrets import JWKS, TOKEN_PUBLIC_KEYS
        from tenancy.use_cases.keys.verify_tokens import TokenVerifier

        return TokenVerifier(
            lambda seconds: self.secrets.find_secret(TOKEN_PUBLIC_KEYS, max_age_seconds=seconds),
            lambda seconds: self.secrets.find_secret(JWKS, max_age_seconds=seconds),
            issuer=self.settings.token_issuer,
        )

    def verify_token(self, token: str, now: datetime) -> "TokenClaims":
        """Return the claims of the access token *token*.

        Raises:
            UnauthenticatedError: the token is not valid at *now*.
            KeySetError: a key of the operator must not verify tokens. The metric `KeySetRefused` counts each try.
            UnavailableError: a secret could not be read, or no key exists yet.
        """
        from tenancy.gateway.metrics import KEY_SET_REFUSED, count
        from tenancy.rules.access_tokens.public_keys import KeySetError

        try:
            return self.token_verifier.verify(token, now=now)
        except KeySetError as error:
            count(KEY_SET_REFUSED, {"reason": str(error)})
            raise

    def _routed(self, secret: str, *, as_owner: bool = False) -> "RoutedDatabases":
        from tenancy.stores.postgres.homes import RoutedDatabases

        return RoutedDatabases(
            lambda: self.secrets.get_secret(secret),
            read_again=lambda: self.secrets.get_fresh_secret(secret),
            secret=secret,
            as_owner=as_owner,
        )

    def _clickhouse(self, secret: str, timeout_seconds: int) -> "Callable[[], Client]":
        @cache
        def connected() -> "Client":
            from tenancy.stores.clickhouse.client import connect

            return connect(self.secrets.get_secret(secret), timeout_seconds=timeout_seconds)

        return connected

    @cached_property
    def _sqs(self) -> "AwsClient":
        return self._aws("sqs")

    @cached_property
    def _kms(self) -> "AwsClient":
        return self._aws("kms")

    def _aws(self, service: str, *, timeout_seconds: float = AWS_CALL_TIMEOUT_SECONDS) -> "AwsClient":
        from tenancy.stores.aws.client import AwsClient

        return AwsClient(service, self.settings.region, self.settings.aws_endpoint_url, timeout_seconds=timeout_seconds)
