"""What the server does with the links of its clients. Runs on proton's thread alone."""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import datetime

import proton
from proton import Condition, Delivery, Endpoint, Event, Handler, Link, Terminus

from local.amqp.addresses import Node, covers, node_of
from local.amqp.messages import delivered, received
from local.amqp.requests import Requests
from local.bus.in_process import InProcessBus, LockedMessage, LockLost
from shared.clock import Clock
from shared.errors import BusError

logger = logging.getLogger(__name__)

CREDIT = 100
SIZE_EXCEEDED = ("amqp:link:message-size-exceeded", "The message is larger than the queue takes.")


class Broker(Handler):  # type: ignore[misc]  # proton's own base is untyped
    """Queues of `bus` as AMQP nodes. `due` is called when a queue that somebody waits at is to be looked at
    again at a moment of the bus's clock."""

    def __init__(
        self,
        bus: InProcessBus,
        clock: Clock,
        key: tuple[str, str],
        largest_message: int,
        due: Callable[[datetime], None],
    ) -> None:
        super().__init__()
        self.bus = bus
        self._requests = Requests(lambda: self.bus, clock, key)
        self._largest = largest_message
        self._due = due
        self._waiting: defaultdict[str, deque[Link]] = defaultdict(deque)
        """Links that take messages of a queue; the next one's turn comes first."""

    def deliver_all(self) -> None:
        """Give every message that is due to a link that waits for one."""
        for queue in list(self._waiting):
            self._deliver(queue)

    # -- connections, sessions and links ---------------------------------------------------------------

    def on_connection_remote_open(self, event: Event) -> None:
        event.connection.audiences = set()
        event.connection.answers = {}
        event.connection.open()

    def on_session_remote_open(self, event: Event) -> None:
        event.session.open()

    def on_link_remote_open(self, event: Event) -> None:
        link = event.link
        # The other end's source is where we send from, its target is where we receive for.
        address = (link.remote_source if link.is_sender else link.remote_target).address or ""
        node = node_of(address, self.bus.queue_names)
        if node is None:
            name = f"The messaging entity '{address}' could not be found."
            return _refuse(link, Condition("amqp:not-found", name))
        if node.kind != "tokens" and not any(covers(one, node) for one in link.connection.audiences):
            text = f"Unauthorized access. 'Send, Listen' claim(s) are required to access '{address}'."
            return _refuse(link, Condition("amqp:unauthorized-access", text))
        link.node = node
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        if link.is_receiver:
            link.max_message_size = self._largest
        link.open()
        if link.is_receiver:
            link.flow(CREDIT)
        elif node.kind == "queue":
            self._waiting[node.queue].append(link)
        else:
            link.connection.answers[node] = link
        return None

    def on_link_remote_close(self, event: Event) -> None:
        self._forget(event.link)
        event.link.close()

    def on_link_remote_detach(self, event: Event) -> None:
        self._forget(event.link)
        event.link.detach()

    def on_session_remote_close(self, event: Event) -> None:
        event.session.close()

    def on_connection_remote_close(self, event: Event) -> None:
        self._forget_all(event.connection)
        event.connection.close()

    def on_transport_tail_closed(self, event: Event) -> None:
        # Their locks stay until they run out, as the service's do.
        self._forget_all(event.connection)

    def _forget(self, link: Link) -> None:
        for links in self._waiting.values():
            if link in links:
                links.remove(link)

    def _forget_all(self, connection: proton.Connection) -> None:
        for links in self._waiting.values():
            for link in [link for link in links if link.connection == connection]:
                links.remove(link)

    # -- messages to clients ---------------------------------------------------------------------------

    def on_link_flow(self, event: Event) -> None:
        link = event.link
        node: Node | None = getattr(link, "node", None)
        if not link.is_sender or node is None or node.kind != "queue":
            return
        self._deliver(node.queue)
        if link.drain_mode:
            link.drained()

    def _deliver(self, queue: str) -> None:
        links = self._waiting[queue]
        while (link := _next_with_credit(links)) is not None:
            locked = self.bus.receive(queue)
            if locked is None:
                moment = self.bus.next_due(queue)
                if moment is not None:
                    self._due(moment)
                return
            self._transfer(link, locked)

    def _transfer(self, link: Link, locked: LockedMessage) -> None:
        sent = link.delivery(uuid.UUID(locked.lock_token).bytes_le)
        sent.locked = locked
        link.stream(delivered(locked))
        if link.remote_snd_settle_mode == Link.SND_SETTLED:  # receive and delete
            self.bus.complete(locked)
            sent.settle()
        link.advance()

    def _settle(self, sent: Delivery) -> None:
        """Do what the receiver decided, and say that it was done."""
        locked: LockedMessage | None = getattr(sent, "locked", None)
        if locked is None:
            if sent.settled or sent.remote_state:
                sent.settle()
            return
        state = sent.remote_state
        if not state and not sent.settled:
            return
        try:
            if state == Delivery.ACCEPTED:
                self.bus.complete(locked)
            elif state == Delivery.MODIFIED:
                self.bus.abandon(locked)
                sent.local.failed = True
            elif state == Delivery.REJECTED:
                self.bus.dead_letter(locked, *_reason(sent.remote.condition))
            elif state == Delivery.RELEASED:
                self.bus.release(locked)
            # A receiver that settles without a word lets the lock run out.
            sent.update(state)
        except LockLost as error:
            sent.local.condition = Condition("com.microsoft:message-lock-lost", str(error))
            sent.update(Delivery.REJECTED)
        sent.settle()
        self.deliver_all()

    # -- messages from clients -------------------------------------------------------------------------

    def on_delivery(self, event: Event) -> None:
        link, one = event.link, event.delivery
        if link.is_sender:
            self._settle(one)
        elif one.readable and not one.partial:
            raw = link.recv(one.pending) or b""
            link.advance()
            node: Node | None = getattr(link, "node", None)
            if node is None:
                return  # sent before the client heard that the link is refused
            if node.kind == "queue":
                self._accept(node.queue, one, raw)
            else:
                one.update(Delivery.ACCEPTED)
                one.settle()
                self._answer(link, node, raw)
            link.flow(CREDIT - link.credit)

    def _accept(self, queue: str, taken: Delivery, raw: bytes) -> None:
        condition = None
        try:
            if len(raw) > self._largest:
                condition = Condition(*SIZE_EXCEEDED)
            else:
                self.bus.send(received(queue, raw))
        except (BusError, ValueError) as error:
            condition = Condition("com.microsoft:argument-error", str(error))
        if condition is not None:
            # The SDK (7.15) waits for ever when an error comes without its third field.
            condition.info = {proton.symbol("com.microsoft:entity"): queue}
            taken.local.condition = condition
        taken.update(Delivery.ACCEPTED if condition is None else Delivery.REJECTED)
        taken.settle()
        self.deliver_all()

    # -- requests --------------------------------------------------------------------------------------

    def _answer(self, link: Link, node: Node, raw: bytes) -> None:
        back: Link | None = link.connection.answers.get(node)
        if back is None:
            logger.warning("a request to %s has nowhere to be answered", link.remote_target.address)
            return
        response = self._requests.response(node, raw, link.connection.audiences)
        if response is not None:
            sent = back.delivery(uuid.uuid4().bytes)
            back.stream(bytes(response.encode()))
            sent.settle()
            back.advance()
            self.deliver_all()


def _next_with_credit(links: deque[Link]) -> Link | None:
    for _ in range(len(links)):
        link = links[0]
        links.rotate(-1)
        if link.credit > 0 and link.state & Endpoint.REMOTE_ACTIVE:
            return link
    return None


def _refuse(link: Link, condition: Condition) -> None:
    # Without a terminus: the client does not take the link for attached before it hears why it is not.
    link.source.type = link.target.type = Terminus.UNSPECIFIED
    link.condition = condition
    link.open()
    link.close()


def _reason(condition: Condition | None) -> tuple[str, str | None]:
    info = {str(name): value for name, value in ((condition and condition.info) or {}).items()}
    reason, description = info.get("DeadLetterReason"), info.get("DeadLetterErrorDescription")
    return str(reason or ""), str(description) if description else None
