"""Every setting with where it comes from, and no secret in it, whatever is wrong."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Mapping
from typing import Any

import pytest

from local.settings_table import PAGE
from shared import config, key_vault
from shared.config import SECRET_SETTINGS, Settings
from shared.errors import ConfigurationError, SettingProblem
from shared.queries.settings_view import SECTIONS, settings_view
from shared.runtime import Runtime
from tests.real_parts import PROJECT
from tests.unit.docs.pages import anchors
from tests.unit.engine_rig import REQUIRED

VAULT = "https://kept.vault.azure.net"
SECRETS = sorted(
    name.upper() for name, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)
)
CANARY = "q7Zx9CANARYw2"
PIECE = 5
"""Characters; no shorter part of a secret is looked for, as it may be in any text."""


def told(environment: Mapping[str, str]) -> dict[str, Any]:
    """What is said of each setting, by its name in capitals."""
    found = settings_view(Runtime(environment))["settings"]
    return {one["name"].upper(): one for one in found}


@pytest.fixture
def vault(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the vault holds, by setting; it cannot be read while it holds BROKEN."""
    kept: dict[str, str] = {}

    def read(setting: str) -> str | None:
        if "BROKEN" in kept:
            raise ConfigurationError.of(setting, "could not be read from Key Vault: the vault answered 403")
        return kept.get(setting)

    monkeypatch.setattr(key_vault, "key_vault_secrets", lambda *_: read)
    return kept


def test_a_rules_toml_of_the_folder_counts_without_anybody_having_set_it() -> None:
    found = told(ChainMap(dict(REQUIRED), {}, {"RULES_FILE": "/x/rules.toml"}))["RULES_FILE"]
    assert (found["source"], found["value"], found["is_set"]) == ("default", "/x/rules.toml", False)
    found = told(ChainMap(dict(REQUIRED), {"RULES_FILE": "b"}, {"RULES_FILE": "a"}))["RULES_FILE"]
    assert (found["source"], found["value"]) == ("local.settings.json", "b")


def test_every_setting_stands_in_the_section_of_the_page_that_explains_it() -> None:
    sections: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            rows = sections[line.removeprefix("## ")] = []
        elif line.startswith("| `"):
            rows.append(line.split("`")[1])
    del sections["Read by others"]
    assert {section: names.split() for section, names in SECTIONS.items()} == sections
    assert told(REQUIRED).keys() == {name.upper() for name in Settings.model_fields}
    for one in told(REQUIRED).values():
        page, _, anchor = one["docs"].partition("#")
        assert anchor in anchors(PROJECT / page)


def test_the_environment_goes_before_the_file_and_the_file_before_the_default() -> None:
    file = {**REQUIRED, "VISTA_COMPANY": "7", "REDIS_PORT": "1", "LOG_LEVEL": "DEBUG", "REDIS_SSL": "true"}
    found = told(ChainMap({"VISTA_COMPANY": "9", "redis_port": " 2\n", "LOG_LEVEL": ""}, file))
    names = ("VISTA_COMPANY", "REDIS_PORT", "LOG_LEVEL", "REDIS_SSL", "VISTA_TITLE_COLUMN", "AZURE_CLIENT_ID")
    assert [(found[name]["value"], found[name]["source"], found[name]["is_set"]) for name in names] == [
        ("9", "environment", True),
        ("2", "environment", True),
        ("INFO", "default", False),
        ("true", "local.settings.json", True),
        ("udEmpTitle", "default", False),
        (None, "not set", False),
    ]
    assert (found["VISTA_COMPANY"]["default"], found["REDIS_SSL"]["default"]) == ("1", "false")
    assert [name for name, one in found.items() if one["required"]] == [
        name for name in found if Settings.model_fields[name.lower()].is_required()
    ]


def test_a_secret_of_the_vault_is_told_by_its_name_there(vault: dict[str, str]) -> None:
    vault |= {"SAFETYAMP_TOKEN": CANARY}
    here = {name: value for name, value in REQUIRED.items() if name != "SAFETYAMP_TOKEN"}
    found = told({**here, "AZURE_KEY_VAULT_URL": VAULT})
    token, password = found["SAFETYAMP_TOKEN"], found["REDIS_PASSWORD"]
    assert (token["source"], token["vault_secret"], token["hidden"]) == ("Key Vault", "SAFETYAMP-TOKEN", True)
    assert (password["source"], password["is_set"], password["hidden"]) == ("not set", False, False)
    assert CANARY not in json.dumps(found)


