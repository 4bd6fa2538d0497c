"""Every duration of the system.

Constants that end in `_SECONDS` or `_MS` are numbers for a driver. A name says whose duration it is.
tests/template/test_durations.py compares these values with the time-outs and retention periods in template.yaml.
"""

from datetime import timedelta
from typing import Final

ONE_DAY: Final = timedelta(days=1)
ONE_MINUTE: Final = timedelta(minutes=1)
ONE_SECOND: Final = timedelta(seconds=1)
ONE_MILLISECOND: Final = timedelta(milliseconds=1)
OFFSET_SEARCH_STEP: Final = timedelta(hours=1)  # no time zone changes its offset twice within an hour

# Function time-outs (template.yaml). A function ends its own work before Lambda ends the function.
LONGEST_FUNCTION_RUN: Final = timedelta(minutes=15)  # erase, privacy_jobs and roll_up: Lambda's maximum
SWEEP_WORK_TIME_SECONDS: Final = 30  # of a time-out of 60 s. No entry starts later: one may take 28 s.
DRAIN_WORK_TIME_SECONDS: Final = 30  # of a time-out of 60 s. No object is stored later.
PRIVACY_JOBS_WORK_TIME_SECONDS: Final = 600  # of a time-out of 900 s. No job or file of an export starts later.
CLOUDFORMATION_ANSWER_TIMEOUT_SECONDS: Final = 10

# Calls of AWS
AWS_CALL_TIMEOUT_SECONDS: Final = 5.0
AWS_CONNECT_TIMEOUT_SECONDS: Final = 2
BOTO_READ_TIMEOUT_SECONDS: Final = 5
S3_READ_TIMEOUT_SECONDS: Final = 30
DEAD_LETTERS_READ_TIMEOUT_SECONDS: Final = 5  # of the bucket of dead letters, whose objects are at most 1 MiB
DATABASE_CLUSTER_READ_TIMEOUT_SECONDS: Final = 10
# Both fit into the 120 seconds of bootstrap.
DATABASE_CLUSTER_STATE_TIMEOUT_SECONDS: Final = 45.0  # RDS refuses a change while another one is under way
DATABASE_CLUSTER_STATE_PAUSE_SECONDS: Final = 5.0
SECRET_CACHE_SECONDS: Final = 300.0
SECRET_RETRY_SECONDS: Final = 5.0  # after a failed read, and after one that lacks the name of a database
TOKEN_KEYS_CACHE_SECONDS: Final = 240.0  # of public keys: a withdrawal applies within 6 minutes, slow reads included

# URLs and DNS names of tenants
FETCH_WORK_TIME_SECONDS: Final = 8.0  # of a time-out of 15 s. No connection, redirect or look-up goes on later.
FETCH_CONNECT_TIMEOUT_SECONDS: Final = 3.0  # of one address. The next address is tried then.
DNS_LOOK_UP_SECONDS: Final = 4.0  # with all retries
FETCH_CALL_TIMEOUT_SECONDS: Final = 14.0  # of the call of `fetch`, cold start included

# PostgreSQL
POSTGRES_CONNECT_TIMEOUT_SECONDS: Final = 3
POSTGRES_SILENCE_LIMIT_MS: Final = 5_000  # a server that failed over without closing its connections
POSTGRES_KEEPALIVE_SECONDS: Final = 30
REPLICA_LAG_LIMIT: Final = timedelta(seconds=10)  # a replica that is further behind the primary answers no reads
CLOCK_TOLERANCE: Final = timedelta(seconds=1)  # between the clocks of two functions, or of two servers
REPLICA_CONNECT_SECONDS: Final = 2  # for each address of the replica; psycopg waits no shorter
REPLICA_STATEMENT_SECONDS: Final = 5  # of a time-out of 29 s. Then the primary answers the read.
REPLICA_STATE_SECONDS: Final = 2.0  # for the state of a replica. Then its connection is cut.
REPLICA_TRANSACTION_SECONDS: Final = 6.0  # for the answer after that. Then its connection is cut.
REPLICA_PAUSE_SECONDS: Final = 30.0  # after a replica was unreachable or too slow; doubles while it is unreachable
REPLICA_LONGEST_PAUSE_SECONDS: Final = 300.0
LONGEST_MOVE: Final = timedelta(days=1)  # then `tenancy_mover` may not log in any more, and an alarm goes on
HOME_CACHE_SECONDS: Final = 60  # of the directory. A stale entry costs one more round trip.
VALUE_CLAIM_TIME: Final = timedelta(minutes=20)  # longer than any function runs
TABLE_FIRST_PAUSE: Final = timedelta(milliseconds=500)  # of `migrate` before it tries a used table again
TABLE_MAX_PAUSE: Final = timedelta(seconds=8)

