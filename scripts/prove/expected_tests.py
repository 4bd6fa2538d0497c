"""Tests of tests/isolation that mutants name as the one expected to catch them."""

from typing import Final

PROOF: Final = "tests/isolation/proof"

ATTACKS: Final = f"{PROOF}/test_attacks.py::test_attacks_find_no_leak"
SCHEDULED_FUNCTIONS: Final = f"{PROOF}/test_attacks.py::test_scheduled_functions_do_not_mix_organizations"
ERASURE: Final = f"{PROOF}/test_erasure.py::test_erasure_removes_every_canary"
MALFORMED_CREDENTIALS: Final = f"{PROOF}/test_malformed_credentials.py::test_malformed_credentials_are_refused"
DEAD_KEYS: Final = f"{PROOF}/test_malformed_credentials.py::test_dead_keys_are_answered_like_unknown_keys"
POOLED_CONNECTION: Final = f"{PROOF}/test_reuse.py::test_pooled_connection_shows_only_the_tenants_rows"
NESTED_TRANSACTION: Final = f"{PROOF}/test_reuse.py::test_nested_transaction_is_refused"
WARM_PROCESS: Final = f"{PROOF}/test_reuse.py::test_warm_process_answers_like_a_fresh_one"
STORE_PARAMETERS: Final = f"{PROOF}/test_store_functions.py::test_store_functions_take_the_organization_id"
STATEMENTS_ALONE: Final = f"{PROOF}/test_store_functions.py::test_statements_alone_confine_store_functions"
FOREIGN_ROWS: Final = f"{PROOF}/test_store_functions.py::test_statements_alone_find_no_row_of_another"
REPEATED_ANSWER: Final = "tests/use_cases/test_answer_once.py::test_key_belongs_to_one_organization"
CLICKHOUSE_STATEMENTS_ALONE: Final = (
    f"{PROOF}/test_store_functions.py::test_clickhouse_statements_alone_confine_store_functions"
)
COUNTER_KEYS: Final = f"{PROOF}/test_store_functions.py::test_counter_functions_touch_only_their_own_keys"
READER_FILTER: Final = "tests/isolation/test_clickhouse.py::test_reader_filters_an_unfiltered_statement"
READER_TABLES: Final = "tests/isolation/test_clickhouse.py::test_reader_filters_every_tenant_table"
KEYS_OF_EVENTS: Final = "tests/isolation/test_clickhouse.py::test_key_finds_the_event_of_its_own_organization"
TRACED_IDS: Final = "tests/isolation/test_clickhouse.py::test_trace_finds_events_of_its_own_organization"
READER_READ_ONLY: Final = "tests/isolation/test_clickhouse.py::test_reader_can_change_neither_rows_nor_settings"
ROLE_RULES: Final = "tests/isolation/test_roles.py::test_every_role_follows_the_rule"
FOREIGN_KEYS: Final = "tests/isolation/test_foreign_keys.py::test_row_cannot_refer_to_a_row_of_another_organization"
LISTED_DIGEST: Final = "tests/use_cases/test_look_up_tables.py::test_digest_that_is_listed_by_mistake_is_no_credential"
TABLE_RULES: Final = "tests/isolation/test_tables.py::test_every_table_follows_the_rule"
UNNEEDED_RIGHTS: Final = "tests/isolation/test_tenants.py::test_functions_role_has_no_unneeded_rights"
REVOKED_PLATFORM_KEY: Final = (
    f"{PROOF}/test_revoked_platform_key.py::test_revoked_platform_key_is_refused_on_every_route"
)
LOOK_UP_CALLERS: Final = "tests/isolation/test_roles.py::test_only_the_authorizer_looks_up_credentials"
CUSTOM_DOMAIN: Final = "tests/use_cases/test_look_up_tables.py::test_active_custom_domain_has_one_owner"
LISTED_BY_MISTAKE: Final = (
    "tests/use_cases/test_look_up_tables.py::test_custom_domain_that_is_listed_by_mistake_has_no_owner"
)
PROVEN_DOMAIN: Final = "tests/use_cases/test_look_up_tables.py::test_proven_domain_belongs_to_one_organization"
FORWARDED_DOMAIN: Final = "tests/use_cases/test_find_named.py::test_forwarded_custom_domain_selects_none"
ANSWERS_AT_HOSTS: Final = f"{PROOF}/test_host_names.py::test_subdomain_is_answered_like_an_unknown_one"
MOVED_ORGANIZATION: Final = "tests/stores/test_fence.py::test_moved_organization_is_refused"
FENCE: Final = "tests/stores/test_fence.py::test_cut_over_waits_for_transactions"
LOOK_UPS_ELSEWHERE: Final = "tests/stores/test_fence.py::test_look_ups_find_no_row_of_an_organization_elsewhere"
