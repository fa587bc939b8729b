"""The messages of the Functions host's protocol, as the worker library takes and makes them: real protobuf
classes, so that a value of a wrong type fails here as it would on the wire.

The worker library brings none: its caller, a part of the platform, passes them in as `protos`. The names are
those that `azure_functions_runtime` 1.3.0 reads and writes (`handle_event.py`, `loader.py`, `bindings/`).
Fields are numbered in the order they stand here: nothing of this leaves the process.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "host_protocol"

ENUMS = {
    "Status": ("StatusResult", ["Failure", "Success", "Cancelled"]),
    "Direction": ("BindingInfo", ["in", "out", "inout"]),
    "DataType": ("BindingInfo", ["undefined", "string", "binary", "stream"]),
}
"""Name to the message that it belongs to, and its values from 0 up."""

MESSAGES = {
    "RpcException": "source stack_trace message",
    "StatusResult": "status:Status result exception:RpcException",
    "WorkerMetadata": (
        "runtime_name runtime_version worker_version worker_bitness custom_properties:map<string>"
    ),
    "WorkerInitRequest": "host_version capabilities:map<string> worker_directory function_app_directory",
    "WorkerInitResponse": (
        "worker_version capabilities:map<string> result:StatusResult worker_metadata:WorkerMetadata"
    ),
    "FunctionEnvironmentReloadRequest": "environment_variables:map<string> function_app_directory",
    "FunctionEnvironmentReloadResponse": (
        "worker_metadata:WorkerMetadata capabilities:map<string> result:StatusResult"
    ),
    "BindingInfo": "type direction:Direction data_type:DataType properties:map<string>",
    "RpcRetryOptions": "max_retry_count:int",
    "RpcFunctionMetadata": (
        "name directory script_file entry_point bindings:map<BindingInfo> is_proxy:bool status:StatusResult"
        " language raw_bindings:list<string> function_id managed_dependency_enabled:bool"
        " retry_options:RpcRetryOptions properties:map<string>"
    ),
    "FunctionsMetadataRequest": "function_app_directory",
    "FunctionMetadataResponse": (
        "function_metadata_results:list<RpcFunctionMetadata> result:StatusResult"
        " use_default_metadata_indexing:bool"
    ),
    "FunctionLoadRequest": "function_id metadata:RpcFunctionMetadata managed_dependency_enabled:bool",
    "FunctionLoadResponse": "function_id result:StatusResult",
    "RpcHttp": (
        "method url headers:map<string> body:TypedData params:map<string> status_code query:map<string>"
        " enable_content_negotiation:bool cookies:list<RpcHttpCookie>"
    ),
    "RpcHttpCookie": "name value",
    "TypedData": "data|string data|json data|bytes:bytes data|http:RpcHttp data|int:int data|double:double",
    "ParameterBinding": "name rpc_data|data:TypedData",
    "RpcTraceContext": "trace_parent trace_state attributes:map<string>",
    "RetryContext": "retry_count:int max_retry_count:int exception:RpcException",
    "InvocationRequest": (
        "invocation_id function_id input_data:list<ParameterBinding> trigger_metadata:map<TypedData>"
        " trace_context:RpcTraceContext retry_context:RetryContext"
    ),
    "InvocationResponse": (
        "invocation_id output_data:list<ParameterBinding> return_value:TypedData result:StatusResult"
    ),
    "StreamingMessage": (
        "request_id content|worker_init_request:WorkerInitRequest"
        " content|function_environment_reload_request:FunctionEnvironmentReloadRequest"
        " content|functions_metadata_request:FunctionsMetadataRequest"
        " content|function_load_request:FunctionLoadRequest content|invocation_request:InvocationRequest"
    ),
}
"""Name to fields: `name`, `name:type`, `oneof|name:type`. Without a type it is a string."""

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int": _Field.TYPE_SINT64,
    "double": _Field.TYPE_DOUBLE,
}


def _set_type(field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind in ENUMS:
        field.type = _Field.TYPE_ENUM
        field.type_name = f".{PACKAGE}.{ENUMS[kind][0]}.{kind}"
    else:
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"


def _add_map_entry(message: Any, name: str, kind: str) -> str:
    """A map is a list of entries to protobuf; returns the type of an entry."""
    entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
    entry.options.map_entry = True
    for number, (part, part_kind) in enumerate((("key", "string"), ("value", kind)), start=1):
        _set_type(entry.field.add(name=part, number=number, label=_Field.LABEL_OPTIONAL), part_kind)
    return f"{message.name}.{entry.name}"


def _add_field(message: Any, number: int, text: str) -> None:
    oneof, _, rest = text.rpartition("|")
    name, _, kind = rest.partition(":")
    kind = kind or "string"
    repeated = kind.startswith(("map<", "list<"))
    if kind.startswith("map<"):
        kind = _add_map_entry(message, name, kind[4:-1])
    elif repeated:
        kind = kind[5:-1]
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    _set_type(field, kind)
    if oneof:
        names = [found.name for found in message.oneof_decl]
        if oneof not in names:
            message.oneof_decl.add(name=oneof)
            names.append(oneof)
        field.oneof_index = names.index(oneof)


def _build() -> SimpleNamespace:
    file = descriptor_pb2.FileDescriptorProto(name="host.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, text in enumerate(fields.split(), start=1):
            _add_field(message, number, text)
        for enum, (owner, values) in ENUMS.items():
            if owner == name:
                found = message.enum_type.add(name=enum)
                for number, value in enumerate(values):
                    found.value.add(name=value, number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return SimpleNamespace(
        **{
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
            for name in MESSAGES
        }
    )


protos: Any = _build()
"""The classes by name, as the worker's `protos`."""