# ClickHouse
CLICKHOUSE_CONNECT_TIMEOUT_SECONDS: Final = 3
CLICKHOUSE_QUERY_TIMEOUT_SECONDS: Final = 20  # of the 29 s after which API Gateway gives up
CLICKHOUSE_LAST_ANSWER_SECONDS: Final = 2  # in which the server says that it ended a query at its limit
MIGRATION_QUERY_TIMEOUT_SECONDS: Final = 280  # of migrate's time-out of 300 s
SCHEDULED_QUERY_TIMEOUT_SECONDS: Final = 800  # of the time-out of 900 s of erase, privacy_jobs and roll_up
LONGEST_QUERY: Final = timedelta(minutes=15)  # the server ends a query, also one without a client

# Redis. A request waits `Settings.redis_timeout_seconds`.
REDIS_STEP_TIMEOUT_SECONDS: Final = 1.0  # of one connect, send or receive. The caller may have given up before.
REDIS_START_TIMEOUT_SECONDS: Final = 1.0  # of the connection that a function opens before its first request
REDIS_FIRST_BREAK_SECONDS: Final = 0.25
REDIS_MAX_BREAK_SECONDS: Final = 2.0
PUBLICATION_REDIS_TIMEOUT_SECONDS: Final = 3.0  # enough for a cold connection
SWEEP_REDIS_TIMEOUT_SECONDS: Final = 10.0
ERASE_REDIS_TIMEOUT_SECONDS: Final = 10.0
ROLL_UP_REDIS_TIMEOUT_SECONDS: Final = 30.0
STANDING_TTL: Final = timedelta(seconds=60)
COUNTER_RETENTION: Final = timedelta(days=7)  # after the month that a counter counts
LAST_USE_RETENTION: Final = timedelta(days=7)  # of hours that no roll-up has persisted yet

# Answers to clients
PREFLIGHT_MAX_AGE_SECONDS: Final = 7200
DOCUMENT_MAX_AGE_SECONDS: Final = 3600  # of the OpenAPI document, which changes with a release
HTTPS_ONLY_SECONDS: Final = 365 * 24 * 3600  # after a visit of a host, browsers use HTTPS only for this time
HASHED_FILE_MAX_AGE_SECONDS: Final = 365 * 24 * 3600  # of the console, whose names change with the content
BRANDING_MAX_AGE_SECONDS: Final = 60  # a change, a downgrade and a suspension show after this time
IMAGE_MAX_AGE_SECONDS: Final = 31_536_000  # of an image, whose URL changes with its content
SDK_SETTINGS_MAX_AGE_SECONDS: Final = 60
KEY_SET_MAX_AGE_SECONDS: Final = 60  # a withdrawn key stays in caches for this time
QUOTA_RETRY_AFTER_SECONDS: Final = 3600  # hourly: a larger tier may come before the next month
MAX_RESERVATION_SECONDS: Final = 24 * 3600

# Lists of events in the order of storage. An insert that takes longer than the delay may be missed by a client that
# polls.
RECEIVED_EVENTS_DELAY: Final = timedelta(seconds=10)
RECEIVED_EVENTS_SPAN: Final = timedelta(hours=48)  # of one page
TRACED_SPAN: Final = timedelta(days=7)  # of the times of events that are traced by their id alone
LAST_STORAGE_SPAN: Final = timedelta(days=7)  # in which the organization's last event is searched
QUEUE_AGE_SPAN: Final = timedelta(minutes=15)  # of the storage of events whose delivery times tell the queue's age

