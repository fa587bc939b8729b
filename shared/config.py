"""The settings: typed, validated together, secrets from the environment or Key Vault.

`load_settings` reports every problem at once (ConfigurationError). Nothing is read at import.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from shared.errors import Advised, ConfigurationError, SettingProblem
from shared.ncrontab import next_time

SecretSource = Callable[[str], str | None]
"""Gives the value of the secret with a setting's name, None when the vault has none; raises
ConfigurationError when the vault cannot be asked."""

SECRET_SETTINGS = (
    "SAFETYAMP_TOKEN",
    "SAMSARA_API_KEY",
    "MS_GRAPH_CLIENT_SECRET",
    "VISTA_CONNECTION_STRING",
    "REDIS_PASSWORD",
    "NOTICE_WEBHOOK_URL",
    "NOTICE_WEBHOOK_SECRET",
)
"""Settings that may live in Key Vault (names there with `-` for `_`)."""

BLANKS_COUNT = ("home_office_suffix",)
"""Settings whose leading and trailing blanks mean something: a site `Backoffice` is no ` Office`."""

BYTE_ORDER_MARK = "\ufeff"
UNRESOLVED_REFERENCE = "@Microsoft.KeyVault("
CONTAINER = re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
GRAPH_VERSIONS = ("/v1.0", "/beta")
NOT_SET = "not set"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
WEBHOOK_KEY_BYTES = range(24, 65)

LARGEST_COUNT = 1_000_000
LARGEST_ID = 2**63 - 1
LEAST_FOR_BULK = 2
"""Calls of a window that are left to runs: what an update repeats is read, and sent in one go."""

DAY_SECONDS, YEAR_HOURS, YEAR_MINUTES = 86_400, 8_760, 525_600
"""Far above what makes sense: they only keep out what would wait without end (`inf`), compare with nothing
(`nan`), or not fit into a time."""

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
RecordId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
PositiveSeconds = Annotated[Number, Field(gt=0, le=DAY_SECONDS)]


class Settings(BaseModel):
    """The settings of this system; each attribute is the environment variable in lower case.

    The README's table says what they mean.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    azure_key_vault_url: str | None = None
    azure_client_id: str | None = None

    safetyamp_base_url: str = "https://api.safetyamp.com"
    safetyamp_fqdn: str
    safetyamp_token: SecretStr
    samsara_base_url: str = "https://api.samsara.com"
    samsara_api_key: SecretStr | None = None
    ms_graph_tenant_id: str
    ms_graph_client_id: str
    ms_graph_client_secret: SecretStr
    ms_graph_base_url: str = "https://graph.microsoft.com/v1.0"
    ms_graph_authority: str = "https://login.microsoftonline.com"
    vista_connection_string: SecretStr
    vista_company: Annotated[int, Field(ge=0, le=255)] = 1
    vista_title_column: str = "udEmpTitle"
    vista_region_column: str = "udRegion"

    service_bus_connection: SecretStr | None = None
    service_bus_connection__fullyqualifiednamespace: str | None = None
    service_bus_connection__clientid: str | None = None
    entity_queue: str = "entity-sync"
    batch_queue: str = "change-batches"
    documents_connection: SecretStr | None = None
    documents_connection__blobserviceuri: str | None = None
    documents_connection__clientid: str | None = None
    documents_container: str = "safetyamp-sync"
    azurewebjobsstorage: SecretStr | None = None
    azurewebjobsstorage__accountname: str | None = None
    azurewebjobsstorage__blobserviceuri: str | None = None
    azurewebjobsstorage__clientid: str | None = None
    local_folder: str = ".local"
    rules_file: str | None = None

    redis_host: str = "localhost"
    redis_port: Annotated[int, Field(ge=1, le=65535)] = 6379
    redis_password: SecretStr | None = None
    redis_ssl: bool = False
    redis_auth: Literal["password", "entra"] = "password"
    redis_username: str | None = None

    sync_schedule: str = "0 0 * * * *"
    refresh_schedule: str = "0 30 8 * * *"
    sweep_schedule: str = "0 */5 * * * *"
    cache_ttl_hours: Annotated[Number, Field(ge=0, le=YEAR_HOURS)] = 1
    api_rate_limit_calls: Positive = 60
    api_rate_limit_period: PositiveSeconds = 61
    api_rate_limit_reserve: Count = 6
    max_processes: Positive = 4
    max_retry_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    retry_delay_seconds: PositiveSeconds = 30
    lost_answer_seconds: PositiveSeconds = 100
    breaker_failure_threshold: Positive = 5
    breaker_recovery_seconds: PositiveSeconds = 60
    guard_max_deactivations: Count = 10
    guard_max_percent: Annotated[Number, Field(ge=0, le=100)] = 20

    notice_webhook_url: SecretStr | None = None
    notice_webhook_secret: SecretStr | None = None
    notice_webhook_format: Literal["json", "teams"] = "json"
    notice_breaker_minutes: Annotated[Number, Field(ge=0, le=YEAR_MINUTES)] = 10
    notice_success_hours: Annotated[Number, Field(gt=0, le=YEAR_HOURS)] = 3
    notice_failed_records: Count = 25

    safetyamp_root_cluster: str | None = None
    safetyamp_default_role: str = "Field"
    safetyamp_vehicle_site_id: RecordId | None = None
    safetyamp_vehicle_asset_type_id: RecordId | None = None
    vehicle_assign_driver: bool = False
    reenable_disabled: bool = False
    home_office_suffix: str = " Office"
    default_country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "US"
    default_timezone: str = "America/Chicago"
    site_default_state: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    site_default_zip_code: str | None = None

    sign_in: Literal["keys", "entra"] = "keys"
    sign_in_proxy: Literal["none", "container-apps"] = "none"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    environment: str = "local"
    applicationinsights_connection_string: SecretStr | None = None
    applicationinsights_authentication_string: str | None = None

    @property
    def vehicles_enabled(self) -> bool:
        """Whether vehicles are synchronised: both vehicle settings are there."""
        return self.safetyamp_vehicle_site_id is not None

    @property
    def seconds_per_call(self) -> float:
        """How far SafetyAmp's limit puts calls apart on average."""
        return self.api_rate_limit_period / self.api_rate_limit_calls


