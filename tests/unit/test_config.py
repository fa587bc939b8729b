"""Settings: defaults, precedence, and every problem named at once without a secret's value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from shared.config import SECRET_SETTINGS, SecretSource, Settings, load_settings
from shared.errors import ConfigurationError, SettingProblem
from tests.unit.engine_rig import REQUIRED

VAULT = {"AZURE_KEY_VAULT_URL": "https://secrets.vault.test"}

NOTICES = {"NOTICE_WEBHOOK_URL": "https://hooks.test/x", "NOTICE_WEBHOOK_SECRET": "whsec_" + "A" * 32}

DEFAULTS: dict[str, Any] = {
    "AZURE_KEY_VAULT_URL": None,
    "AZURE_CLIENT_ID": None,
    "SAFETYAMP_BASE_URL": "https://api.safetyamp.com",
    "SAMSARA_BASE_URL": "https://api.samsara.com",
    "SAMSARA_API_KEY": None,
    "MS_GRAPH_BASE_URL": "https://graph.microsoft.com/v1.0",
    "MS_GRAPH_AUTHORITY": "https://login.microsoftonline.com",
    "VISTA_COMPANY": 1,
    "VISTA_TITLE_COLUMN": "udEmpTitle",
    "VISTA_REGION_COLUMN": "udRegion",
    "SERVICE_BUS_CONNECTION": None,
    "SERVICE_BUS_CONNECTION__fullyQualifiedNamespace": None,
    "SERVICE_BUS_CONNECTION__clientId": None,
    "ENTITY_QUEUE": "entity-sync",
    "BATCH_QUEUE": "change-batches",
    "DOCUMENTS_CONNECTION": None,
    "DOCUMENTS_CONNECTION__blobServiceUri": None,
    "DOCUMENTS_CONNECTION__clientId": None,
    "DOCUMENTS_CONTAINER": "safetyamp-sync",
    "AzureWebJobsStorage": None,
    "AzureWebJobsStorage__accountName": None,
    "AzureWebJobsStorage__blobServiceUri": None,
    "AzureWebJobsStorage__clientId": None,
    "LOCAL_FOLDER": ".local",
    "RULES_FILE": None,
    "REDIS_HOST": "localhost",
    "REDIS_PORT": 6379,
    "REDIS_PASSWORD": None,
    "REDIS_SSL": False,
    "REDIS_AUTH": "password",
    "REDIS_USERNAME": None,
    "SYNC_SCHEDULE": "0 0 * * * *",
    "REFRESH_SCHEDULE": "0 30 8 * * *",
    "SWEEP_SCHEDULE": "0 */5 * * * *",
    "CACHE_TTL_HOURS": 1,
    "API_RATE_LIMIT_CALLS": 60,
    "API_RATE_LIMIT_PERIOD": 61,
    "API_RATE_LIMIT_RESERVE": 6,
    "MAX_PROCESSES": 4,
    "MAX_RETRY_ATTEMPTS": 3,
    "RETRY_DELAY_SECONDS": 30,
    "LOST_ANSWER_SECONDS": 100,
    "BREAKER_FAILURE_THRESHOLD": 5,
    "BREAKER_RECOVERY_SECONDS": 60,
    "GUARD_MAX_DEACTIVATIONS": 10,
    "GUARD_MAX_PERCENT": 20,
    "NOTICE_WEBHOOK_URL": None,
    "NOTICE_WEBHOOK_SECRET": None,
    "NOTICE_WEBHOOK_FORMAT": "json",
    "NOTICE_BREAKER_MINUTES": 10,
    "NOTICE_SUCCESS_HOURS": 3,
    "NOTICE_FAILED_RECORDS": 25,
    "SAFETYAMP_ROOT_CLUSTER": None,
    "SAFETYAMP_DEFAULT_ROLE": "Field",
    "SAFETYAMP_VEHICLE_SITE_ID": None,
    "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": None,
    "VEHICLE_ASSIGN_DRIVER": False,
    "REENABLE_DISABLED": False,
    "HOME_OFFICE_SUFFIX": " Office",
    "DEFAULT_COUNTRY": "US",
    "DEFAULT_TIMEZONE": "America/Chicago",
    "SITE_DEFAULT_STATE": None,
    "SITE_DEFAULT_ZIP_CODE": None,
    "SIGN_IN": "keys",
    "SIGN_IN_PROXY": "none",
    "LOG_LEVEL": "INFO",
    "ENVIRONMENT": "local",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": None,
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": None,
}
"""The design's table of settings (and the platform's own names for the app's storage)."""


