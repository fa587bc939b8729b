"""App settings: complete against the code, accepted by it, and without a secret."""

from __future__ import annotations

import re

import pytest

from shared.config import SECRET_SETTINGS, Settings, load_settings
from tests.unit.infra.bicep import Expr, read
from tests.unit.infra.functions import bindings

WITHOUT_REDIS: dict[str, str] = read("modules/settings.bicep").variables["settings"]
REDIS: dict[str, str] = read("modules/settings.bicep").variables["redis"]
SETTINGS = {**WITHOUT_REDIS, **REDIS}
NAMES = {name.lower() for name in SETTINGS}

LEFT_TO_THE_DEFAULT = {
    "safetyamp_base_url",
    "samsara_base_url",
    "ms_graph_base_url",
    "ms_graph_authority",
    "vista_company",
    "vista_title_column",
    "vista_region_column",
    "cache_ttl_hours",
    "api_rate_limit_calls",
    "api_rate_limit_period",
    "api_rate_limit_reserve",
    "max_retry_attempts",
    "retry_delay_seconds",
    "lost_answer_seconds",
    "breaker_failure_threshold",
    "breaker_recovery_seconds",
    "guard_max_deactivations",
    "guard_max_percent",
    "notice_webhook_format",
    "notice_breaker_minutes",
    "notice_success_hours",
    "notice_failed_records",
    "safetyamp_root_cluster",
    "safetyamp_default_role",
    "safetyamp_vehicle_site_id",
    "safetyamp_vehicle_asset_type_id",
    "vehicle_assign_driver",
    "reenable_disabled",
    "home_office_suffix",
    "default_country",
    "default_timezone",
    "site_default_state",
    "site_default_zip_code",
    "log_level",
    "sign_in_proxy",
}
"""What a company may want otherwise: parameter `syncSettings`."""

IN_THE_VAULT = {
    "safetyamp_token",
    "samsara_api_key",
    "ms_graph_client_secret",
    "vista_connection_string",
    "notice_webhook_url",
    "notice_webhook_secret",
}

NEVER_IN_AZURE = {
    "service_bus_connection": "an identity signs in, no key",
    "documents_connection": "an identity signs in, no key",
    "azurewebjobsstorage": "an identity signs in, no key",
    "azurewebjobsstorage__blobserviceuri": "the account's name says it",
    "redis_password": "an identity signs in, no key",
    "local_folder": "the embedded stack's",
    "rules_file": "rules are pushed there",
}

BY_A_PARAMETER_OF_ITS_OWN = {"sign_in"}
"""`modules/app.bicep` says it together with what stands before the app: `test_sign_in.py`."""

PLATFORM = {
    "azurewebjobsstorage__credential",
    "documents_connection__credential",
    "service_bus_connection__credential",
    "applicationinsights_authentication_string",
    "applicationinsights_statsbeat_disabled_all",
    "azurewebjobsdisablehomepage",
    "python_threadpool_thread_count",
}
"""Settings for the host and for libraries, which our code need not read."""

FLEX_REFUSES = {
    "FUNCTIONS_WORKER_RUNTIME",
    "FUNCTIONS_EXTENSION_VERSION",
    "WEBSITE_RUN_FROM_PACKAGE",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD",
    "WEBSITE_VNET_ROUTE_ALL",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "WEBSITE_CONTENTSHARE",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
}

GUID = "11111111-2222-3333-4444-555555555555"
EXAMPLES = {
    "clientId": GUID,
    "identity.properties.principalId": GUID,
    "vault.properties.vaultUri": "https://kv-x.vault.azure.net/",
    "safetyampFqdn": "yourcompany.safetyamp.com",
    "graphTenantId": GUID,
    "graphClientId": GUID,
    "hostStorage.name": "sthostx",
    "documents.properties.primaryEndpoints.blob": "https://stdocsx.blob.core.windows.net/",
    "documentsContainer": read("modules/types.bicep").variables["documentsContainer"],
    "'${names.bus}.servicebus.windows.net'": "sb-x.servicebus.windows.net",
    "queues.entity": read("modules/types.bicep").variables["queues"]["entity"],
    "queues.batch": read("modules/types.bicep").variables["queues"]["batch"],
    "redisHost": "redis-x.eastus.redis.azure.net",
    "syncSchedule": read("main.bicep").params["syncSchedule"][1],
    "string(maxProcesses)": "4",
    "insights.properties.ConnectionString": "InstrumentationKey=x",
    "'Authorization=AAD;ClientId=${clientId}'": f"Authorization=AAD;ClientId={GUID}",
}
"""What Azure puts where the expressions stand."""


