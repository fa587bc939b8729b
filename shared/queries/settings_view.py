"""Every setting as an operator sees it: what counts and where it comes from, without secrets."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.config import SECRET_SETTINGS, Settings, given_values
from shared.errors import ConfigurationError
from shared.queries import answers
from shared.runtime import Runtime

PAGE = "docs/settings.md"
SECTIONS = {
    "SafetyAmp": (
        "SAFETYAMP_BASE_URL SAFETYAMP_FQDN SAFETYAMP_TOKEN SAFETYAMP_ROOT_CLUSTER SAFETYAMP_DEFAULT_ROLE "
        "SAFETYAMP_VEHICLE_SITE_ID SAFETYAMP_VEHICLE_ASSET_TYPE_ID SITE_DEFAULT_STATE "
        "SITE_DEFAULT_ZIP_CODE"
    ),
    "Vista": ("VISTA_CONNECTION_STRING VISTA_COMPANY VISTA_TITLE_COLUMN VISTA_REGION_COLUMN"),
    "Microsoft Graph": (
        "MS_GRAPH_TENANT_ID MS_GRAPH_CLIENT_ID MS_GRAPH_CLIENT_SECRET MS_GRAPH_BASE_URL MS_GRAPH_AUTHORITY"
    ),
    "Samsara": ("SAMSARA_BASE_URL SAMSARA_API_KEY VEHICLE_ASSIGN_DRIVER"),
    "What is synced, and what is held": (
        "RULES_FILE GUARD_MAX_DEACTIVATIONS GUARD_MAX_PERCENT REENABLE_DISABLED HOME_OFFICE_SUFFIX "
        "DEFAULT_COUNTRY DEFAULT_TIMEZONE"
    ),
    "When, and how fast": (
        "SYNC_SCHEDULE REFRESH_SCHEDULE SWEEP_SCHEDULE CACHE_TTL_HOURS API_RATE_LIMIT_CALLS "
        "API_RATE_LIMIT_PERIOD API_RATE_LIMIT_RESERVE MAX_PROCESSES MAX_RETRY_ATTEMPTS "
        "RETRY_DELAY_SECONDS LOST_ANSWER_SECONDS BREAKER_FAILURE_THRESHOLD BREAKER_RECOVERY_SECONDS"
    ),
    "Messages and documents": (
        "SERVICE_BUS_CONNECTION SERVICE_BUS_CONNECTION__fullyQualifiedNamespace "
        "SERVICE_BUS_CONNECTION__clientId ENTITY_QUEUE BATCH_QUEUE DOCUMENTS_CONNECTION "
        "DOCUMENTS_CONNECTION__blobServiceUri DOCUMENTS_CONNECTION__clientId DOCUMENTS_CONTAINER "
        "AzureWebJobsStorage AzureWebJobsStorage__accountName AzureWebJobsStorage__blobServiceUri "
        "AzureWebJobsStorage__clientId LOCAL_FOLDER"
    ),
    "Redis": ("REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_SSL REDIS_AUTH REDIS_USERNAME"),
    "Azure and who gets in": ("AZURE_KEY_VAULT_URL AZURE_CLIENT_ID SIGN_IN SIGN_IN_PROXY"),
    "Logs and notices": (
        "LOG_LEVEL ENVIRONMENT NOTICE_WEBHOOK_URL NOTICE_WEBHOOK_SECRET NOTICE_WEBHOOK_FORMAT "
        "NOTICE_BREAKER_MINUTES NOTICE_SUCCESS_HOURS NOTICE_FAILED_RECORDS "
        "APPLICATIONINSIGHTS_CONNECTION_STRING APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
    ),
}
"""The sections of that page, with the names as they are written there; a test holds them to it."""

LOOKS_SECRET = re.compile(
    r"\w*(?:key|password|pwd|secret|token|sig|signature)\s*="  # a connection string, an address with a SAS
    r"|://[^/\s]*@"  # an address with a password
    r"|\bwhsec_|\bBearer\s|\beyJ[\w-]{10}|\dQ~",  # a signing key, tokens, a client secret of Entra
    re.IGNORECASE,
)
"""What stands in a setting that is none of the secret ones, where somebody mixed them up."""
LEAST_SECRET = 4
"""Characters; a shorter one would hide what only happens to have them."""


def settings_view(runtime: Runtime) -> answers.SettingList:
    """All settings, also those of a process that cannot start with them: then each problem stands with the
    setting that it names."""
    try:
        known, problems = _Known(runtime.environment, runtime.settings), {}
    except ConfigurationError as error:
        known, problems = _Known(runtime.environment, None), _by_field(error)
    return {
        "settings": [
            known.told(name, section, problems.get(name.lower()))
            for section, names in SECTIONS.items()
            for name in names.split()
        ]
    }


def _by_field(error: ConfigurationError) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        found.setdefault(problem.setting.lower(), []).append(problem.text)
    return {field: "; ".join(texts) for field, texts in found.items()}


class _Known:
    """What the environment says and, unless they are wrong, the settings that came of it."""

    def __init__(self, environment: Mapping[str, str], settings: Settings | None) -> None:
        # The command line puts local.settings.json behind the environment (cli/settings_file.py).
        front = environment.maps[0] if isinstance(environment, ChainMap) else environment
        self._in_front, self._given = given_values(front), given_values(environment)
        # Behind both it puts what counts without anybody having said so: a rules.toml that is there.
        behind = environment.maps[2:] if isinstance(environment, ChainMap) else []
        self._unsaid = given_values(ChainMap(*behind))
        self._settings = settings
        self._secrets = [text for text in self._secret_texts() if len(text) >= LEAST_SECRET]

    def told(self, name: str, section: str, problem: str | None) -> answers.Setting:
        field, info = name.lower(), Settings.model_fields[name.lower()]
        source, secret, default = self._source(field), _is_secret(info), _default(info)
        hidden = source == "Key Vault" or (field in self._given and self._is_hidden(info, self._given[field]))
        return {
            "name": name,
            "section": section,
            "docs": f"{PAGE}#{_anchor(section)}",
            "source": source,
            "vault_secret": name.replace("_", "-") if name in SECRET_SETTINGS else None,
            "secret": secret,
            "is_set": None if source == "unknown" else source not in ("default", "not set"),
            "hidden": hidden,
            "value": None if hidden else self._given.get(field, default),
            "default": default,
            "required": info.is_required(),
            "problem": problem,
        }

    def _source(self, field: str) -> answers.SettingSource:
        if field in self._given:
            if self._unsaid.get(field) == self._given[field]:
                return "default"
            return "environment" if field in self._in_front else "local.settings.json"
        if field.upper() in SECRET_SETTINGS and "azure_key_vault_url" in self._given:
            if self._settings is None:
                return "unknown"
            return "Key Vault" if getattr(self._settings, field) is not None else "not set"
        return "not set" if _default(Settings.model_fields[field]) is None else "default"

    def _is_hidden(self, info: FieldInfo, value: str) -> bool:
        return (
            _is_secret(info)
            or LOOKS_SECRET.search(value) is not None
            or any(text in value for text in self._secrets)
        )

    def _secret_texts(self) -> Iterator[str]:
        for field, info in Settings.model_fields.items():
            if _is_secret(info):
                yield self._given.get(field, "")
                secret = getattr(self._settings, field, None)
                yield secret.get_secret_value() if secret else ""


def _is_secret(info: FieldInfo) -> bool:
    return SecretStr in (info.annotation, *getattr(info.annotation, "__args__", ()))


def _default(info: FieldInfo) -> str | None:
    value: Any = None if info.is_required() else info.default
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
