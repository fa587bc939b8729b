"""A time limit for calls into libraries that offer none of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

MOST_LATE = 8


class TimeLimit:
    """Runs calls in threads of their own and waits `seconds` at most for each.

    A call that outlasts its time cannot be ended: its thread goes on waiting. While `most_late` of them
    do, no other is begun, so that an upstream that stays silent for days does not fill the process.
    """

    def __init__(self, seconds: float, most_late: int = MOST_LATE) -> None:
        self.seconds = seconds
        self._free = threading.BoundedSemaphore(most_late)

    def run(self, call: Callable[[], Result], discard: Callable[[Result], object]) -> Result:
        """The call's result or its own exception; TimeoutError when it takes too long or too many do.

        `discard` gets a result that comes too late.
        """
        if not self._free.acquire(blocking=False):
            raise TimeoutError
        answer: Future[Result] = Future()
        thread = threading.Thread(target=self._work, args=(call, discard, answer), daemon=True)
        try:
            thread.start()
        except BaseException:
            self._free.release()
            raise
        try:
            return answer.result(self.seconds)
        except TimeoutError:
            if answer.done() or answer.cancel():
                raise
        # It was about to answer when the time was over.
        return answer.result()

    def _work(
        self, call: Callable[[], Result], discard: Callable[[Result], object], answer: Future[Any]
    ) -> None:
        try:
            try:
                result = call()
            except BaseException as error:
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(error)
                return
            if answer.set_running_or_notify_cancel():
                answer.set_result(result)
            else:
                discard(result)
        finally:
            self._free.release()
