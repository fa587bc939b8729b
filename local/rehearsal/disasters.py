"""The disasters, by name: each begins with a company that is in order, and ends with what an operator would
do. What is in the runbook about it is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from local.company.model import Row
from local.host.stack import LocalStack
from local.rehearsal.world import NEW_ROAD, RETRY_AFTER_SECONDS, Overdue, World
from shared.storage.bus import Message

UNTIL_HEALED = 100_000


@dataclass(frozen=True)
class Disaster:
    """`play` lets it happen to a company whose first load is done. `runbook`: the heading in docs/runbook.md.
    `first_load` False: it happens to the first load itself."""

    name: str
    about: str
    runbook: str
    play: Callable[[World], None]
    first_load: bool = True


def _throttled(world: World) -> None:
    world.say("SafetyAmp answers 429 to the next 8 calls, as if somebody else used up the window")
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    world.safetyamp.fail_next(8, 429, '{"message":"Too Many Attempts."}', headers=headers)
    _everybody_moves(world)
    world.run()


def _one_field_refused(world: World) -> None:
    world.say("SafetyAmp refuses every telephone: 422 validation.phone")
    body = {"message": "refused", "errors": {"mobile_phone": ["validation.phone"]}}
    world.safetyamp.fail_next(4, 422, json.dumps(body), match="PATCH /api/users/*")
    _everybody_moves(world)
    world.run()
    world.say("it takes them again")
    world.safetyamp.heal()
    world.run(refresh=True)


def _pages_short(world: World) -> None:
    world.say("SafetyAmp's pages hold 10 records, whatever is asked for, and one of them comes empty")
    world.safetyamp.page_records = 10
    world.safetyamp.fail_next(1, 200, '{"data":[]}', match="GET /api/users")
    for _ in range(3):  # two nights to believe that something is gone, one to make it anew
        world.run(refresh=True)


def _source_empty(world: World) -> None:
    world.say("Vista shows no employee at all: a login without rights, or a restore in progress")
    _for_a_while(world, [])


def _source_half(world: World) -> None:
    world.say("Vista shows every second employee only")
    _for_a_while(world, world.company.tables["bPREH"][::2])


def _for_a_while(world: World, rows: list[Row]) -> None:
    """Vista shows these employees for one run, then all again."""
    whole = world.company.tables["bPREH"]
    world.company.tables["bPREH"] = rows
    world.publish()
    world.run()
    world.say("Vista is whole again")
    world.company.tables["bPREH"] = whole
    world.publish()
    world.run()


def _crash_after_write(world: World) -> None:
    world.say("the process is killed in the midst of its writes, and the next one, too")
    # Titles are what SafetyAmp takes twice; people are what most of the work is.
    _kill_after(world, 3, "user_titles")
    _kill_after(world, 5, "users")
    world.run()


def _kill_after(world: World, count: int, resource: str) -> None:
    world.run_and_kill(lambda: world.safetyamp.created.get(resource, 0) >= count)
    created = f"{world.safetyamp.created.get(resource, 0)} {resource.replace('_', ' ')}"
    world.say(f"{created} had been created; the same command once more")


def _answers_lost(world: World) -> None:
    world.say("the answers of five creations are lost; each is looked into after LOST_ANSWER_SECONDS")
    # SafetyAmp refuses a second user of one address, but takes a second title or asset of one name.
    for resource, count in (("users", 2), ("user_titles", 2), ("assets", 1)):
        world.safetyamp.fail_next(count, match=f"POST /api/{resource}", lose="connection", after_write=True)
    world.run()
    world.run(refresh=True)


def _message_twice(world: World) -> None:
    world.say("Service Bus delivers every message of a run twice")
    sent = 0

    def twice(stack: LocalStack) -> None:
        send = stack.bus.send

        def send_twice(messages: Sequence[Message]) -> None:
            nonlocal sent
            sent += len(messages)
            # Under another id: the same would be dropped by the bus.
            send([*messages, *(replace(one, message_id=f"{one.message_id} again") for one in messages)])

        vars(stack.bus)["send"] = send_twice

    world.run(prepare=twice)
    world.say(f"{sent} messages came twice")


def _graph_gone(world: World) -> None:
    world.say("Microsoft Graph is away, and somebody has left")
    world.server.tenant.graph.fail_next(UNTIL_HEALED, 503, match="GET *")
    world.let_go(world.current_people()[:1], held=False)
    world.run()
    world.say("Graph is back")
    world.server.tenant.graph.heal()
    world.run()


def _token_expired(world: World) -> None:
    world.say("SafetyAmp's key has been revoked: 401")
    world.safetyamp.fail_next(UNTIL_HEALED, 401, '{"message":"Unauthenticated."}')
    _everybody_moves(world)
    world.run()
    world.say("a new key is in the vault")
    world.safetyamp.heal()
    world.run()


def _safetyamp_away(world: World) -> None:
    world.say("SafetyAmp answers 503 for a while")
    world.safetyamp.fail_next(12, 503, "<html>maintenance</html>")
    _everybody_moves(world)
    world.run()
    world.safetyamp.heal()
    world.run()


def _mass_termination(world: World) -> None:
    world.say("15 people leave on one day, and that is right")
    world.let_go(world.current_people()[:15], held=True)
    held = world.run()
    world.say("an operator looks at the names and approves")
    world.approve(held["run_id"])
    world.run()


def _approval_too_late(world: World) -> None:
    world.say("15 people get a TermDate by mistake")
    people = world.current_people()[:15]
    world.let_go(people, held=True)
    held = world.run()
    world.say("HR mends it; nobody tells the operator, who approves the old plan")
    for row in people:
        row["TermDate"] = None
    world.publish()
    world.run()
    world.approve(held["run_id"])


def _everybody_moves(world: World) -> None:
    """A change of everybody's address, so that there is something to do."""
    for row in world.current_people()[:20]:
        row["Address"] = f"{row['Employee']} {NEW_ROAD}"
    world.publish()


DISASTERS: tuple[Disaster, ...] = (
    Disaster("throttled", "a storm of 429", "limiter-saturated", _throttled),
    Disaster("field-refused", "422 on one field", "failed-records", _one_field_refused),
    Disaster("pages-short", "listings that look as if they had ended", "run-failed", _pages_short),
    Disaster("source-empty", "a source without records", "run-failed", _source_empty),
    Disaster("source-half", "a source with half of its records", "run-held", _source_half),
    Disaster("crash", "killed in the midst of writing", "A run that does not end", _crash_after_write, False),
    Disaster("answers-lost", "creations whose answer is lost", "run-failed", _answers_lost, False),
    Disaster("message-twice", "messages that come more than once", "dead-letters", _message_twice, False),
    Disaster("graph-gone", "Graph is away", "run-failed", _graph_gone),
    Disaster("token-expired", "a key that is not valid any more", "run-failed", _token_expired),
    Disaster("safetyamp-away", "SafetyAmp is away", "breaker-open", _safetyamp_away),
    Disaster("mass-termination", "many people leave, rightly", "run-held", _mass_termination),
    Disaster("late-approval", "an approval that comes too late", "run-held", _approval_too_late),
)


def play(world: World, one: Disaster) -> None:
    """The whole of it, told line by line, as far as runs end."""
    try:
        if one.first_load:
            world.say("first load of the company")
            world.run()
        one.play(world)
    except Overdue as error:
        world.say(f"{error}; what was to follow is left out")
