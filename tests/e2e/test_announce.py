"""The Wyoming port on the network: found by mDNS as Home Assistant finds it, with a real responder."""

import socket

import announce
import pytest
from announce import HOST, Listener, Network
from audio import LONG
from conftest import wait_until
from test_wyoming import Raw, free_port

NAME = f"Kokoro on {HOST}"
OFF = "the Wyoming port is not announced: "


@pytest.fixture
def network(tmp_path, needs_data):
    if announce.missing():
        pytest.skip(f"not here: {', '.join(announce.missing())} (KOKORO_AVAHI, or apt-get install avahi-daemon)")
    own = Network(tmp_path)
    yield own
    own.stop()


@pytest.fixture
def listener():
    one = Listener()
    yield one
    one.close()


def start_announced(start, network, *options, **environment):
    port = free_port()
    running = start("--port", "0", "--wyoming-port", str(port), "--wyoming-announce", *options,
                    environment={"KOKORO_WYOMING_HOST": "0.0.0.0", **network.environment, **environment})
    running.wyoming_port = port
    return running


def announcement(server):
    return server.status()["wyoming"]["announcement"]


def wait_announced(server, name=NAME):
    wait_until(lambda: announcement(server), lambda a: a == {"name": name, "reason": ""}, 20, "not announced")


def test_found_while_it_listens(start, network, listener):
    network.start_bus()
    network.start_daemon()
    server = start_announced(start, network).wait_ready()
    listener.wait(NAME)
    info = listener.look_up(NAME)
    assert info.port == server.wyoming_port
    assert info.server == f"{HOST}.local."
    assert "127.0.0.1" in info.parsed_addresses()
    assert not any(info.properties)
    wait_announced(server)
    server.wait_log(f"the Wyoming port is announced by mDNS as '{NAME}'")
    raw = Raw(server).send({"type": "describe"})
    assert raw.event()["data"]["tts"][0]["name"] == "kokoro"
    # No longer as soon as it is told to stop, whatever it still has to say.
    raw.send({"type": "synthesize", "data": {"text": LONG * 20}})
    while raw.event()["type"] != "audio-chunk":
        pass
    server.process.terminate()
    listener.wait(limit_s=5)
    assert server.process.poll() is None
    raw.close()
    assert server.process.wait(60) == 0, server.log


def test_killed(start, network, listener):
    network.start_bus()
    network.start_daemon()
    server = start_announced(start, network).wait_bound()
    listener.wait(NAME)
    server.kill()
    listener.wait(limit_s=5)


def test_two_of_one_machine(start, network, listener):
    network.start_bus()
    network.start_daemon()
    first = start_announced(start, network).wait_bound()
    wait_announced(first)
    second = start_announced(start, network).wait_bound()
    wait_announced(second, f"{NAME} #2")
    listener.wait(NAME, f"{NAME} #2")
    assert listener.look_up(NAME).port == first.wyoming_port
    assert listener.look_up(f"{NAME} #2").port == second.wyoming_port
    assert first.stop() == 0
    listener.wait(f"{NAME} #2")
    assert second.stop() == 0
    listener.wait()


def test_the_name_of_another_machine(start, network, listener):
    network.start_bus()
    network.start_daemon()
    other = Listener()
    try:
        other.take(NAME, 1)
        server = start_announced(start, network).wait_bound()
        wait_announced(server, f"{NAME} #2")
        listener.wait(NAME, f"{NAME} #2")
        assert listener.look_up(NAME).port == 1
        assert listener.look_up(f"{NAME} #2").port == server.wyoming_port
        assert server.stop() == 0
        listener.wait(NAME)
    finally:
        other.close()


def test_what_is_missing_may_come_and_go(start, network, listener):
    """No bus; a bus without a daemon; a daemon; another one; another bus."""
    server = start_announced(start, network).wait_bound()
    assert "apt-get install avahi-daemon" in server.wait_log(OFF + "the system's D-Bus")
    assert server.get("/health").status_code in (200, 503)
    assert announcement(server)["name"] == "" and "D-Bus" in announcement(server)["reason"]
    network.start_bus()
    assert "apt-get install avahi-daemon" in server.wait_log(OFF + "avahi-daemon does not run")
    assert "does not run" in announcement(server)["reason"]
    assert not listener.names()
    network.start_daemon()
    listener.wait(NAME)
    wait_announced(server)
    network.stop_daemon()
    listener.wait()
    wait_until(lambda: announcement(server)["reason"], lambda why: "does not run" in why, 20, "not noticed")
    network.start_daemon()
    listener.wait(NAME)
    wait_announced(server)
    network.stop_daemon()
    network.stop_bus()
    wait_until(lambda: announcement(server)["reason"], lambda why: "D-Bus" in why, 20, "not noticed")
    network.start_bus()
    network.start_daemon()
    listener.wait(NAME)
    wait_announced(server)
    # A line each time that something is new, and not with every look.
    lines = [line for line in server.log if OFF in line]
    assert len(lines) <= 6, lines
    assert server.stop() == 0
    listener.wait()


@pytest.mark.parametrize("has_bus", [False, True])
def test_the_end_without_a_daemon(start, network, has_bus):
    if has_bus:
        network.start_bus()
    server = start_announced(start, network).wait_bound()
    server.wait_log(OFF)
    assert server.stop() == 0, server.log


def test_without_the_library(start, tmp_path, needs_data):
    """A file of that name that is no library stands in the way of one that is installed."""
    (tmp_path / "libavahi-client.so.3").write_text("none\n")
    port = free_port()
    server = start("--port", "0", "--wyoming-port", str(port), "--host", "0.0.0.0",
                   environment={"LD_LIBRARY_PATH": str(tmp_path), "KOKORO_WYOMING_ANNOUNCE": "true"}).wait_bound()
    line = server.wait_log(OFF + "the library libavahi-client.so.3")
    assert "apt-get install avahi-daemon libavahi-client3" in line
    assert "libavahi-client.so.3" in announcement(server)["reason"]
    server.wyoming_port = port
    raw = Raw(server).send({"type": "ping"})
    assert raw.event()["type"] == "pong"
    raw.close()
    assert server.stop() == 0


def test_an_address_of_another_network(start, network, listener):
    """Who hears of the port must be able to reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            return  # no other network
        address = probe.getsockname()[0]
    network.start_bus()
    network.start_daemon()
    first = start_announced(start, network, KOKORO_WYOMING_HOST=address).wait_bound()
    wait_announced(first)
    second = start_announced(start, network).wait_bound()
    listener.wait(f"{NAME} #2")
    assert first.stop() == 0 and second.stop() == 0


@pytest.mark.parametrize("options, status, names", [
    (("--wyoming-announce",), 2, ("KOKORO_WYOMING_ANNOUNCE", "KOKORO_WYOMING_PORT")),
    (("--wyoming-announce", "--wyoming-port", "PORT"), 1, ("KOKORO_WYOMING_ANNOUNCE", "KOKORO_WYOMING_HOST")),
])
def test_nothing_that_could_be_announced(start, needs_data, options, status, names):
    options = [str(free_port()) if option == "PORT" else option for option in options]
    refused = start("--port", "0", *options)
    assert refused.process.wait(60) == status
    refused._reader.join(10)
    assert any(all(name in line for name in names) for line in refused.log), refused.log
