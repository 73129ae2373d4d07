"""Requests that no client library would send, byte by byte."""

import json
import socket
import time

import pytest
from audio import FAST, LONG, LONG_S, SHORT
from conftest import error_of  # noqa: F401  (the shape is checked by hand here)


def connect(server, timeout=60):
    return socket.create_connection((server.host, server.port), timeout=timeout)


def read_all(connection):
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionError:
        pass
    return data


def ask(server, data, shut=False):
    """Send bytes, read until the server closes; status and body."""
    with connect(server) as connection:
        connection.sendall(data)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    if not answer:
        return None, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def check_error(body, code):
    error = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code


def post(body, *headers, path=b"/v1/audio/speech"):
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.fixture(autouse=True)
def still_serving(server):
    yield
    assert server.get("/health").status_code == 200


BODY = b'{"input":"Hi.","response_format":"pcm"}'
LENGTH = b"Content-Length: %d" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


def test_length_and_chunks(server):
    status, body = ask(server, post(CHUNKED, LENGTH, b"Transfer-Encoding: chunked"))
    assert status == 400
    check_error(body, "invalid_framing")


def test_two_lengths(server):
    for second in (LENGTH, b"Content-Length: 3"):
        status, body = ask(server, post(BODY, LENGTH, second))
        assert status == 400
        check_error(body, "invalid_framing")


def test_strange_coding(server):
    status, body = ask(server, post(BODY, b"Transfer-Encoding: gzip, chunked"))
    assert status == 400
    check_error(body, "invalid_framing")


def test_space_in_a_header_name(server):
    status, _ = ask(server, post(BODY, b"Content-Length : %d" % len(BODY)))
    assert status == 400


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1e3", b"99999999999999999999999", b""])
def test_strange_lengths(server, length):
    status, _ = ask(server, post(BODY, b"Content-Length: " + length))
    assert status in (400, 413)


def test_empty_key(server):
    """SillyTavern sends this when its user gave no key."""
    status, _ = ask(server, post(BODY, LENGTH, b"Authorization: Bearer "))
    assert status == 200


def test_chunks(server):
    status, body = ask(server, post(CHUNKED, b"Transfer-Encoding: chunked"))
    assert status == 200
    assert len(body) > 10000


def test_bad_chunks(server):
    status, _ = ask(server, post(b"zz\r\nabc\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"))
    assert status == 400


def test_chunks_over_the_limit(server):
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with connect(server) as connection:
        try:
            connection.sendall(post(b"", b"Transfer-Encoding: chunked"))
            for _ in range(40):
                connection.sendall(chunk)
        except ConnectionError:
            pass
        answer = read_all(connection)
    if answer:
        assert answer.split()[1] == b"413"
        check_error(answer.partition(b"\r\n\r\n")[2], "body_too_large")


def test_announced_too_large(server):
    """The answer comes before the body."""
    status, body = ask(server, post(b"", b"Content-Length: 2000000"))
    assert status == 413
    check_error(body, "body_too_large")


def test_expect_continue(server):
    with connect(server) as connection:
        connection.sendall(post(b"", LENGTH, b"Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert read_all(connection).startswith(b"HTTP/1.1 200")
    status, _ = ask(server, post(b"", b"Content-Length: 2000000", b"Expect: 100-continue"))
    assert status == 413


def test_huge_header(server):
    status, _ = ask(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200000)
    assert status in (None, 400, 413, 431)


def test_many_headers(server):
    status, _ = ask(server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n" +
                    b"".join(b"X-%d: a\r\n" % i for i in range(20000)) + b"\r\n")
    assert status in (None, 400, 413, 431)


def test_long_url(server):
    status, _ = ask(server, b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status in (None, 400, 414, 431)


@pytest.mark.parametrize("line", [b"\x00\x01\x02\x03", b"GET", b"GET /health", b"GET /health HTTP/9.9",
                                  b"get /health HTTP/1.1", b"GET  /health  HTTP/1.1",
                                  b"\x16\x03\x01\x02\x00\x01\x00\x01"])
def test_strange_first_lines(server, line):
    status, _ = ask(server, line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n", shut=True)
    assert status is None or status in (200, 400, 405, 404, 505)


def test_two_hosts(server):
    status, body = ask(server, post(BODY, LENGTH, b"Host: localhost"))
    assert status == 400
    check_error(body, "invalid_host")


def test_without_host(server):
    status, _ = ask(server, b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert status == 400
    status, _ = ask(server, b"GET /health HTTP/1.0\r\n\r\n")
    assert status == 200


def test_old_client(server):
    """HTTP/1.0 knows no chunks: the end of the sound is the end of the connection."""
    body = json.dumps({"input": LONG, "response_format": "pcm", **FAST}).encode()
    status, sound = ask(server, b"POST /v1/audio/speech HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"
                        % (len(body), body))
    assert status == 200
    assert len(sound) > LONG_S * 48000


def test_keep_alive(server):
    with connect(server) as connection:
        for _ in range(3):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")


def test_pipelined(server):
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(one + one + last)
        assert read_all(connection).count(b"HTTP/1.1 200") == 3


def test_body_cut_short(server):
    status, _ = ask(server, post(BODY[:10], LENGTH), shut=True)
    assert status in (None, 400)
    with connect(server) as connection:
        connection.sendall(post(BODY[:10], LENGTH))


def test_half_closed(server):
    """A client that closes its side is taken as gone; at worst it gets its answer."""
    ask(server, post(BODY, LENGTH), shut=True)
    server.wait_idle()


def test_silent_connections(server):
    silent = [connect(server) for _ in range(50)]
    try:
        assert server.get("/health").status_code == 200
    finally:
        for connection in silent:
            connection.close()


def test_client_that_never_reads(server):
    """Its sound waits in its buffer, and the others are served."""
    body = json.dumps({"input": LONG, "response_format": "pcm", **FAST}).encode()
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(post(body, b"Content-Length: %d" % len(body)))
        assert server.post({"input": SHORT}).status_code == 200
        time.sleep(0.2)
    server.wait_idle()
