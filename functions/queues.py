"""Queues: one message per entity to plan, one per batch to apply.

A function that returns completes its message; one that raises gets it again at once. A message that can
never be read raises every time, until the queue's delivery count moves it to the dead letters.
"""

import azure.functions as func

from shared import runtime
from shared.sync.batch_handler import apply_batch as apply_changes
from shared.sync.entity_handler import sync_entity as bring_forward
from shared.sync.messages import parse_batch_message, parse_entity_message

blueprint = func.Blueprint()


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%ENTITY_QUEUE%", connection="SERVICE_BUS_CONNECTION"
)
def sync_entity(message: func.ServiceBusMessage) -> None:
    """Plan an entity and send its batches."""
    bring_forward(runtime.current(), parse_entity_message(message.get_body()))


@blueprint.service_bus_queue_trigger(
    arg_name="message", queue_name="%BATCH_QUEUE%", connection="SERVICE_BUS_CONNECTION"
)
def apply_batch(message: func.ServiceBusMessage) -> None:
    """Apply a batch of changes."""
    apply_changes(runtime.current(), parse_batch_message(message.get_body()))
