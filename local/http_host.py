"""HTTP of the local host: the app's HTTP functions on werkzeug."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import azure.functions as func
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from local.host_index import HostFunction

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

KEY_HEADER = "x-functions-key"
LARGEST_BODY_BYTES = 1024 * 1024


class HttpHost:
    """A WSGI application of the HTTP functions.

    `key` None leaves functions that need a key open, which is only right on the loopback interface.
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
        try:
            name, route_params = self._routes.bind_to_environ(request.environ).match()
            function = self._functions[name]
            self._check_key(function, request)
            return _answer(function.call(**{function.trigger["name"]: _native(request, route_params)}))
        except HTTPException as error:
            return Response(error.name + "\n", error.code, mimetype="text/plain")
        except Exception:
            logger.exception("an HTTP function failed")
            return Response("Internal Server Error\n", 500, mimetype="text/plain")

    def _check_key(self, function: HostFunction, request: Request) -> None:
        if self._key is None or str(function.trigger["authLevel"]).lower() == "anonymous":
            return
        given = request.headers.get(KEY_HEADER) or request.args.get("code") or ""
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise Unauthorized


class HttpServer:
    """Serves an `HttpHost` in threads until `stop`; `port` is the real one when 0 was asked for."""

    def __init__(self, host: HttpHost, address: str, port: int) -> None:
        self._server = make_server(address, port, host, threaded=True, request_handler=_QuietHandler)
        self.port = self._server.server_port
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
