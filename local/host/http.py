"""HTTP of the local host: the app's HTTP functions on werkzeug."""

from __future__ import annotations

import hmac
import logging
import os
import socket
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import azure.functions as func
from werkzeug.exceptions import Forbidden, HTTPException, Unauthorized
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server, select_address_family
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.host.index import HostFunction
from local.host.own_pages import READING, is_for_this_machine, is_from_own_page, is_from_own_site
from local.host.ports import telling_of_port

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

KEY_HEADER = "x-functions-key"
LARGEST_BODY_BYTES = 1024 * 1024

FOREIGN_HOST = "Forbidden: without --function-key only 127.0.0.1, localhost and [::1] are answered."
PAGE = "/dashboard"
FOREIGN_PAGE = "Forbidden: a page of another site asked. Open /dashboard here and go on from it."


class HttpHost:
    """A WSGI application of the HTTP functions.

    `key` None leaves functions that need a key open to the programs of this machine and to the host's own
    pages, which is only right on the loopback interface.
    """

    def __init__(self, functions: Iterable[HostFunction], route_prefix: str, key: str | None) -> None:
        self._functions = {f.name: f for f in functions if f.kind == "httpTrigger"}
        self._key = key
        self._routes = Map(
            [_rule(function, route_prefix) for function in self._functions.values()], strict_slashes=False
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """Route, check the key, call the function; errors of the function tell the caller nothing."""
        request.max_content_length = LARGEST_BODY_BYTES
        if request.path == "/" and request.method in READING:
            # In Azure the platform's own page is there.
            return redirect(PAGE)
        try:
            name, route_params = self._routes.bind_to_environ(request.environ).match()
            function = self._functions[name]
            self._check_caller(function, request)
            return _answer(function.call(**{function.trigger["name"]: _native(request, route_params)}))
        except Forbidden as error:
            return Response(f"{error.description}\n", error.code, mimetype="text/plain")
        except HTTPException as error:
            return Response(error.name + "\n", error.code, mimetype="text/plain")
        except Exception:
            logger.exception("an HTTP function failed")
            return Response("Internal Server Error\n", 500, mimetype="text/plain")

    def _check_caller(self, function: HostFunction, request: Request) -> None:
        """Who may call. Anonymous functions change nothing and say nothing of the data, or let nobody in but
        by a sign-in of their own: without a key they only must not be read through another site's name, so
        that a link to the page goes on working."""
        is_open = str(function.trigger["authLevel"]).lower() == "anonymous"
        if self._key is None:
            if not is_for_this_machine(request.environ):
                raise Forbidden(FOREIGN_HOST)
            if not is_open and not is_from_own_page(request.environ):
                raise Forbidden(FOREIGN_PAGE)
        elif not is_open:
            self._check_key(request, self._key)
            # No browser attaches the key by itself; where one has it nevertheless (a form with `code`),
            # another site's page still must not change anything with it.
            if request.method not in READING and not is_from_own_site(request.environ):
                raise Forbidden(FOREIGN_PAGE)

    def _check_key(self, request: Request, key: str) -> None:
        given = request.headers.get(KEY_HEADER) or request.args.get("code") or ""
        if not hmac.compare_digest(given.encode(), key.encode()):
            raise Unauthorized


class HttpServer:
    """Serves an `HttpHost`, or what stands before one, in threads until `stop`; `port` is the real one when 0
    was asked for.

    Raises ConfigurationError for an address or port that cannot be listened on.
    """

    def __init__(self, host: WSGIApplication, address: str, port: int) -> None:
        with _listening(address, port) as listening:
            self._server = make_server(
                address,
                port,
                host,
                threaded=True,
                request_handler=_QuietHandler,
                fd=listening.fileno(),
            )
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        logger.debug(f"{type}: {message}", *args)


def _listening(address: str, port: int) -> socket.socket:
    """A socket of our own: werkzeug would end the process where it cannot have one."""
    with telling_of_port("--port", port, address):
        listening = socket.socket(select_address_family(address, port))
        try:
            if os.name == "posix":  # elsewhere it would let two programs listen at once
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address, port))
            listening.listen(128)
        except OSError:
            listening.close()
            raise
        return listening


def _rule(function: HostFunction, prefix: str) -> Rule:
    route = str(function.trigger.get("route") or function.name).strip("/")
    path = "/".join(part for part in (prefix.strip("/"), route) if part)
    methods = [
        str(getattr(method, "value", method)).upper() for method in function.trigger.get("methods", [])
    ]
    return Rule(
        "/" + path.replace("{", "<").replace("}", ">"), endpoint=function.name, methods=methods or None
    )


def _native(request: Request, route_params: Mapping[str, str]) -> func.HttpRequest:
    return func.HttpRequest(
        method=request.method,
        url=request.url,
        headers=dict(request.headers.items()),
        params=request.args.to_dict(),
        route_params=dict(route_params),
        body=request.get_data(),
    )


def _answer(response: func.HttpResponse) -> Response:
    headers = {name: value for name, value in response.headers.items() if name.lower() != "content-type"}
    return Response(
        response.get_body(),
        response.status_code,
        headers=headers,
        content_type=f"{response.mimetype}; charset={response.charset}",
    )