@pytest.mark.parametrize("wrong", [{}, {"REDIS_PORT": "x"}], ids=["right", "wrong"])
@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "form", ["{}", "x\0{}", "@Microsoft.KeyVault({})", "whsec_{}", "http://{}@far.example/?sig={}"]
)
def test_no_part_of_a_secret_is_told_wherever_it_comes_from_and_whatever_is_wrong(
    name: str, form: str, wrong: dict[str, str], vault: dict[str, str]
) -> None:
    secret = form.replace("{}", CANARY)
    before = {**{key: text for key, text in REQUIRED.items() if key != name}, **wrong}
    environments: list[Mapping[str, str]] = [{**before, name: secret}, ChainMap(before, {name: secret})]
    if name in SECRET_SETTINGS:
        vault[name] = secret
        environments.append({**before, "AZURE_KEY_VAULT_URL": VAULT})
    for environment in environments:
        found = told(environment)
        assert found[name]["secret"]
        assert found[name]["value"] is None
        text = json.dumps(found)
        assert not [at for at in range(len(CANARY) - PIECE + 1) if CANARY[at : at + PIECE] in text]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SAFETYAMP_FQDN", REQUIRED["SAFETYAMP_TOKEN"] + "s"),
        ("DOCUMENTS_CONNECTION__BLOBSERVICEURI", "https://a.blob.core.windows.net/?sv=1&sig=abc"),
        ("SAMSARA_BASE_URL", "https://user:word@api.samsara.com"),
        ("SERVICE_BUS_CONNECTION__FULLYQUALIFIEDNAMESPACE", "Endpoint=sb://n;SharedAccessKey=abc"),
        ("MS_GRAPH_CLIENT_ID", "abc8Q~defghi"),
        ("REDIS_USERNAME", "eyJhbGciOiJIUzI1NiJ9.e30"),
        ("REDIS_HOST", "h,password=abc"),
        ("SAFETYAMP_ROOT_CLUSTER", "Bearer abc"),
    ],
)
def test_what_looks_like_a_secret_in_another_setting_is_hidden(name: str, text: str) -> None:
    one = told({**REQUIRED, name: text})[name]
    assert (one["secret"], one["hidden"], one["value"], one["is_set"]) == (False, True, None, True)


def test_what_is_meant_to_be_seen_is_seen() -> None:
    for name, text in {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD;ClientId=0f8fad5b",
        "AZURE_KEY_VAULT_URL": VAULT,
        "HOME_OFFICE_SUFFIX": " Key Office ",
        "SYNC_SCHEDULE": "0 0 * * * *",
    }.items():
        assert told({**REQUIRED, name: text})[name]["value"] == text


def test_what_is_wrong_stands_with_its_setting_and_the_rest_is_told_all_the_same(
    vault: dict[str, str],
) -> None:
    vault["BROKEN"] = "yes"
    found = told({"AZURE_KEY_VAULT_URL": VAULT, "REDIS_PORT": "many", "VISTA_COMPANY": "2"})
    assert found["REDIS_PORT"]["value"] == "many"
    assert "valid integer" in found["REDIS_PORT"]["problem"]
    assert "is not set" in found["SAFETYAMP_FQDN"]["problem"]
    assert (found["VISTA_COMPANY"]["value"], found["VISTA_COMPANY"]["problem"]) == ("2", None)
    token = found["SAFETYAMP_TOKEN"]
    assert (token["source"], token["is_set"], token["hidden"]) == ("unknown", None, False)
    assert "answered 403" in token["problem"]


def test_two_problems_of_one_setting_are_both_told(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [SettingProblem("REDIS_SSL", text) for text in ("is odd", "and wrong")]

    def load(*_: object) -> None:
        raise ConfigurationError(problems)

    monkeypatch.setattr(config, "load_settings", load)
    assert told(REQUIRED)["REDIS_SSL"]["problem"] == "is odd; and wrong"
