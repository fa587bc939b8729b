"""Queues: one message per entity to plan, one per batch to apply; and what could not be handled.

A function that returns completes its message; one that raises gets it again at once, until the queue's
delivery count moves it to the dead letters. A message that can never be read is given up at the first
delivery: Python functions cannot send a message to the dead letters themselves.
"""

from collections.abc import Callable
from typing import TypeVar

import azure.functions as func

from functions.invocations import invoked
from shared import runtime
from shared.errors import BusError, MessageError, StorageError
from shared.sync.messages import parse_batch_message, parse_entity_message
from shared.sync.runs import batch_handler, entity_handler
from shared.sync.runs.dead_letters import DeadLetter, Kind, archive
from shared.sync.services import Services

Parsed = TypeVar("Parsed")
blueprint = func.Blueprint()

DEAD_LETTER_PAUSE_SECONDS = 5.0
"""Dead letters come again at once and without an end while storage is away."""


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%ENTITY_QUEUE%", connection="SERVICE_BUS_CONNECTION"
)
def sync_entity(message: func.ServiceBusMessage, context: func.Context) -> None:
    """Plan an entity and send its batches."""
    with invoked(context):
        _handle("entity", message, parse_entity_message, entity_handler.sync_entity)


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%BATCH_QUEUE%", connection="SERVICE_BUS_CONNECTION"
)
def apply_batch(message: func.ServiceBusMessage, context: func.Context) -> None:
    """Apply a batch of changes."""
    with invoked(context):
        _handle("batch", message, parse_batch_message, batch_handler.apply_batch)


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%ENTITY_QUEUE%/$deadletterqueue", connection="SERVICE_BUS_CONNECTION"
)
def give_up_entity(message: func.ServiceBusMessage, context: func.Context) -> None:
    """End an entity whose message could not be handled."""
    with invoked(context):
        _archive_dead("entity", message)


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%BATCH_QUEUE%/$deadletterqueue", connection="SERVICE_BUS_CONNECTION"
)
def give_up_batch(message: func.ServiceBusMessage, context: func.Context) -> None:
    """End a batch whose message could not be handled."""
    with invoked(context):
        _archive_dead("batch", message)


def _handle(
    kind: Kind,
    message: func.ServiceBusMessage,
    parse: Callable[[bytes], Parsed],
    handle: Callable[[Services, Parsed], None],
) -> None:
    services = runtime.current()
    with services.shutdown.working():
        try:
            parsed = parse(message.get_body())
        except MessageError as error:
            archive(services, _dead_letter(kind, message, str(error)))
            return
        handle(services, parsed)


def _archive_dead(kind: Kind, message: func.ServiceBusMessage) -> None:
    services = runtime.current()
    reason = _reason(message)
    with services.shutdown.working():
        try:
            archive(services, _dead_letter(kind, message, reason))
        except (StorageError, BusError):
            services.clock.sleep(DEAD_LETTER_PAUSE_SECONDS)
            raise


def _dead_letter(kind: Kind, message: func.ServiceBusMessage, reason: str) -> DeadLetter:
    return DeadLetter(kind, message.message_id, message.get_body(), reason, message.delivery_count or 1)


def _reason(message: func.ServiceBusMessage) -> str:
    """Why Service Bus gave the message up. It says so in application properties only: the trigger's metadata
    has no entry for it, and `message.dead_letter_reason` is None (Azure/azure-sdk-for-net,
    ServiceBusTriggerBindingStrategy.cs)."""
    properties = message.application_properties or {}
    reason: str = properties.get("DeadLetterReason") or "no reason given"
    description = properties.get("DeadLetterErrorDescription")
    return f"{reason} ({description})" if description else reason
