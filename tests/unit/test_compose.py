"""Queues and addresses are the same in the code, in the emulators' files and in Bicep.

The files cannot be run here (they need Docker); what a file can show is shown.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import yaml
from azure.storage.blob import BlobServiceClient
from pydantic import TypeAdapter

from local.bus.in_process import QueueOptions
from shared.config import Settings
from tests.real_parts import PROJECT

COMPOSE = PROJECT / "local" / "compose"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
EMULATOR: dict[str, Any] = json.loads((COMPOSE / "service-bus.json").read_text())["UserConfig"]
EXAMPLE: dict[str, str] = json.loads((PROJECT / "local.settings.json.example").read_text())["Values"]
BICEP = sorted((PROJECT / "infra").rglob("*.bicep"))
QUEUES = {Settings.model_fields[name].default for name in ("entity_queue", "batch_queue")}

# The emulator's own limits (Config-schema.json in Azure/azure-service-bus-emulator-installer).
LONGEST_TTL = timedelta(hours=1)
LONGEST_DUPLICATE_WINDOW = timedelta(minutes=5)
LONGEST_LOCK = timedelta(minutes=5)

as_duration = TypeAdapter(timedelta).validate_python


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def emulated_queues() -> dict[str, dict[str, Any]]:
    (namespace,) = EMULATOR["Namespaces"]
    assert namespace["Name"] == "sbemulatorns"
    assert namespace["Topics"] == []
    return {queue["Name"]: queue["Properties"] for queue in namespace["Queues"]}


def ports(service: str) -> set[str]:
    return set(SERVICES[service]["ports"])


class TestEmulator:
    def test_it_has_the_queues_of_the_code(self) -> None:
        assert set(emulated_queues()) == QUEUES
        assert {EXAMPLE["ENTITY_QUEUE"], EXAMPLE["BATCH_QUEUE"]} == QUEUES

    @pytest.mark.parametrize("queue", sorted(QUEUES))
    def test_its_queues_are_those_of_the_code_within_its_own_limits(self, queue: str) -> None:
        options, found = QueueOptions(), emulated_queues()[queue]
        assert as_duration(found["LockDuration"]) == min(seconds(options.lock_seconds), LONGEST_LOCK)
        assert found["MaxDeliveryCount"] == options.max_delivery_count
        assert found["RequiresDuplicateDetection"] is True
        assert as_duration(found["DuplicateDetectionHistoryTimeWindow"]) == min(
            seconds(options.duplicate_window_seconds), LONGEST_DUPLICATE_WINDOW
        )
        assert as_duration(found["DefaultMessageTimeToLive"]) == min(
            seconds(options.ttl_seconds), LONGEST_TTL
        )
        assert found["DeadLetteringOnMessageExpiration"] is True
        assert found["RequiresSession"] is False


class TestBicep:
    def bus(self) -> str:
        """The text of the one file that makes queues."""
        texts = [path.read_text() for path in BICEP]
        making = [
            text for text in texts if re.search(r"resource \w+ '[\w.]+/namespaces/queues@[^']+' =", text)
        ]
        (text,) = making
        return text

    def value(self, name: str) -> Any:
        """What the file sets; the same wherever it does."""
        found = set(re.findall(rf"^\s*{name}:\s*(.+?)\s*$", self.bus(), re.MULTILINE))
        assert len(found) == 1, f"{name} is set {len(found)} times in Bicep"
        return json.loads(found.pop().replace("'", '"'))

    def test_its_queues_have_the_limits_of_the_code(self) -> None:
        options = QueueOptions()
        assert as_duration(self.value("lockDuration")) == seconds(options.lock_seconds)
        assert self.value("maxDeliveryCount") == options.max_delivery_count
        assert self.value("requiresDuplicateDetection") is True
        window = as_duration(self.value("duplicateDetectionHistoryTimeWindow"))
        assert window == seconds(options.duplicate_window_seconds)
        assert as_duration(self.value("defaultMessageTimeToLive")) == seconds(options.ttl_seconds)
        assert self.value("deadLetteringOnMessageExpiration") is True

    def test_its_queues_have_the_names_of_the_code(self) -> None:
        self.bus()
        text = "\n".join(path.read_text() for path in BICEP)
        assert [name for name in QUEUES if f"'{name}'" not in text] == []


class TestCompose:
    def test_the_emulator_reads_our_queues_and_waits_for_its_database(self) -> None:
        emulator = SERVICES["service-bus"]
        assert emulator["volumes"] == ["./service-bus.json:/ServiceBus_Emulator/ConfigFiles/Config.json:ro"]
        assert emulator["environment"]["SQL_SERVER"] == "sql"
        assert emulator["depends_on"]["sql"]["condition"] == "service_healthy"
        passwords = {SERVICES[name]["environment"]["MSSQL_SA_PASSWORD"] for name in ("service-bus", "sql")}
        assert len(passwords) == 1

    def test_each_service_has_a_health_check(self) -> None:
        """The emulator's image holds no command: a service beside it asks."""
        assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"service-bus"}
        assert "http://service-bus:5300/health" in SERVICES["service-bus-health"]["healthcheck"]["test"][1]

    def test_each_image_has_its_major_version_at_least(self) -> None:
        for service in SERVICES.values():
            assert re.search(r":\d", service["image"]), service["image"]

    def test_azurite_is_the_one_that_tests_use(self) -> None:
        version = re.search(r"^AZURITE_VERSION=(\S+)", (PROJECT / ".ci" / "parts").read_text(), re.MULTILINE)
        assert version is not None
        assert SERVICES["storage"]["image"].endswith(f":{version[1]}")

    def test_nothing_is_reached_from_other_machines(self) -> None:
        published = [port for service in SERVICES.values() for port in service.get("ports", [])]
        assert all(port.startswith("127.0.0.1:") for port in published)


class TestExample:
    """local.settings.json.example leads to what compose starts."""

    def test_service_bus(self) -> None:
        parts = dict(part.split("=", 1) for part in EXAMPLE["SERVICE_BUS_CONNECTION"].split(";") if part)
        assert parts["Endpoint"] == "sb://localhost"
        assert parts["UseDevelopmentEmulator"] == "true"
        assert "127.0.0.1:5672:5672" in ports("service-bus")

    def test_storage(self) -> None:
        client = BlobServiceClient.from_connection_string(EXAMPLE["AzureWebJobsStorage"])
        assert client.url.rstrip("/") == "http://127.0.0.1:10000/devstoreaccount1"
        assert "127.0.0.1:10000:10000" in ports("storage")
        assert EXAMPLE["DOCUMENTS_CONNECTION"] == ""

    def test_redis(self) -> None:
        assert (EXAMPLE["REDIS_HOST"], EXAMPLE["REDIS_SSL"]) == ("localhost", "false")
        assert ports("redis") == {f"127.0.0.1:{EXAMPLE['REDIS_PORT']}:6379"}
