"""Requests that no client library would send, byte by byte."""

import json
import os
import resource
import socket
import time
from pathlib import Path
from random import Random

import pytest
from audio import FAST, LONG, LONG_S, SHORT
from conftest import wait_until


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


HIDDEN = b"GET /voices HTTP/1.1\r\nHost: localhost\r\n\r\n"
HOST = b"Host: localhost\r\n"

# Heads that two programs may read differently; behind each stands a request that must not be served.
SMUGGLING = {
    "length and chunks": b"POST /health HTTP/1.1\r\n" + HOST +
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"POST /health HTTP/1.1\r\n" + HOST +
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
    "two lengths": b"POST /health HTTP/1.1\r\n" + HOST +
        b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN),
    "a list of lengths": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 0, 0\r\n\r\n",
    "a length with a sign": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: +0\r\n\r\n",
    "a space before the colon": b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length : 0\r\n\r\n",
    "a tab before the colon": b"GET /health HTTP/1.1\r\n" + HOST + b"X\t: 0\r\n\r\n",
    "LF behind a header": b"GET /health HTTP/1.1\r\nX: y\n" + HOST + b"\r\n",
    "LF behind the first line": b"GET /health HTTP/1.1\n" + HOST + b"\r\n",
    "LF at the end": b"GET /health HTTP/1.1\r\n" + HOST + b"\n",
    "LF alone": b"GET /health HTTP/1.1\nHost: localhost\n\n",
    "CR in a header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\rY: b\r\n\r\n",
    "NUL in a header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\0Y: b\r\n\r\n",
    "a folded header": b"GET /health HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a length folded into being": b"POST /health HTTP/1.1\r\n" + HOST +
        b"Content-Len: %d\r\n gth\r\n\r\n" % len(HIDDEN),
    "a coding folded into being": b"POST /health HTTP/1.1\r\n" + HOST +
        b"Transfer-Enc: chunked\r\n oding\r\n\r\n0\r\n\r\n",
    "a folded first header": b"GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "an unknown coding": b"POST /health HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n",
    "a coding in HTTP/1.0": b"POST /health HTTP/1.0\r\n" + HOST +
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a zero in the target": b"GET /health\0x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a zero in the query": b"GET /health?a\0b=c HTTP/1.1\r\n" + HOST + b"\r\n",
    "a zero in the method": b"GET\0X /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  /health HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bracket in a name": b"GET /health HTTP/1.1\r\n" + HOST + b"X(y: a\r\n\r\n",
    "another host in the target": b"GET http://elsewhere/health HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_hidden_requests_are_never_served(server, name):
    with connect(server, timeout=20) as connection:
        connection.sendall(SMUGGLING[name] + HIDDEN)
        answer = read_all(connection)  # until the server closes
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"total_voices" not in answer
    assert b"HTTP/1.1 200" not in answer


def test_nothing_follows_chunks(server):
    """Where chunks end is read differently by some; the connection ends with the answer."""
    for end in (b"0\r\n\r\n", b"0;a\n\r\n", b"0\r\nX: y\r\n\r\n"):
        with connect(server, timeout=20) as connection:
            connection.sendall(b"POST /health HTTP/1.1\r\n" + HOST +
                               b"Transfer-Encoding: chunked\r\n\r\n" + end + HIDDEN)
            answer = read_all(connection)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert answer.startswith((b"HTTP/1.1 405 ", b"HTTP/1.1 400 "))


def test_harmless_heads_are_taken(server):
    """Much white space, many headers, cookies, empty values: none of it is a fault."""
    many = b"".join(b"X-%d:    value\r\n" % i for i in range(150))
    for more in (b"", many, b"X:\r\nY: \r\nZ:\t\r\nW: a  \r\n", b"Cookie: a=b; c=d\r\nX: y\r\n",
                 b"X: " + b"a" * 12000 + b"\r\n", b"Range: bytes=0-3\r\n"):
        for first in (b"GET /health HTTP/1.1\r\n", b"\r\nGET /health?a=b&c=%20d HTTP/1.1\r\n",
                      b"GET http://localhost/health HTTP/1.1\r\n"):
            status, body = ask(server, first + HOST + b"Connection: close\r\n" + more + b"\r\n")
            assert (status, json.loads(body)["status"]) == (200, "online")


def test_options_and_head(server):
    def lines(request):
        with connect(server) as connection:
            connection.sendall(request + HOST + b"Connection: close\r\n\r\n")
            head, _, body = read_all(connection).partition(b"\r\n\r\n")
        return head.split(b"\r\n"), body
    head, body = lines(b"OPTIONS /v1/audio/speech HTTP/1.1\r\n")
    assert head[0].startswith(b"HTTP/1.1 204") and b"Allow: POST, OPTIONS" in head and body == b""
    head, body = lines(b"OPTIONS * HTTP/1.1\r\n")
    assert head[0].startswith(b"HTTP/1.1 204") and body == b""
    head, body = lines(b"HEAD /v1/audio/speech HTTP/1.1\r\n")
    assert head[0].startswith(b"HTTP/1.1 405") and b"Allow: POST, OPTIONS" in head and body == b""
    head, body = lines(b"HEAD /health HTTP/1.1\r\n")
    assert head[0].startswith(b"HTTP/1.1 200") and body == b""
    assert any(line.startswith(b"Date: ") for line in head)
    assert not any(line.lower().startswith(b"server:") for line in head)


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
        assert b"\r\nX-Request-Id: req_" in answer
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


