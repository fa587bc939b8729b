"""What the host sends with an invocation, as typed data of the wire.

Sources: `GrpcMessageConversionExtensions.cs` in Azure/azure-functions-host (which value becomes which type),
`ServiceBusTriggerBindingStrategy.cs` in Azure/azure-sdk-for-net (the metadata of a message).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from werkzeug.routing import Map, Rule

from local.host.index import HostOptions
from tests.worker.functions_host import Entry, FunctionsHost, Invoked
from tests.worker.wire import protos

MOMENT = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def timer(*, past_due: bool = False) -> Any:
    """A tick of a timer."""
    value = {
        "Schedule": {"AdjustForDST": True},
        "ScheduleStatus": {
            "Last": MOMENT.isoformat(),
            "LastUpdated": MOMENT.isoformat(),
            "Next": (MOMENT + timedelta(hours=1)).isoformat(),
        },
        "IsPastDue": past_due,
    }
    return protos.TypedData(json=json.dumps(value))


def message_metadata(
    message_id: str, *, delivery_count: int = 1, properties: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of a message, complete: the reason of a dead letter has no entry of its own."""
    expires, enqueued = MOMENT + timedelta(days=2), MOMENT
    application_properties = json.dumps(dict(properties or {}))
    return {
        "MessageId": protos.TypedData(string=message_id),
        "ContentType": protos.TypedData(string="application/json"),
        "CorrelationId": protos.TypedData(string="20260302-120000-0a1b2c"),
        "LockToken": protos.TypedData(string="8d0f0b0e-2d2b-4b9e-9d38-2f4a3f1d7a11"),
        "DeliveryCount": protos.TypedData(json=str(delivery_count)),
        "SequenceNumber": protos.TypedData(json="42"),
        # A DateTime taken from a DateTimeOffset has no zone; the other one has.
        "EnqueuedTimeUtc": protos.TypedData(json=json.dumps(enqueued.strftime("%Y-%m-%dT%H:%M:%S.%f"))),
        "EnqueuedTime": protos.TypedData(json=json.dumps(enqueued.isoformat())),
        "ExpiresAtUtc": protos.TypedData(json=json.dumps(expires.strftime("%Y-%m-%dT%H:%M:%S.%f"))),
        "ExpiresAt": protos.TypedData(json=json.dumps(expires.isoformat())),
        "ApplicationProperties": protos.TypedData(json=application_properties),
        "UserProperties": protos.TypedData(json=application_properties),
        # What is null in .NET arrives as data without a value.
        **{name: protos.TypedData() for name in ("ReplyTo", "To", "Subject", "Label", "SessionId")},
        **{name: protos.TypedData() for name in ("DeadLetterSource", "ReplyToSessionId", "PartitionKey")},
        "TransactionPartitionKey": protos.TypedData(),
        "MessageReceiver": protos.TypedData(json="{}"),
        "MessageActions": protos.TypedData(json="{}"),
        "Client": protos.TypedData(json='{"FullyQualifiedNamespace":"sb.servicebus.windows.net"}'),
        "sys": protos.TypedData(json='{"MethodName":"f","UtcNow":"2026-03-02T12:00:00Z"}'),
    }


def send_http(
    host: FunctionsHost,
    options: HostOptions,
    method: str,
    url: str,
    body: bytes = b"",
    entry: Entry = "protobuf",
    headers: Mapping[str, str] | None = None,
) -> tuple[str, Invoked]:
    """A request, routed by what the worker told the host of its functions: the function, and how it ended.

    Raises werkzeug's NotFound or MethodNotAllowed where the host would answer 404.
    """
    parts = urlsplit(url)
    rules = [
        _rule(name, binding, options.route_prefix)
        for name in host.functions
        if (binding := host.trigger(name))["type"] == "httpTrigger"
    ]
    routes = Map(rules, strict_slashes=False).bind("sync.example.com")
    function, route_params = routes.match(parts.path, method)
    http = protos.RpcHttp(
        method=method,
        url=f"https://sync.example.com{url}",
        # Names are made lower case; a query parameter without a value is left out.
        headers={
            "host": "sync.example.com",
            "x-functions-key": "k3y",
            "content-length": str(len(body)),
            **{name.lower(): value for name, value in (headers or {}).items()},
        },
        query={name: value for name, value in parse_qsl(parts.query) if value},
        params={name: str(value) for name, value in route_params.items()},
        body=protos.TypedData(bytes=body) if body else None,
    )
    return function, host.invoke(function, protos.TypedData(http=http), entry=entry)


def _rule(name: str, binding: Mapping[str, Any], prefix: str) -> Rule:
    route = str(binding.get("route") or name)
    path = "/" + "/".join(part for part in (prefix, route) if part)
    methods = [str(method).upper() for method in binding.get("methods") or ()]
    return Rule(path.replace("{", "<").replace("}", ">"), endpoint=name, methods=methods or None)