# Credentials
ACCESS_TOKEN_LIFE: Final = timedelta(minutes=15)  # of a token that the platform signs
TOKEN_LEEWAY_SECONDS: Final = 60
MAX_TOKEN_LIFE_SECONDS: Final = 24 * 3600  # from `iat` to `exp`; a token cannot be revoked one by one
TOKEN_KEY_PERIOD: Final = timedelta(days=30)  # in which one key signs access tokens
TOKEN_KEY_PUBLICATION_TIME: Final = timedelta(minutes=15)  # in which a key is published before it signs
# A key that no longer signs is published for this time: a process signs with it until it reads the secret again, and
# the last token lives on.
TOKEN_KEY_REMOVAL_DELAY: Final = (
    timedelta(seconds=SECRET_CACHE_SECONDS) + ACCESS_TOKEN_LIFE + timedelta(seconds=TOKEN_LEEWAY_SECONDS)
)
UNKNOWN_KEY_PAUSE_SECONDS: Final = 30.0  # between two reads of the public keys for tokens whose key is unknown
SESSION_IDLE_TIME: Final = timedelta(days=30)  # since the last refresh
SESSION_MAX_LIFETIME: Final = timedelta(days=90)  # since the log-in
SUCCESSOR_RETENTION: Final = timedelta(seconds=30)  # a used refresh token gets the same successor again
LOG_IN_COUNTING_TIME: Final = timedelta(minutes=15)  # of failed log-ins. No account is locked for longer.
THIRD_LOG_IN_DELAY: Final = timedelta(seconds=5)  # after the third failed log-in
FOURTH_LOG_IN_DELAY: Final = timedelta(seconds=30)
DOMAIN_OWNER_CACHE_TIME: Final = timedelta(seconds=60)  # of the owner of a custom domain, beside a credential
DOMAIN_OWNER_STALE_TIME: Final = timedelta(minutes=10)  # longer a kept owner is not used without the database
DOMAIN_LOOK_UP_PAUSE: Final = timedelta(seconds=5)  # after a look-up of a custom domain that found no database
WRITE_KEY_CACHE_TIME: Final = timedelta(seconds=60)  # equals the authorizer's cache time in template.yaml
RECENT_KEY_ENDS_TIME: Final = timedelta(hours=2)  # of platform keys, which the sweep registers: two hourly runs
PLATFORM_KEY_ROTATION: Final = timedelta(days=90)  # after which a platform key is to be rotated
MAX_KEY_LIFETIME: Final = timedelta(days=3_650)  # of a key with an end
MAX_OVERLAP_SECONDS: Final = 7 * 24 * 3600  # in which a rotated key still works beside its successor
MIN_OWN_OVERLAP: Final = timedelta(minutes=1)  # of a key that rotates itself, so that it can repeat the request
OLD_GATEWAY_KEY_LIFETIME: Final = timedelta(minutes=2)  # longer than API Gateway caches an authorizer's answer

# Single sign-on
SSO_LOG_IN_TIME: Final = timedelta(minutes=10)  # from the start until the provider's answer
SSO_CODE_LIFETIME: Final = timedelta(minutes=1)
SSO_PROOF_TIME: Final = timedelta(minutes=1)  # from the use of a state. Longer than the time-out of 29 s.
METADATA_MAX_AGE: Final = timedelta(days=1)  # of a provider; then a log-in reads it again
PROVIDER_KEYS_MAX_AGE: Final = timedelta(hours=1)
# Of a time-out of 29 s. No call of a provider starts later in a log-in, so a slow provider ends in a refusal.
PROVIDER_CALLS_START_TIME: Final = timedelta(seconds=12)
PROVIDER_KEYS_PAUSE: Final = timedelta(seconds=30)  # between two reads for tokens whose key is unknown
SSO_ENDED_RESET_LIFETIME: Final = timedelta(days=7)  # of a reset token for a member who had single sign-on only
SAML_METADATA_PAUSE: Final = timedelta(minutes=5)  # between two reads for answers that no known key has signed
SAML_LEEWAY: Final = timedelta(minutes=1)  # between the clocks of a SAML provider and of the platform

# Senders of mails
SENDER_IDENTITY_MAX_AGE: Final = timedelta(minutes=5)  # then a mail asks SES again

