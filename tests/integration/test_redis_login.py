"""TLS and logins against a real Redis, and what the operator reads when they do not fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from pydantic import SecretStr

from local.fake_clock import FakeClock
from shared.config import Settings
from shared.errors import CacheError
from shared.resilience.redis_connection import RedisConnection, connect
from tests.unit.redis_rig import command

if TYPE_CHECKING:
    from redis import Redis

    from tests.doubles.redis_server import TlsRedisServer, TlsStarter

pytest_plugins = ("tests.doubles.redis_server",)

PASSWORD = "correct-horse"


def connection_with(**settings: Any) -> RedisConnection:
    return RedisConnection(connect(Settings.model_construct(**settings)), FakeClock())


def problem_with(**settings: Any) -> str:
    """What the operator reads."""
    connection = connection_with(**settings)
    with pytest.raises(CacheError) as refused:
        connection.ping()
    assert connection.problem == str(refused.value)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


def secured(server: TlsRedisServer, **settings: Any) -> dict[str, Any]:
    return {"redis_host": "localhost", "redis_port": server.tls_port, "redis_ssl": True, **settings}


@pytest.fixture
def trusted(tls_redis: TlsRedisServer, monkeypatch: pytest.MonkeyPatch) -> TlsRedisServer:
    """The server, whose authority this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tls_redis.authority_file))
    return tls_redis


@pytest.fixture
def admin(tls_redis: TlsRedisServer) -> Iterator[Redis]:
    """A client that is logged in already; logins that a test makes are gone afterwards."""
    client = tls_redis.client()
    client.ping()
    yield client
    command(client, "ACL", "DELUSER", "app")
    client.config_set("requirepass", "")
    client.close()


class TestTls:
    def test_a_trusted_certificate_for_the_name_is_accepted(self, trusted: TlsRedisServer) -> None:
        connection_with(**secured(trusted)).ping()

    def test_an_unknown_authority_is_named_as_the_problem(self, tls_redis: TlsRedisServer) -> None:
        assert "no authority that this machine trusts" in problem_with(**secured(tls_redis))

    def test_a_certificate_for_another_name_is_named_as_the_problem(self, trusted: TlsRedisServer) -> None:
        problem = problem_with(**secured(trusted, redis_host="127.0.0.1"))
        assert "certificate for another name: REDIS_HOST" in problem

    def test_an_expired_certificate_is_named_as_the_problem(
        self, start_tls_redis: TlsStarter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        authority = trustme.CA()
        old = authority.issue_cert("localhost", not_after=datetime(2021, 1, 1, tzinfo=UTC))
        server = start_tls_redis(authority, old)
        monkeypatch.setenv("SSL_CERT_FILE", str(server.authority_file))
        assert "has expired" in problem_with(**secured(server))

    def test_tls_to_a_port_without_it(self, trusted: TlsRedisServer) -> None:
        problem = problem_with(**secured(trusted, redis_port=trusted.port))
        assert "REDIS_SSL" in problem
        assert "REDIS_PORT" in problem

    def test_no_tls_to_a_port_with_it(self, trusted: TlsRedisServer) -> None:
        assert "REDIS_SSL" in problem_with(**secured(trusted, redis_ssl=False))


class TestLogin:
    def test_password(self, trusted: TlsRedisServer, admin: Redis) -> None:
        admin.config_set("requirepass", PASSWORD)
        connection_with(**secured(trusted, redis_password=SecretStr(PASSWORD))).ping()

    def test_user_name_and_password(self, trusted: TlsRedisServer, admin: Redis) -> None:
        command(admin, "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~*", "+@all")
        login = {"redis_username": "app", "redis_password": SecretStr(PASSWORD)}
        assert connection_with(**secured(trusted, **login)).run(lambda client: client.acl_whoami()) == "app"

    @pytest.mark.parametrize("username", [None, "app"])
    def test_a_wrong_password(self, trusted: TlsRedisServer, admin: Redis, username: str | None) -> None:
        admin.config_set("requirepass", PASSWORD)
        command(admin, "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~*", "+@all")
        wrong = secured(trusted, redis_username=username, redis_password=SecretStr("wrong"))
        assert "refused the login: check REDIS_PASSWORD and REDIS_USERNAME" in problem_with(**wrong)

    def test_a_missing_password(self, trusted: TlsRedisServer, admin: Redis) -> None:
        admin.config_set("requirepass", PASSWORD)
        assert "set REDIS_PASSWORD" in problem_with(**secured(trusted))

    @pytest.mark.usefixtures("admin")
    def test_a_password_where_none_is_wanted(self, trusted: TlsRedisServer) -> None:
        problem = problem_with(**secured(trusted, redis_password=SecretStr(PASSWORD)))
        assert "remove REDIS_PASSWORD" in problem

    def test_a_login_that_may_not_do_what_the_app_does(self, trusted: TlsRedisServer, admin: Redis) -> None:
        command(admin, "ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~*", "-@all", "+client")
        login = {"redis_username": "app", "redis_password": SecretStr(PASSWORD)}
        assert "ACL of REDIS_USERNAME" in problem_with(**secured(trusted, **login))