def deployed() -> dict[str, str]:
    """The environment of the app, apart from what is in the vault."""
    return {name: EXAMPLES[value] if isinstance(value, Expr) else value for name, value in SETTINGS.items()}


def test_without_redis_no_setting_of_it_is_given_and_the_code_accepts_that() -> None:
    output = read("modules/settings.bicep").outputs["settings"]
    assert output == Expr("union(settings, empty(redisHost) ? {} : redis, syncSettings)")
    assert not [name for name in WITHOUT_REDIS if name.startswith("REDIS")]
    secrets = {name.upper(): "secret" for name in IN_THE_VAULT}
    secrets |= {"NOTICE_WEBHOOK_URL": "https://hook.test/x", "NOTICE_WEBHOOK_SECRET": "A" * 32}
    given = {name: value for name, value in deployed().items() if name in WITHOUT_REDIS}
    settings = load_settings(given, lambda url, client: secrets.get)
    assert (settings.redis_host, settings.redis_auth) == ("localhost", "password")


def test_every_setting_is_given_or_left_to_its_default_for_a_reason() -> None:
    elsewhere = {*LEFT_TO_THE_DEFAULT, *BY_A_PARAMETER_OF_ITS_OWN, *IN_THE_VAULT, *NEVER_IN_AZURE}
    missing = Settings.model_fields.keys() - NAMES - elsewhere
    assert not missing, f"in shared/config.py, but neither in settings.bicep nor in a list here: {missing}"
    assert not NAMES & elsewhere
    assert elsewhere <= Settings.model_fields.keys()


def test_no_setting_is_given_that_nobody_reads() -> None:
    assert NAMES - Settings.model_fields.keys() <= PLATFORM
    assert PLATFORM <= NAMES


def test_the_code_accepts_them_with_the_secrets_of_the_vault() -> None:
    secrets = {name.upper(): "secret" for name in IN_THE_VAULT}
    secrets |= {"NOTICE_WEBHOOK_URL": "https://hook.test/x", "NOTICE_WEBHOOK_SECRET": "A" * 32}
    settings = load_settings(deployed(), lambda url, client: secrets.get)
    assert (settings.redis_auth, settings.redis_username, settings.redis_port) == ("entra", GUID, 10000)
    assert settings.redis_ssl
    assert settings.azure_client_id == settings.service_bus_connection__clientid == GUID


@pytest.mark.parametrize(
    "name",
    [
        "ENTITY_QUEUE",
        "BATCH_QUEUE",
        "DOCUMENTS_CONTAINER",
        "SYNC_SCHEDULE",
        "REFRESH_SCHEDULE",
        "SWEEP_SCHEDULE",
    ],
)
def test_queues_container_and_schedules_are_those_of_the_code(name: str) -> None:
    assert deployed()[name] == Settings.model_fields[name.lower()].default


def test_whatever_triggers_take_from_settings_is_given() -> None:
    texts = [str(value) for found in bindings().values() for binding in found for value in binding.values()]
    wanted = {name for text in texts for name in re.findall(r"%(\w+)%", text)}
    assert wanted == {"SYNC_SCHEDULE", "REFRESH_SCHEDULE", "SWEEP_SCHEDULE", "ENTITY_QUEUE", "BATCH_QUEUE"}
    assert wanted <= SETTINGS.keys()


def test_triggers_and_code_use_the_same_connection_by_identity() -> None:
    connections = {
        binding["connection"] for found in bindings().values() for binding in found if "connection" in binding
    }
    for connection in (*connections, "DOCUMENTS_CONNECTION", "AzureWebJobsStorage"):
        assert SETTINGS[f"{connection}__credential"] == "managedidentity"
        assert SETTINGS[f"{connection}__clientId"] == Expr("clientId")
        assert connection not in SETTINGS


def test_no_secret_is_among_them() -> None:
    assert not {name.upper() for name in NAMES} & set(SECRET_SETTINGS)
    assert set(SECRET_SETTINGS) == {name.upper() for name in IN_THE_VAULT} | {"REDIS_PASSWORD"}
    assert not [value for value in SETTINGS.values() if "listKeys" in value or "AccountKey" in value]


def test_flex_consumption_gets_nothing_that_it_refuses() -> None:
    text = read("modules/function-flex.bicep").path.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert not [name for name in FLEX_REFUSES if name in code or name in SETTINGS]