def problems_of(environment: Mapping[str, str], secrets: Any = None) -> dict[str, str]:
    """Setting -> text of each problem."""
    with pytest.raises(ConfigurationError) as raised:
        load_settings(environment, secrets)
    problems = raised.value.problems
    assert len({problem.setting for problem in problems}) == len(problems), "a setting is named twice"
    return {problem.setting: problem.text for problem in problems}


class Vault:
    """A vault that notes what it is asked."""

    def __init__(self, **secrets: str) -> None:
        self.secrets = secrets
        self.opened: list[tuple[str, str | None]] = []
        self.asked: list[str] = []

    def open(self, url: str, client_id: str | None) -> SecretSource:
        self.opened.append((url, client_id))
        return self.read

    def read(self, setting: str) -> str | None:
        self.asked.append(setting)
        return self.secrets.get(setting)


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_the_default_is_the_one_of_the_table(name: str) -> None:
    assert getattr(load_settings(REQUIRED), name.lower()) == DEFAULTS[name]


def test_the_table_and_the_settings_have_the_same_names() -> None:
    assert {name.lower() for name in (*DEFAULTS, *REQUIRED)} == set(Settings.model_fields)


def test_an_empty_environment_names_all_required_settings_at_once() -> None:
    assert set(problems_of({})) == set(REQUIRED)


def test_a_missing_secret_may_also_come_from_key_vault_and_the_text_says_so() -> None:
    problems = problems_of({})
    assert "Key Vault" in problems["SAFETYAMP_TOKEN"]
    assert "Key Vault" not in problems["SAFETYAMP_FQDN"]


@pytest.mark.parametrize("empty", ["", " ", "\t\n"])
def test_an_empty_value_counts_as_unset(empty: str) -> None:
    assert load_settings({**REQUIRED, "REDIS_HOST": empty}).redis_host == "localhost"
    assert set(problems_of({**REQUIRED, "SAFETYAMP_FQDN": empty})) == {"SAFETYAMP_FQDN"}


def test_names_are_read_without_case_and_unknown_ones_are_nobodys() -> None:
    settings = load_settings(
        {**REQUIRED, "SERVICE_BUS_CONNECTION__fullyQualifiedNamespace": "a.test", "NO_SUCH_SETTING": "1"}
    )
    assert settings.service_bus_connection__fullyqualifiednamespace == "a.test"


def test_the_blank_of_the_office_suffix_counts_and_others_do_not() -> None:
    settings = load_settings({**REQUIRED, "HOME_OFFICE_SUFFIX": " Yard", "REDIS_HOST": " cache "})
    assert (settings.home_office_suffix, settings.redis_host) == (" Yard", "cache")


