"""Looking into the queues of the in-process bus."""

from __future__ import annotations

from local.bus.in_process import DEAD_LETTER_QUEUE, InProcessBus
from shared.storage.bus import DeadMessage, QueueDepth, resubmitted


class InProcessQueues:
    """Implements `shared.storage.bus.Queues`."""

    def __init__(self, bus: InProcessBus) -> None:
        self._bus = bus

    def dead_letters(self, queue: str, most: int = 100) -> list[DeadMessage]:
        return [
            DeadMessage(
                sequence_number=stored.sequence_number,
                message_id=stored.message.message_id,
                body=stored.message.body,
                reason=stored.dead_letter_reason or "",
                description=stored.dead_letter_description,
                delivery_count=stored.delivery_count,
                enqueued=stored.enqueued,
            )
            for stored in self._bus.dead_letters(queue)[:most]
        ]

    def resubmit(self, queue: str, most: int = 100) -> int:
        for done in range(most):
            letter = self._bus.receive(queue + DEAD_LETTER_QUEUE)
            if letter is None:
                return done
            self._bus.send([resubmitted(queue, letter.message, letter.sequence_number)])
            self._bus.complete(letter)
        return most

    def depth(self, queue: str, most: int = 1000) -> QueueDepth:
        counts = self._bus.counts(queue)
        waiting = counts.active + counts.locked
        cut = max(waiting + counts.scheduled, counts.dead_lettered) >= most
        # A peek goes by sequence numbers and may stop before the last one; here nothing needs to be cut.
        return QueueDepth(waiting, counts.scheduled, min(counts.dead_lettered, most), cut)
