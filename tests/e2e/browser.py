"""The page in a real headless Chromium, served by the local host over a rig."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.host.http import HttpHost, HttpServer
from tests.e2e.http_rig import Api
from tests.real_parts import CHROMIUM, required

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

SLOW, QUICK = 21_000, 4_500
"""Milliseconds after which the page has asked again while nothing runs, and while a run is under way."""

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
  (event) => window.violations.push(event.violatedDirective));
{
  const ask = window.fetch;
  let open = 0, waiting = [];
  // Closed after the page has done what it does with the answer, which may be to ask for more.
  const close = () => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      open -= 1;
      if (!open) waiting.splice(0).forEach((done) => done());
    };
    port2.postMessage(null);
  };
  window.answered = () => new Promise((done) => { if (open) waiting.push(done); else done(); });
  window.fetch = async (...args) => {
    open += 1;
    try {
      const answer = await ask(...args);
      const read = answer.json.bind(answer);
      const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
      if (isJson) answer.json = () => read().finally(close);
      else close();
      return answer;
    } catch (error) {
      close();
      throw error;
    }
  };
}
"""
"""Notes what the policy refused; `answered()` resolves when the page waits for no answer of the app."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test where there is none."""
    from playwright.sync_api import sync_playwright

    path = required(CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A tab with the page. `errors` are what the console and the policy complained about; that an answer was
    an error is only logged by the browser, and no complaint."""

    def __init__(
        self,
        api: Api,
        browser: Browser,
        key: str | None = None,
        front: Callable[[HttpHost], WSGIApplication] | None = None,
        **context: Any,
    ) -> None:
        """`front` puts something before the app."""
        self.api = api
        host = HttpHost(api.rig.stack.functions, api.rig.stack.options.route_prefix, key)
        self._host = front(host) if front else host
        self._server = HttpServer(self._host, "127.0.0.1", 0)
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.port}/dashboard"
        options = {"timezone_id": "America/Chicago", "locale": "en-US", **context}
        self.context = browser.new_context(**options)
        self.context.add_init_script(WATCH)
        self.errors: list[str] = []
        self.requests: list[Any] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        """Another tab of the same browser, whose time passes at will."""
        page = self.context.new_page()
        page.clock.install()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.errors.append(error.message))
        page.on("request", lambda request: self.requests.append(request))
        page.set_default_timeout(10_000)
        return page

    def open(self, fragment: str = "") -> Tab:
        """Go to the page, and wait until it has asked the app for the first time."""
        from playwright.sync_api import expect

        self.page.goto(self.url + fragment)
        expect(self.page.locator("#connection")).not_to_contain_text("Asking")
        return self

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def pass_time(self, milliseconds: int) -> None:
        """Let the page's timers go off, and wait until what they ask the app is answered and shown."""
        self.page.evaluate("window.answered()")
        self.page.clock.fast_forward(milliseconds)
        self.page.evaluate("window.answered()")

    def section(self, name: str) -> Locator:
        """A section by its heading."""
        return self.page.get_by_role("region", name=re.compile(f"^{name}$"))

    def notice(self) -> Locator:
        """What was announced last."""
        return self.page.locator("#notice")

    def go_away(self) -> None:
        """Let the app stop answering."""
        self._server.stop()

    def come_back(self) -> None:
        """Let it answer again, at the same place."""
        self._server = HttpServer(self._host, "127.0.0.1", self._server.port)
        self._server.start()

    def close(self) -> None:
        """Close it; raises AssertionError when the browser had something to complain about."""
        violations = self.page.evaluate("window.violations")
        self.context.close()
        self._server.stop()
        assert (self.errors, violations) == ([], [])


@contextmanager
def tab_of(api: Api, browser: Browser, **options: Any) -> Iterator[Tab]:
    """A tab that has opened the page."""
    tab = Tab(api, browser, **options)
    yield tab.open()
    tab.close()