# One-time tokens of mails
INVITATION_LIFETIME: Final = timedelta(days=7)
PASSWORD_RESET_LIFETIME: Final = timedelta(hours=1)
TOKEN_MAILS_TIME: Final = timedelta(hours=1)  # in which an address gets a limited number of mails per purpose
ENDED_TOKEN_RETENTION: Final = TOKEN_MAILS_TIME  # of used and expired ones, which count against that number

# E-mail domains
DOMAIN_CHECK_INTERVAL: Final = timedelta(days=7)  # of a proof
DOMAIN_RECHECK_INTERVAL: Final = timedelta(days=1)  # of a proof that was missing, or whose DNS servers did not answer
MISSING_PROOF_TIME: Final = timedelta(days=5)  # after which a missing proof is withdrawn
DOMAIN_CHECKS_START_SECONDS: Final = 600  # of the roll-up's time-out of 900 s. No check of a domain starts later.

# Custom domains
DOMAIN_POLL_INTERVAL: Final = timedelta(minutes=10)  # between two looks at the records, or at the certificate
CERTIFICATE_WARNING_TIME: Final = timedelta(days=30)  # before the end of a certificate. ACM renews it 60 days before.
CERTIFICATE_RECORD_SECONDS: Final = 10  # until ACM knows the record that validates a new certificate
# After which the records, the certificate or the routing fail: longer than the 72 hours for which ACM looks.
DOMAIN_STAGE_TIME: Final = timedelta(hours=74)
# After the next step was due; then the sweep starts another execution. Longer than all retries of one step.
DOMAIN_EXECUTION_LOST_AFTER: Final = timedelta(hours=1)
CERTIFICATE_REQUESTS_PERIOD: Final = timedelta(days=30)  # in which an organization can request a number of certificates
REFUSED_DOMAIN_PAUSE: Final = timedelta(hours=1)  # after a refusal of AWS. Each further one in a row doubles it.
LONGEST_REFUSED_DOMAIN_PAUSE: Final = timedelta(days=7)
TARGET_RECORD_TTL_SECONDS: Final = 300  # of the DNS record that a CNAME record of a custom domain leads to
DOMAIN_LEASE_TIME: Final = timedelta(minutes=2)  # longer than the time-out of the function that holds it

# Leases: one holder at a time
SWEEP_LEASE_TIME: Final = timedelta(minutes=2)  # longer than the sweep's time-out
ROLL_UP_LEASE_TIME: Final = LONGEST_FUNCTION_RUN + LONGEST_QUERY
RELEASE_LEASE_TIME: Final = ROLL_UP_LEASE_TIME  # the roll-up releases held events, too
REDRIVE_LEASE_TIME: Final = timedelta(minutes=1)  # longer than the time-out of the routes of dead letters

# Claims: one worker per entry or job
OUTBOX_CLAIM_TIME: Final = timedelta(minutes=2)  # longer than any function that runs outbox entries
# Longer than PUBLICATION_REDIS_TIMEOUT_SECONDS, for which the request that holds the claim waits for Redis. Shorter
# than STANDING_TTL: if the request dies, the sweep can publish the standing before Redis forgets the old one by itself.
# Two runs at once do no harm.
PUBLICATION_CLAIM_TIME: Final = timedelta(seconds=5)
PROVISIONING_CLAIM_TIME: Final = timedelta(seconds=60)  # twice provision's time-out
PRIVACY_JOB_CLAIM_TIME: Final = LONGEST_FUNCTION_RUN + LONGEST_QUERY  # a run's last query may outlive the run

# Retries
OUTBOX_FIRST_BACKOFF: Final = timedelta(seconds=30)
OUTBOX_MAX_BACKOFF: Final = timedelta(hours=1)
PRIVACY_JOB_RETRY_AFTER: Final = timedelta(minutes=1)
ERASURE_RETRY_AFTER: Final = timedelta(minutes=1)
ERASURE_MIN_RETRY_AFTER: Final = timedelta(seconds=1)  # for rows that are younger than the wait for writers
REPLAYED_ERASURE_TIME: Final = timedelta(minutes=10)  # of a replay, for rows that are older than the wait for writers