def test_half_closed_while_a_whole_answer_is_sent(server):
    """What is there already is sent also to who has nothing more to say."""
    for _ in range(20):
        status, body = ask(server, b"GET /status HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", shut=True)
        assert status == 200 and len(body) > 4096
        assert json.loads(body)["model_loaded"] is True


def test_silent_connections(server):
    silent = [connect(server) for _ in range(50)]
    try:
        assert server.get("/health").status_code == 200
    finally:
        for connection in silent:
            connection.close()


def running(server):
    return server.status()["queue"]["running"] + server.status()["queue"]["waiting"]


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_is_noticed(server, streams):
    """While it waits for the model, and while its sound is made."""
    body = json.dumps({"input": LONG, "response_format": "pcm", "stream": streams}).encode()
    clients = []
    for _ in range(6):
        clients.append(connect(server))
        clients[-1].sendall(post(body, b"Content-Length: %d" % len(body)))
    wait_until(lambda: running(server), lambda n: n >= 6, 20, "not all came")
    for client in clients:
        client.close()
    wait_until(lambda: running(server), lambda n: n == 0, 5, "still speaking to nobody")


def read_health(connection):
    answer = b""
    while not answer.endswith(b"}"):
        piece = connection.recv(4096)
        assert piece
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200")


def memory_kb(server):
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("RssAnon")))


def test_a_thousand_connections(server):
    """Idle ones keep a little memory, slow ones and silent ones get no more than their time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2048)), hard))
    request = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
    server.get("/health")
    before, files = memory_kb(server), files_and_threads(server)[0]
    held, slow = [], []
    for _ in range(1000):
        held.append(connect(server))
        held[-1].sendall(request)
        read_health(held[-1])
    for _ in range(50):
        slow.append(connect(server))
        slow[-1].sendall(request[:20])
    if "libasan" not in Path(f"/proc/{server.process.pid}/maps").read_text():
        assert (memory_kb(server) - before) / 1000 < 40
    for i in range(20):
        assert server.get("/health").status_code == 200
        for connection in slow:
            connection.sendall(request[20 + i:21 + i])
    assert server.post({"input": SHORT}).status_code == 200
    held[500].sendall(request)
    read_health(held[500])
    for connection in held + slow:
        connection.close()
    wait_until(lambda: files_and_threads(server)[0], lambda n: n <= files + 2, 20, "descriptors stay")


def test_a_slow_request_is_told_so(server):
    with connect(server) as connection:
        connection.sendall(b"POST /v1/audio/speech HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408 ")
    check_error(answer.partition(b"\r\n\r\n")[2], "request_timeout")


def files_and_threads(server):
    place = f"/proc/{server.process.pid}/"
    return len(os.listdir(place + "fd")), len(os.listdir(place + "task"))


def mutate(random, data):
    data = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(data))
        kind = random.randrange(5)
        if kind == 0:
            data[at] = random.randrange(256)
        elif kind == 1:
            del data[at:at + random.randint(1, 20)]
        elif kind == 2:
            data[at:at] = random.choice([b"\r\n", b"\n", b"\0", b":", b" ", b"\t", b"0\r\n\r\n", HIDDEN])
        elif kind == 3:
            data[at:at] = data[at:at + random.randint(1, 40)]
        else:
            del data[at:]
        if not data:
            data = bytearray(b"G")
    return bytes(data)


def test_two_thousand_broken_requests(server):
    """Nothing stays behind, and what was a whole request has a whole answer."""
    random = Random(6)
    seeds = [*SMUGGLING.values(), HIDDEN, post(BODY[:-1] + b",}", LENGTH),
             post(b"5\r\nabcde\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
             post(b"", LENGTH, b"Expect: 100-continue"),
             b"GET /status HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"]
    server.get("/health")
    time.sleep(0.5)
    before = files_and_threads(server)
    for _ in range(2000):
        with connect(server, timeout=10) as connection:
            try:
                connection.sendall(mutate(random, random.choice(seeds)))
                connection.setblocking(False)
                if random.random() < 0.5:
                    connection.shutdown(socket.SHUT_WR)
                connection.recv(1000)
            except (ConnectionError, BlockingIOError):
                pass
    server.wait_idle()
    wait_until(lambda: files_and_threads(server),
               lambda now: now[0] <= before[0] + 2 and now[1] <= before[1] + 1, 20,
               f"files and threads were {before}")


def test_client_that_never_reads(server):
    """Its sound waits in its buffer, and the others are served."""
    body = json.dumps({"input": LONG, "response_format": "pcm", **FAST}).encode()
    with connect(server) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(post(body, b"Content-Length: %d" % len(body)))
        assert server.post({"input": SHORT}).status_code == 200
        time.sleep(0.2)
    server.wait_idle()