def load_settings(
    environment: Mapping[str, str], secrets: Callable[[str, str | None], SecretSource] | None = None
) -> Settings:
    """Read and check all settings.

    `environment` maps names to text; empty values count as unset, names are compared without case (the
    host writes `SERVICE_BUS_CONNECTION__fullyQualifiedNamespace`). `secrets` opens the vault at the URL
    of AZURE_KEY_VAULT_URL for the identity AZURE_CLIENT_ID; it is asked only for secrets that the
    environment does not give, so that Key Vault references and local values win and a complete environment
    costs no call.
    Raises ConfigurationError with all problems.
    """
    values = given_values(environment)
    problems: list[SettingProblem] = []
    if secrets is not None and (vault_url := values.get("azure_key_vault_url")):
        problems += _add_secrets(values, secrets, vault_url)
    problems += _unresolved_references(values)
    problems += _not_text(values)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += _problems_of(error, {problem.setting for problem in problems})
        settings = _readable_part(values, error)
    known = {problem.setting for problem in problems}
    problems += [problem for problem in _cross_checks(settings) if problem.setting not in known]
    if problems:
        raise ConfigurationError(problems)
    return settings


def given_values(environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment says of settings, by field, before anything is checked."""
    values = {name.lower(): text for name, text in environment.items() if trimmed(text)}
    return {
        name: text if name in BLANKS_COUNT else trimmed(text)
        for name, text in values.items()
        if name in Settings.model_fields
    }


def trimmed(text: str) -> str:
    """A value without what clings to it when it comes from a file or a portal: blanks, line ends and a byte
    order mark, before and behind."""
    while text != (shorter := text.strip().strip(BYTE_ORDER_MARK)):
        text = shorter
    return text


def _add_secrets(
    values: dict[str, str], secrets: Callable[[str, str | None], SecretSource], vault_url: str
) -> list[SettingProblem]:
    missing = [name for name in SECRET_SETTINGS if name.lower() not in values]
    if not missing:
        return []
    if not _is_base_address(vault_url, local_http=False):
        return [
            SettingProblem("AZURE_KEY_VAULT_URL", "must be an address such as https://NAME.vault.azure.net")
        ]
    source = secrets(vault_url, values.get("azure_client_id"))
    problems: list[SettingProblem] = []
    for name in missing:
        try:
            secret = trimmed(source(name) or "")
        except ConfigurationError as error:
            problems += error.problems
            continue
        if secret:
            values[name.lower()] = secret
    return problems


def _unresolved_references(values: Mapping[str, str]) -> list[SettingProblem]:
    return [
        SettingProblem(
            name.upper(),
            Advised(
                "holds a Key Vault reference that Azure could not resolve",
                "check the secret's name, the vault's network rules and that the app's identity has the role "
                "Key Vault Secrets User",
            ),
        )
        for name, text in values.items()
        if text.startswith(UNRESOLVED_REFERENCE)
    ]


def _not_text(values: Mapping[str, str]) -> list[SettingProblem]:
    """No environment variable can hold this, but local.settings.json and a secret can."""
    return [
        SettingProblem(name.upper(), "holds a NUL character, which no setting can have: take it out")
        for name, text in values.items()
        if "\0" in text
    ]


def _problems_of(error: ValidationError, known: set[str]) -> list[SettingProblem]:
    """Pydantic's findings without the inputs, which may be secrets."""
    problems = []
    for found in error.errors(include_input=False, include_url=False):
        name = str(found["loc"][0]).upper()
        if name in known:
            continue
        if found["type"] == "missing":
            where = " (or as a secret in Key Vault)" if name in SECRET_SETTINGS else ""
            advice = f"set it as an environment variable{where}, see docs/settings.md"
            text: str = Advised("is not set", advice, "; ")
        else:
            text = f"{found['msg'][0].lower()}{found['msg'][1:]}"
        problems.append(SettingProblem(name, text))
    return problems


def _readable_part(values: Mapping[str, str], error: ValidationError) -> Settings:
    """Settings for the cross checks when single values are wrong: defaults instead of those."""
    wrong = {found["loc"][0] for found in error.errors(include_input=False, include_url=False)}
    required = {name: NOT_SET for name, field in Settings.model_fields.items() if field.is_required()}
    readable = {name: text for name, text in values.items() if name not in wrong}
    return Settings.model_validate({**required, **readable})


def _cross_checks(settings: Settings) -> list[SettingProblem]:
    return [
        *_address_problems(settings),
        *_country_problems(settings),
        *_schedule_problems(settings),
        *_vehicle_problems(settings),
        *_limit_problems(settings),
        *_name_problems(settings),
        *_connection_problems(settings),
        *_notice_problems(settings),
    ]


def _address_problems(settings: Settings) -> list[SettingProblem]:
    return [
        SettingProblem(
            name.upper(),
            "must be an https address such as https://host (http only for localhost), without login, ? and #",
        )
        for name in ("safetyamp_base_url", "samsara_base_url", "ms_graph_base_url", "ms_graph_authority")
        if not _is_base_address(getattr(settings, name), local_http=name != "ms_graph_authority")
    ] + _path_problems(settings)


def _path_problems(settings: Settings) -> list[SettingProblem]:
    """What would be answered 404, whatever is asked for."""
    problems = [
        SettingProblem(name.upper(), f"must end before {ending}, which the app adds itself")
        for name, ending in (("safetyamp_base_url", "/api"), ("samsara_base_url", "/fleet"))
        if getattr(settings, name).rstrip("/").lower().endswith(ending)
    ]
    graph = settings.ms_graph_base_url
    if _is_base_address(graph, local_http=True) and not graph.rstrip("/").endswith(GRAPH_VERSIONS):
        text = f"must end in {' or '.join(GRAPH_VERSIONS)}, such as https://graph.microsoft.com/v1.0"
        problems.append(SettingProblem("MS_GRAPH_BASE_URL", text))
    return problems


def _is_base_address(address: str, *, local_http: bool) -> bool:
    """Whether paths can be put behind it: behind `?` or `#` they would not reach the server."""
    is_bare = address.isprintable() and not any(sign in address for sign in "?#@ \\")
    return is_bare and _is_safe_address(address, local_http=local_http)


def _is_safe_address(address: str, *, local_http: bool) -> bool:
    try:
        parts = urlsplit(address)
        has_port = parts.port != 0
    except ValueError:  # of a port that is none
        return False
    local = local_http and parts.scheme == "http" and parts.hostname in LOOPBACK
    return has_port and bool(parts.hostname) and (parts.scheme == "https" or local)


def _country_problems(settings: Settings) -> list[SettingProblem]:
    if settings.default_country == "US":
        return []
    # Its import takes long, and hardly anybody needs it here.
    from phonenumbers import SUPPORTED_REGIONS

    if settings.default_country in SUPPORTED_REGIONS:
        return []
    text = "must be the two letters of a country by ISO 3166, such as US, CA or GB (not UK)"
    return [SettingProblem("DEFAULT_COUNTRY", text)]


def _schedule_problems(settings: Settings) -> list[SettingProblem]:
    problems = []
    for name in ("sync_schedule", "refresh_schedule", "sweep_schedule"):
        try:
            if next_time(getattr(settings, name), datetime(2000, 1, 1, tzinfo=UTC)) is None:
                problems.append(SettingProblem(name.upper(), "never comes: there is no such date"))
        except ValueError as error:
            text = f'must be NCRONTAB (UTC), such as "0 0 * * * *" for every full hour: {error}'
            problems.append(SettingProblem(name.upper(), text))
    return problems


def _vehicle_problems(settings: Settings) -> list[SettingProblem]:
    site, asset_type = settings.safetyamp_vehicle_site_id, settings.safetyamp_vehicle_asset_type_id
    problems = []
    if (site is None) != (asset_type is None):
        missing = "SAFETYAMP_VEHICLE_SITE_ID" if site is None else "SAFETYAMP_VEHICLE_ASSET_TYPE_ID"
        problems.append(
            SettingProblem(missing, "is needed too: vehicles need a site and an asset type of that site")
        )
    if site is not None and settings.samsara_api_key is None:
        problems.append(
            SettingProblem(
                "SAMSARA_API_KEY",
                Advised("is not set but vehicles are on", "set it, or unset SAFETYAMP_VEHICLE_SITE_ID", "; "),
            )
        )
    return problems


def _limit_problems(settings: Settings) -> list[SettingProblem]:
    reserve, calls = settings.api_rate_limit_reserve, settings.api_rate_limit_calls
    if calls < LEAST_FOR_BULK:
        text = f"must be at least {LEAST_FOR_BULK}: a change may have to be read and sent in one go"
        return [SettingProblem("API_RATE_LIMIT_CALLS", text)]
    if reserve > (most := calls - LEAST_FOR_BULK):
        text = f"must leave {LEAST_FOR_BULK} of API_RATE_LIMIT_CALLS ({calls}) to runs: at most {most}"
        return [SettingProblem("API_RATE_LIMIT_RESERVE", text)]
    return []


def _name_problems(settings: Settings) -> list[SettingProblem]:
    problems = [
        SettingProblem(name.upper(), "must be a column's name: letters, digits and underscores")
        for name in ("vista_title_column", "vista_region_column")
        if not IDENTIFIER.fullmatch(getattr(settings, name))
    ]
    if not CONTAINER.fullmatch(settings.documents_container):
        problems.append(
            SettingProblem(
                "DOCUMENTS_CONTAINER", "must be 3 to 63 lower-case letters, digits and single hyphens"
            )
        )
    try:
        ZoneInfo(settings.default_timezone)
    except (ValueError, OSError, KeyError):
        problems.append(SettingProblem("DEFAULT_TIMEZONE", "is no IANA time zone such as America/Chicago"))
    return problems


def _connection_problems(settings: Settings) -> list[SettingProblem]:
    problems = []
    if settings.entity_queue.casefold() == settings.batch_queue.casefold():
        # Service Bus does not tell names apart by case either.
        text = (
            "is the same queue as ENTITY_QUEUE: half of the messages would not be understood; name two queues"
        )
        problems.append(SettingProblem("BATCH_QUEUE", text))
    if settings.service_bus_connection and settings.service_bus_connection__fullyqualifiednamespace:
        problems.append(
            SettingProblem(
                "SERVICE_BUS_CONNECTION",
                Advised("and SERVICE_BUS_CONNECTION__fullyQualifiedNamespace are both set", "keep one", "; "),
            )
        )
    if settings.redis_auth == "entra" and not settings.redis_username:
        problems.append(
            SettingProblem("REDIS_USERNAME", "is needed with REDIS_AUTH=entra: the identity's object id")
        )
    if settings.redis_auth == "entra" and not settings.redis_ssl:
        problems.append(
            SettingProblem("REDIS_SSL", "must be true with REDIS_AUTH=entra: a token travels encrypted only")
        )
    return problems


def _notice_problems(settings: Settings) -> list[SettingProblem]:
    url, secret = settings.notice_webhook_url, settings.notice_webhook_secret
    problems = []
    if url and not _is_safe_address(url.get_secret_value(), local_http=True):
        text = "must be the webhook's https address, as its receiver shows it (http only for localhost)"
        problems.append(SettingProblem("NOTICE_WEBHOOK_URL", text))
    if secret and webhook_key(secret.get_secret_value()) is None:
        text = "must be whsec_ and 24 to 64 random bytes in base64: echo whsec_$(openssl rand -base64 32)"
        problems.append(SettingProblem("NOTICE_WEBHOOK_SECRET", text))
    return problems


def webhook_key(secret: str) -> bytes | None:
    """The bytes with which notices are signed, None for a text that is no such secret.

    Standard Webhooks wants 24 to 64 bytes in base64 behind `whsec_`, which some receivers leave out.
    """
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return None
    return key if len(key) in WEBHOOK_KEY_BYTES else None