# Provisioning, and repeated requests
IDEMPOTENT_ANSWER_RETENTION: Final = timedelta(hours=24)
SUBDOMAIN_QUARANTINE: Final = timedelta(days=365)  # the subdomain of an erased organization is not reused before

# Usage
# An insert may begin before a roll-up starts and become visible after it. So each roll-up, and each read of usage that
# is not rolled up yet, also counts rows written in this time before. No insert may take longer (docs/operations.md).
SETTLING_TIME: Final = timedelta(minutes=15)
MONTH_CLOSING_TIME: Final = timedelta(days=3)  # after the end of a month its bill is final
LONGEST_DELIVERY_TIME: Final = timedelta(days=30)  # of an event: 14 days in a queue, 14 more if redriven, and clocks
EXPIRED_RESERVATION_RETENTION: Final = timedelta(days=7)
DOWNGRADE_RETENTION: Final = timedelta(days=30)  # after a downgrade the longer retention of the old tier still applies

# Audit
REFUSAL_COUNTING_TIME: Final = timedelta(minutes=2)  # a minute of refusals, and a minute in the queue
REFUSAL_RETENTION: Final = timedelta(days=30)  # a queue keeps a message for 14 days, its dead-letter queue for 14 more

# Exports
EXPORT_FILE_RETENTION: Final = timedelta(days=7)  # the bucket deletes later: files that a dead worker left
EXPORT_LINK_LIFETIME: Final = timedelta(hours=12)  # at most: a link ends with the session of the role that signed it

# Dead letters
DEAD_LETTER_RETENTION: Final = timedelta(days=14)  # after the first receipt, as long as a queue keeps a message
REDRIVE_WORK_TIME_SECONDS: Final = 10  # of a time-out of 29 s. No letter is read or sent later.
CALL_SAMPLE_INTERVAL: Final = timedelta(minutes=1)  # of one organization and process

# Erasures of data subjects
# The pass after one that found rows. By then every job and roll-up that ran beside that one has ended, and its rows are
# visible.
ERASURE_NEXT_PASS_AFTER: Final = PRIVACY_JOB_CLAIM_TIME + SETTLING_TIME
ERASURE_LATER_PASS_INTERVAL: Final = ONE_DAY
SUBJECT_DIGEST_RETENTION: Final = timedelta(days=30)  # a queue keeps a message for 14 days, 14 more if redriven

# Restores
BACKUP_RETENTION: Final = timedelta(days=35)  # of the oldest backup of a database (docs/operations.md)
REGISTER_RETENTION: Final = 2 * BACKUP_RETENTION  # time for a restore of the oldest backup; the bucket's lifecycle

# Of the stored rows of a data subject after the request: the month of GDPR, Article 12 (3), without its extension
SUBJECT_ERASURE_DEADLINE: Final = timedelta(days=30)

# Reports of compliance
DEPLOYED_SETTINGS_MAX_AGE: Final = timedelta(minutes=5)  # then a report asks AWS again
DEPLOYED_SETTINGS_READ_SECONDS: Final = 6.0  # of a time-out of 29 s. No call of AWS starts later.
DEPLOYED_SETTINGS_CALL_SECONDS: Final = 2.0  # of one call
REPORT_STATEMENT_SECONDS: Final = 6  # of a time-out of 29 s. PostgreSQL ends a statement of a report then.

# Deletions of organizations
LAST_MAIL_RETENTION: Final = timedelta(hours=23)  # less than a day: the recount, a day after the erasure, deletes it
CERTIFICATE_RETRY_WINDOW: Final = timedelta(hours=1)  # a retry of the task within this time signs no second certificate
EXECUTION_LOST_AFTER: Final = timedelta(minutes=10)  # after the grace period; then the sweep starts one
DELETION_OVERDUE_AFTER: Final = timedelta(hours=1)
RESTART_FIRST_BACKOFF: Final = timedelta(hours=1)  # time for an operator to redrive a failed execution
RESTART_MAX_BACKOFF: Final = ONE_DAY
RECOUNT_DEADLINE: Final = timedelta(days=2)  # after the erasure