WRONG: list[tuple[dict[str, str], set[str]]] = [
    ({"VISTA_COMPANY": "256"}, {"VISTA_COMPANY"}),
    ({"REDIS_PORT": "0"}, {"REDIS_PORT"}),
    ({"REDIS_PORT": "many"}, {"REDIS_PORT"}),
    ({"REDIS_SSL": "perhaps"}, {"REDIS_SSL"}),
    ({"DOCUMENTS_CONTAINER": "no"}, {"DOCUMENTS_CONTAINER"}),
    ({"DOCUMENTS_CONTAINER": "Capitals"}, {"DOCUMENTS_CONTAINER"}),
    ({"DOCUMENTS_CONTAINER": "two--hyphens"}, {"DOCUMENTS_CONTAINER"}),
    ({"REDIS_AUTH": "kerberos"}, {"REDIS_AUTH"}),
    ({"REDIS_AUTH": "entra"}, {"REDIS_USERNAME", "REDIS_SSL"}),
    ({"REDIS_AUTH": "entra", "REDIS_USERNAME": "object-id"}, {"REDIS_SSL"}),
    ({"MAX_PROCESSES": "0"}, {"MAX_PROCESSES"}),
    ({"API_RATE_LIMIT_PERIOD": "0"}, {"API_RATE_LIMIT_PERIOD"}),
    ({"GUARD_MAX_PERCENT": "101"}, {"GUARD_MAX_PERCENT"}),
    ({"GUARD_MAX_DEACTIVATIONS": "-1"}, {"GUARD_MAX_DEACTIVATIONS"}),
    ({"DEFAULT_COUNTRY": "USA"}, {"DEFAULT_COUNTRY"}),
    ({"SITE_DEFAULT_STATE": "Louisiana"}, {"SITE_DEFAULT_STATE"}),
    ({"DEFAULT_TIMEZONE": "Mars/Olympus"}, {"DEFAULT_TIMEZONE"}),
    ({"DEFAULT_TIMEZONE": "../../etc/passwd"}, {"DEFAULT_TIMEZONE"}),
    ({"LOG_LEVEL": "LOUD"}, {"LOG_LEVEL"}),
    ({"SYNC_SCHEDULE": "0 * * * *"}, {"SYNC_SCHEDULE"}),
    ({"SWEEP_SCHEDULE": "01:00:00"}, {"SWEEP_SCHEDULE"}),
    ({"VISTA_TITLE_COLUMN": "title; DROP TABLE x"}, {"VISTA_TITLE_COLUMN"}),
    ({"VISTA_REGION_COLUMN": "1st"}, {"VISTA_REGION_COLUMN"}),
    ({"SAFETYAMP_BASE_URL": "http://api.safetyamp.com"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "api.safetyamp.com"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://api.safetyamp.com/#/login"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://api.safetyamp.com?x=1"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://api.safetyamp.com#"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://user:pw@api.safetyamp.com"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://api safetyamp.com"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://api.safetyamp.com\\x"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAMSARA_BASE_URL": "https://api.samsara.com:0"}, {"SAMSARA_BASE_URL"}),
    ({"MS_GRAPH_AUTHORITY": "https://login.test?x"}, {"MS_GRAPH_AUTHORITY"}),
    ({"NOTICE_WEBHOOK_URL": "https://hooks.test:0/x"}, {"NOTICE_WEBHOOK_URL"}),
    ({"SAMSARA_BASE_URL": "https://"}, {"SAMSARA_BASE_URL"}),
    ({"SAMSARA_BASE_URL": "https://[::1"}, {"SAMSARA_BASE_URL"}),
    ({"SAFETYAMP_BASE_URL": "https://safetyamp.test/api/"}, {"SAFETYAMP_BASE_URL"}),
    ({"SAMSARA_BASE_URL": "https://api.samsara.test/fleet"}, {"SAMSARA_BASE_URL"}),
    ({"MS_GRAPH_BASE_URL": "https://graph.microsoft.com"}, {"MS_GRAPH_BASE_URL"}),
    ({"MS_GRAPH_BASE_URL": "https://graph.microsoft.com/v1.0/users"}, {"MS_GRAPH_BASE_URL"}),
    ({"DEFAULT_COUNTRY": "UK"}, {"DEFAULT_COUNTRY"}),
    ({"MS_GRAPH_BASE_URL": "https://graph.test:port"}, {"MS_GRAPH_BASE_URL"}),
    ({"MS_GRAPH_AUTHORITY": "http://localhost:9000"}, {"MS_GRAPH_AUTHORITY"}),
    ({"NOTICE_WEBHOOK_URL": "http://hooks.test/x"}, {"NOTICE_WEBHOOK_URL"}),
    ({"NOTICE_WEBHOOK_URL": "hooks.test/x"}, {"NOTICE_WEBHOOK_URL"}),
    ({"NOTICE_WEBHOOK_SECRET": "whsec_short"}, {"NOTICE_WEBHOOK_SECRET"}),
    ({"NOTICE_WEBHOOK_SECRET": "whsec_" + "!" * 40}, {"NOTICE_WEBHOOK_SECRET"}),
    ({"NOTICE_WEBHOOK_SECRET": "A" * 88}, {"NOTICE_WEBHOOK_SECRET"}),
    ({"NOTICE_WEBHOOK_FORMAT": "slack"}, {"NOTICE_WEBHOOK_FORMAT"}),
    ({"NOTICE_SUCCESS_HOURS": "0"}, {"NOTICE_SUCCESS_HOURS"}),
    ({"API_RATE_LIMIT_CALLS": "6"}, {"API_RATE_LIMIT_RESERVE"}),
    ({"API_RATE_LIMIT_RESERVE": "60"}, {"API_RATE_LIMIT_RESERVE"}),
    ({"API_RATE_LIMIT_RESERVE": "59"}, {"API_RATE_LIMIT_RESERVE"}),
    ({"API_RATE_LIMIT_CALLS": "1", "API_RATE_LIMIT_RESERVE": "0"}, {"API_RATE_LIMIT_CALLS"}),
    ({"LOCAL_FOLDER": "a\0b"}, {"LOCAL_FOLDER"}),
    (
        {"SAFETYAMP_VEHICLE_SITE_ID": "7"},
        {"SAFETYAMP_VEHICLE_ASSET_TYPE_ID", "SAMSARA_API_KEY"},
    ),
    ({"SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "7"}, {"SAFETYAMP_VEHICLE_SITE_ID"}),
    (
        {"SAFETYAMP_VEHICLE_SITE_ID": "seven", "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "8"},
        {"SAFETYAMP_VEHICLE_SITE_ID"},
    ),
    (
        {"SAFETYAMP_VEHICLE_SITE_ID": "7", "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "8"},
        {"SAMSARA_API_KEY"},
    ),
    (
        {
            "SERVICE_BUS_CONNECTION": "Endpoint=sb://a.test/",
            "SERVICE_BUS_CONNECTION__fullyQualifiedNamespace": "a.test",
        },
        {"SERVICE_BUS_CONNECTION"},
    ),
]


NUMBERS = [name for name, value in DEFAULTS.items() if type(value) in (int, float)]
IDS = ["SAFETYAMP_VEHICLE_SITE_ID", "SAFETYAMP_VEHICLE_ASSET_TYPE_ID"]
NO_NUMBERS = [
    "inf",
    "-inf",
    "Infinity",
    "nan",
    "NaN",
    "1e400",
    "-1",
    "1e300",
    "9" * 30,
    "9" * 5000,
    "many",
    "0x10",
]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: value[:12])
@pytest.mark.parametrize("name", [*NUMBERS, *IDS])
def test_no_number_is_endless_negative_or_beyond_all_measure(name: str, value: str) -> None:
    vehicles = {**dict.fromkeys(IDS, "7"), "SAMSARA_API_KEY": "x"}
    problems = problems_of({**REQUIRED, **vehicles, name: value})
    assert set(problems) - {"API_RATE_LIMIT_RESERVE"} == {name} - {"API_RATE_LIMIT_RESERVE"}
    assert name in problems
    assert len(problems[name]) < 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RETRY_DELAY_SECONDS", "0.001"),
        ("RETRY_DELAY_SECONDS", "86400"),
        ("API_RATE_LIMIT_CALLS", "1000000"),
        ("CACHE_TTL_HOURS", "0"),
        ("CACHE_TTL_HOURS", "8760"),
        ("GUARD_MAX_PERCENT", "100"),
        ("NOTICE_FAILED_RECORDS", "0"),
    ],
)
def test_the_ends_of_the_ranges_are_fine(name: str, value: str) -> None:
    assert getattr(load_settings({**REQUIRED, name: value}), name.lower()) == float(value)


@pytest.mark.parametrize("other", ["work", "WORK", " work "])
def test_one_queue_cannot_be_both(other: str) -> None:
    problems = problems_of({**REQUIRED, "ENTITY_QUEUE": "work", "BATCH_QUEUE": other})
    assert list(problems) == ["BATCH_QUEUE"]
    assert "ENTITY_QUEUE" in problems["BATCH_QUEUE"]


@pytest.mark.parametrize(("wrong", "named"), WRONG, ids=lambda value: "+".join(sorted(value)))
def test_a_wrong_value_is_reported_under_the_setting_to_mend(wrong: dict[str, str], named: set[str]) -> None:
    assert set(problems_of({**REQUIRED, **wrong})) == named


def test_everything_wrong_is_reported_at_once_cross_checks_included() -> None:
    problems = problems_of(
        {
            "VISTA_COMPANY": "one",
            "SAFETYAMP_TOKEN": "@Microsoft.KeyVault(SecretUri=https://x.test/secrets/a)",
            "SAFETYAMP_BASE_URL": "ftp://x.test",
            "API_RATE_LIMIT_RESERVE": "80",
            "SAFETYAMP_VEHICLE_SITE_ID": "7",
            "REDIS_AUTH": "entra",
            "REDIS_SSL": "true",
            "DEFAULT_TIMEZONE": "Mars/Olympus",
        }
    )
    assert set(problems) == {
        *(set(REQUIRED) - {"SAFETYAMP_TOKEN"}),
        "SAFETYAMP_TOKEN",
        "VISTA_COMPANY",
        "SAFETYAMP_BASE_URL",
        "API_RATE_LIMIT_RESERVE",
        "SAFETYAMP_VEHICLE_ASSET_TYPE_ID",
        "SAMSARA_API_KEY",
        "REDIS_USERNAME",
        "DEFAULT_TIMEZONE",
    }
    assert "could not resolve" in problems["SAFETYAMP_TOKEN"]


@pytest.mark.parametrize("name", ["SAFETYAMP_TOKEN", "SERVICE_BUS_CONNECTION", "SAFETYAMP_FQDN"])
def test_an_unresolved_key_vault_reference_is_told_from_a_value(name: str) -> None:
    problems = problems_of({**REQUIRED, name: "@Microsoft.KeyVault(VaultName=v;SecretName=s)"})
    assert set(problems) == {name}
    assert "Key Vault Secrets User" in problems[name]


def test_local_http_is_for_localhost_only() -> None:
    settings = load_settings({**REQUIRED, "SAFETYAMP_BASE_URL": "http://127.0.0.1:8080"})
    assert settings.safetyamp_base_url == "http://127.0.0.1:8080"


def test_a_webhook_may_have_a_port_a_query_and_a_secret_with_or_without_its_prefix() -> None:
    address = "https://prod-1.eastus.logic.azure.test:443/workflows/a/triggers/manual/paths/invoke?sig=x"
    for secret in ("whsec_" + "A" * 32, "A" * 32):
        given = {"NOTICE_WEBHOOK_URL": address, "NOTICE_WEBHOOK_SECRET": secret}
        settings = load_settings({**REQUIRED, **given})
        assert settings.notice_webhook_url is not None
        assert settings.notice_webhook_url.get_secret_value() == address


def test_no_secret_shows_in_the_settings_or_in_a_problem() -> None:
    secrets = {
        **{name: f"5ecret-{name}" for name in SECRET_SETTINGS},
        "NOTICE_WEBHOOK_URL": "https://5ecret.test/5ecret",
        "NOTICE_WEBHOOK_SECRET": "5ecret" + "A" * 26,
        "SERVICE_BUS_CONNECTION": "5ecret-bus",
        "DOCUMENTS_CONNECTION": "5ecret-documents",
        "AzureWebJobsStorage": "5ecret-storage",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "5ecret-insights",
    }
    settings = load_settings({**REQUIRED, **secrets})
    with pytest.raises(ConfigurationError) as raised:
        load_settings({**REQUIRED, **secrets, "REDIS_PORT": "x", "SAFETYAMP_FQDN": ""})
    shown = f"{settings!r} {settings} {settings.model_dump()} {raised.value} {raised.value!r}"
    assert "5ecret" not in shown
    assert isinstance(settings.safetyamp_token, SecretStr)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(REQUIRED).redis_port = 1


def test_vehicles_are_on_when_both_their_settings_are_there() -> None:
    vehicles = {
        "SAFETYAMP_VEHICLE_SITE_ID": "7",
        "SAFETYAMP_VEHICLE_ASSET_TYPE_ID": "8",
        "SAMSARA_API_KEY": "k",
    }
    assert not load_settings(REQUIRED).vehicles_enabled
    assert load_settings({**REQUIRED, **vehicles}).vehicles_enabled


class TestVault:
    def test_gives_what_the_environment_does_not(self) -> None:
        vault = Vault(SAFETYAMP_TOKEN="from the vault", SAMSARA_API_KEY="samsara")
        environment = {name: text for name, text in REQUIRED.items() if name != "SAFETYAMP_TOKEN"}
        settings = load_settings({**environment, **VAULT}, vault.open)
        assert settings.safetyamp_token.get_secret_value() == "from the vault"
        assert settings.samsara_api_key is not None
        assert vault.opened == [("https://secrets.vault.test", None)]
        missing = ["SAFETYAMP_TOKEN", "SAMSARA_API_KEY", "REDIS_PASSWORD"]
        assert vault.asked == [*missing, "NOTICE_WEBHOOK_URL", "NOTICE_WEBHOOK_SECRET"]

    def test_is_opened_for_the_apps_own_identity(self) -> None:
        vault = Vault()
        load_settings({**REQUIRED, **VAULT, "AZURE_CLIENT_ID": "identity-1"}, vault.open)
        assert vault.opened == [("https://secrets.vault.test", "identity-1")]

    def test_loses_against_the_environment_and_is_not_even_opened_for_a_complete_one(self) -> None:
        vault = Vault(**dict.fromkeys(SECRET_SETTINGS, "from the vault"))
        complete = {**REQUIRED, **VAULT, "SAMSARA_API_KEY": "k", "REDIS_PASSWORD": "p", **NOTICES}
        assert load_settings(complete, vault.open).safetyamp_token.get_secret_value() == "token-5ecret"
        assert vault.opened == []

    def test_is_not_asked_without_its_address(self) -> None:
        vault = Vault(SAFETYAMP_TOKEN="from the vault")
        environment = {name: text for name, text in REQUIRED.items() if name != "SAFETYAMP_TOKEN"}
        assert set(problems_of(environment, vault.open)) == {"SAFETYAMP_TOKEN"}
        assert vault.opened == []

    @pytest.mark.parametrize(
        "secret", ["s3cret\n", "s3cret\r\n", " s3cret\t", "\ufeffs3cret", "\ufeff s3cret \n"]
    )
    def test_secrets_are_trimmed_as_the_environments_are(self, secret: str) -> None:
        """They come from files and portals: `az keyvault secret set --file` takes the line end along."""
        names = [name for name in SECRET_SETTINGS if name not in NOTICES]
        environment = {name: text for name, text in {**REQUIRED, **NOTICES}.items() if name not in names}
        vault = Vault(**dict.fromkeys(names, secret))
        for settings in (
            load_settings({**environment, **VAULT}, vault.open),
            load_settings({**environment, **dict.fromkeys(names, secret)}),
        ):
            values = [getattr(settings, name.lower()).get_secret_value() for name in names]
            assert values == ["s3cret"] * len(names)

    def test_a_blank_inside_a_secret_stays(self) -> None:
        vault = Vault(SAFETYAMP_TOKEN="a b\nc ")
        environment = {name: text for name, text in REQUIRED.items() if name != "SAFETYAMP_TOKEN"}
        settings = load_settings({**environment, **VAULT}, vault.open)
        assert settings.safetyamp_token.get_secret_value() == "a b\nc"

    @pytest.mark.parametrize("nothing", [None, "", " ", "\r\n", "\ufeff", "\ufeff\n"])
    def test_without_the_secret_leaves_it_missing(self, nothing: str | None) -> None:
        def open_vault(url: str, client_id: str | None) -> SecretSource:
            return lambda setting: nothing

        environment = {name: text for name, text in REQUIRED.items() if name != "SAFETYAMP_TOKEN"}
        assert "is not set" in problems_of({**environment, **VAULT}, open_vault)["SAFETYAMP_TOKEN"]

    def test_that_refuses_is_one_problem_per_secret_among_all_others(self) -> None:
        def refuse(setting: str) -> str | None:
            raise ConfigurationError([SettingProblem(setting, "the vault answered 403 Forbidden")])

        def open_vault(url: str, client_id: str | None) -> Callable[[str], str | None]:
            return refuse

        problems = problems_of({**VAULT, "REDIS_PORT": "x"}, open_vault)
        assert {name for name, text in problems.items() if "403" in text} == set(SECRET_SETTINGS)
        assert set(problems) == {*REQUIRED, *SECRET_SETTINGS, "REDIS_PORT"}

    @pytest.mark.parametrize("address", ["secrets", "http://secrets.vault.test", "https://[::1"])
    def test_with_an_address_that_is_none_is_not_opened(self, address: str) -> None:
        vault = Vault()
        environment = {**REQUIRED, "AZURE_KEY_VAULT_URL": address, "REDIS_PORT": "x"}
        assert set(problems_of(environment, vault.open)) == {"AZURE_KEY_VAULT_URL", "REDIS_PORT"}
        assert vault.opened == []
