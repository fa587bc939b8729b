"""The settings: typed, validated together, secrets from Key Vault or the environment.

`Settings.load` reports every problem at once (ConfigurationError). Nothing is read at import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from shared.errors import ConfigurationError, SettingProblem

SecretSource = Callable[[str], str | None]
"""Gives the value of the secret with a setting's name, None when there is none; raises
ConfigurationError when the vault cannot be asked."""

SECRET_SETTINGS = (
    "SAFETYAMP_TOKEN",
    "SAMSARA_API_KEY",
    "MS_GRAPH_CLIENT_SECRET",
    "VISTA_CONNECTION_STRING",
    "REDIS_PASSWORD",
)
"""Settings that may live in Key Vault (names there with `-` for `_`)."""

UNRESOLVED_REFERENCE = "@Microsoft.KeyVault("
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

Positive = Annotated[int, Field(ge=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


class Settings(BaseSettings):
    """All settings of design.md section 6; attribute = environment variable in lower case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    azure_key_vault_url: str | None = None

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
    local_folder: str = ".local"

    redis_host: str = "localhost"
    redis_port: Annotated[int, Field(ge=1, le=65535)] = 6379
    redis_password: SecretStr | None = None
    redis_ssl: bool = False
    redis_auth: Literal["password", "entra"] = "password"
    redis_username: str | None = None

    sync_schedule: str = "0 0 * * * *"
    refresh_schedule: str = "0 30 2 * * *"
    sweep_schedule: str = "0 */5 * * * *"
    cache_ttl_hours: Annotated[float, Field(ge=0)] = 1
    api_rate_limit_calls: Positive = 60
    api_rate_limit_period: Annotated[float, Field(gt=0)] = 61
    api_rate_limit_reserve: Annotated[int, Field(ge=0)] = 6
    max_processes: Positive = 4
    max_retry_attempts: Positive = 3
    retry_delay_seconds: Annotated[float, Field(gt=0)] = 30
    breaker_failure_threshold: Positive = 5
    breaker_recovery_seconds: Annotated[float, Field(gt=0)] = 60
    guard_max_deactivations: Annotated[int, Field(ge=0)] = 10
    guard_max_percent: Percent = 20

    safetyamp_root_cluster: str | None = None
    safetyamp_default_role: str = "Field"
    safetyamp_vehicle_site_id: int | None = None
    safetyamp_vehicle_asset_type_id: int | None = None
    vehicle_assign_driver: bool = False
    reenable_disabled: bool = False
    home_office_suffix: str = " Office"
    default_country: str = "US"
    default_timezone: str = "America/Chicago"

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    environment: str = "local"
    applicationinsights_connection_string: SecretStr | None = None
