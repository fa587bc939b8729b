"""As much of SQL Server's protocol (MS-TDS 7.4) as a login, an error and a few rows need, so that Microsoft's
own driver can be seen at work."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

HEADER_BYTES = 8
PRELOGIN, BATCH, RPC, ANSWER = 0x12, 0x01, 0x03, 0x04
ENCRYPT_ON, ENCRYPT_NOT_SUPPORTED = 1, 2
DONE_ERROR, DONE_COUNT = 0x02, 0x10
READ_ONLY_INTENT = 0x20
TYPE_FLAGS_AT = 26  # in LOGIN7
COLLATION = bytes.fromhex("0904d00034")
TYPE_INFO_PROCEDURE = "sp_datatype_info".encode("utf-16le")

INT = b"\x26\x04"
SMALLDATETIME = b"\x6f\x04"
VARCHAR = b"\xa7" + struct.pack("<H", 60) + COLLATION


class Connection:
    """One client; `receive` gives a message's kind and content, `send` answers."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._tls: ssl.SSLObject | None = None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()

    def receive(self) -> tuple[int, bytes]:
        """The next message; raises EOFError when the client has gone."""
        content = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", self._read(HEADER_BYTES))
            content += self._read(length - HEADER_BYTES)
            if status & 1:
                return kind, content

    def send(self, content: bytes, *, complete: bool = True) -> None:
        """An answer, or the first part of one that is not `complete`."""
        packet = _packet(ANSWER, content, complete=complete)
        if self._tls is None:
            self._peer.sendall(packet)
            return
        self._tls.write(packet)
        self._peer.sendall(self._out.read())

    def send_raw(self, data: bytes) -> None:
        """Bytes that are no protocol at all."""
        self._peer.sendall(data)

    def encrypt(self, context: ssl.SSLContext) -> None:
        """The TLS handshake, which TDS wraps into packets of its own."""
        tls = context.wrap_bio(self._in, self._out, server_side=True)
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            if self._out.pending:
                self._peer.sendall(_packet(PRELOGIN, self._out.read()))
            if done:
                break
            self._in.write(self.receive()[1])
        self._tls = tls

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self._some(count - len(data))
        return data

    def _some(self, count: int) -> bytes:
        if self._tls is None:
            data = self._peer.recv(count)
        else:
            try:
                return self._tls.read(count)
            except ssl.SSLWantReadError:
                data = self._peer.recv(65536)
                self._in.write(data)
                if data:
                    return b""
        if not data:
            raise EOFError
        return data


@dataclass
class SqlServer:
    """A listening server; `logins` are the clients' LOGIN7 messages, `requests` what else they asked."""

    port: int
    logins: list[bytes] = field(default_factory=list)
    requests: list[tuple[int, bytes]] = field(default_factory=list)


@contextlib.contextmanager
def serving(script: Callable[[Connection, SqlServer], None]) -> Iterator[SqlServer]:
    """A server on a free port of 127.0.0.1 that gives each connection to the script."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = SqlServer(listener.getsockname()[1])
    peers: list[socket.socket] = []

    def serve(peer: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), peer:
            script(Connection(peer), server)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                peers.append(peer)
                threading.Thread(target=serve, args=(peer,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for peer in peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


def wait(connection: Connection) -> None:
    """Say nothing until the client goes."""
    while True:
        connection.receive()


def log_in(
    connection: Connection,
    server: SqlServer,
    answer: bytes | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Prelogin and login, answered with success unless `answer` says otherwise."""
    connection.receive()
    connection.send(prelogin(ENCRYPT_ON if tls else ENCRYPT_NOT_SUPPORTED))
    if tls:
        connection.encrypt(tls)
    server.logins.append(connection.receive()[1])
    connection.send(answer or login_acknowledged() + done())


def requests(connection: Connection, server: SqlServer) -> Iterator[bytes]:
    """What the client asks after its login. What the driver itself asks about types is answered with
    nothing, which it accepts."""
    while True:
        kind, content = connection.receive()
        if kind == RPC and TYPE_INFO_PROCEDURE in content:
            connection.send(done())
            continue
        server.requests.append((kind, content))
        yield content


def prelogin(encryption: int) -> bytes:
    """The answer to a client's first message."""
    options = [b"\x10\x00\x10\x00\x00\x00", bytes([encryption]), b"\x00", b"", b"\x00"]
    head, data = b"", b""
    for token, value in enumerate(options):
        head += struct.pack(">BHH", token, 5 * len(options) + 1 + len(data), len(value))
        data += value
    return head + b"\xff" + data


def login_acknowledged() -> bytes:
    """LOGINACK of TDS 7.4."""
    return _token(0xAD, b"\x01\x74\x00\x00\x04" + _short_text("Microsoft SQL Server") + b"\x10\x00\x10\x00")


def error(number: int, text: str, severity: int = 16) -> bytes:
    """An ERROR token and the end of the answer."""
    message = struct.pack("<H", len(text)) + text.encode("utf-16le")
    content = struct.pack("<IBB", number, 1, severity) + message
    return _token(0xAA, content + _short_text("sql") + _short_text("") + struct.pack("<I", 1)) + done(
        DONE_ERROR
    )


def done(status: int = 0, count: int = 0) -> bytes:
    """The end of an answer."""
    return b"\xfd" + struct.pack("<HHQ", status, 0xC1, count)


def columns(**types: bytes) -> bytes:
    """COLMETADATA; the types are INT, SMALLDATETIME and VARCHAR, all nullable."""
    described = [struct.pack("<IH", 0, 9) + kind + _short_text(name) for name, kind in types.items()]
    return b"\x81" + struct.pack("<H", len(described)) + b"".join(described)


def row(*values: bytes) -> bytes:
    """A ROW of encoded values."""
    return b"\xd1" + b"".join(values)


def integer(value: int | None) -> bytes:
    return b"\x00" if value is None else b"\x04" + struct.pack("<i", value)


def varchar(value: str | None) -> bytes:
    return b"\xff\xff" if value is None else struct.pack("<H", len(value)) + value.encode("cp1252")


def smalldatetime(day: date | None) -> bytes:
    """Midnight of that day."""
    return b"\x00" if day is None else b"\x04" + struct.pack("<HH", (day - date(1900, 1, 1)).days, 0)


def _packet(kind: int, content: bytes, *, complete: bool = True) -> bytes:
    return struct.pack(">BBHHBB", kind, int(complete), len(content) + HEADER_BYTES, 0, 1, 0) + content


def _token(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + struct.pack("<H", len(content)) + content


def _short_text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16le")
