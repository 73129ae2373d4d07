"""The Wyoming protocol, by its own package and by bytes of one's own."""

import asyncio
import json
import socket
import struct
import time

import pytest
from audio import LONG, loudness
from conftest import wait_until
from test_access import keys
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (Synthesize, SynthesizeChunk, SynthesizeStart, SynthesizeStop,
                         SynthesizeStopped, SynthesizeVoice)

TEXT = "When the rain falls on the roof, it is loud in here. Nobody can sleep. Dr. Smith reads a book."
LIMIT_S = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_wyoming(start, *options, **more):
    port = free_port()
    running = start("--port", "0", "--wyoming-port", str(port), *options, **more)
    running.wyoming_port = port
    return running


@pytest.fixture(scope="module")
def server(needs_data):
    from conftest import Server

    running = start_wyoming(Server).wait_ready()
    yield running
    assert running.process.poll() is None, "the server died:\n" + "\n".join(running.log)
    assert running.stop() == 0, "\n".join(running.log[-20:])


def talk(server, conversation):
    """Run a conversation with a client of the package."""

    async def run():
        async with AsyncTcpClient("127.0.0.1", server.wyoming_port, read_timeout=LIMIT_S) as client:
            return await conversation(client)

    return asyncio.run(run())


async def read_speech(client, until=AudioStop):
    """Events up to the one that ends it, and the samples."""
    types, pcm = [], b""
    while True:
        event = await client.read_event()
        assert event is not None, types
        if AudioChunk.is_type(event.type):
            chunk = AudioChunk.from_event(event)
            assert (chunk.rate, chunk.width, chunk.channels) == (24000, 2, 1)
            pcm += chunk.audio
        if not types or types[-1] != event.type:
            types.append(event.type)
        if Error.is_type(event.type):
            types[-1] += " " + Error.from_event(event).code
        if until.is_type(event.type):
            return types, pcm


async def say(client, text, **more):
    await client.write_event(Synthesize(text=text, **more).event())
    return await read_speech(client)


async def error_of(client, event, code):
    await client.write_event(event)
    answer = await client.read_event()
    assert Error.is_type(answer.type), answer
    error = Error.from_event(answer)
    assert error.code == code and error.text
    return error.text


SPOKEN = ["audio-start", "audio-chunk", "audio-stop"]


def test_describe(server):
    async def conversation(client):
        await client.write_event(Describe().event())
        return Info.from_event(await client.read_event())

    info = talk(server, conversation)
    program = info.tts[0]
    assert program.name == "kokoro" and program.installed and program.version
    assert program.supports_synthesize_streaming is True
    assert program.attribution.name and program.attribution.url.startswith("https://")
    voices = {voice.name: voice for voice in program.voices}
    listed = {voice["id"] for voice in server.get("/v1/audio/voices").json()["voices"]}
    assert set(voices) == listed
    assert voices["af_heart"].languages == ["en-US"]
    assert voices["bf_emma"].languages == ["en-GB"]
    assert voices["bf_emma"].description == "Emma (en-GB, female)"


def test_plain(server):
    before = server.status()["performance"]

    async def conversation(client):
        return await say(client, TEXT)

    types, pcm = talk(server, conversation)
    assert types == SPOKEN
    assert len(pcm) > 3 * 48000 and loudness(pcm) > 1000
    # The same sound as over HTTP, but for where pieces of it were cut.
    whole = server.post({"input": TEXT, "response_format": "pcm", "stream": False}).content
    assert abs(len(pcm) - len(whole)) < 0.5 * 48000
    after = server.status()["performance"]
    assert after["total_inferences"] > before["total_inferences"]
    server.wait_log(r"WYOMING synthesize 200 .*127\.0\.0\.1")


def test_voices(server):
    async def conversation(client):
        sounds = []
        for voice in (SynthesizeVoice(name="bm_george"), SynthesizeVoice(name="alloy"),
                      SynthesizeVoice(language="en_GB"), SynthesizeVoice(language="en"),
                      SynthesizeVoice(name="kokoro", speaker="am_adam"),
                      SynthesizeVoice(name="af_bella(2)+af_sky(1)"), None):
            types, pcm = await say(client, "Hello there.", voice=voice)
            assert types == SPOKEN
            sounds.append(pcm)
        return sounds

    sounds = talk(server, conversation)
    assert len(set(sounds)) >= 6


def test_ping(server):
    async def conversation(client):
        await client.write_event(Ping(text="a b").event())
        first = Pong.from_event(await client.read_event())
        await client.write_event(Ping().event())
        return first, Pong.from_event(await client.read_event())

    assert [pong.text for pong in talk(server, conversation)] == ["a b", None]


def test_streaming_says_it_once(server):
    async def plain(client):
        return await say(client, TEXT)

    async def streamed(client):
        voice = SynthesizeVoice(name="af_heart")
        await client.write_event(SynthesizeStart(voice=voice).event())
        for word in TEXT.split(" "):
            await client.write_event(SynthesizeChunk(text=word + " ").event())
            await asyncio.sleep(0.02)
        # For servers that cannot stream, as Home Assistant sends it.
        await client.write_event(Synthesize(text=TEXT, voice=voice).event())
        await client.write_event(SynthesizeStop().event())
        result = await read_speech(client, SynthesizeStopped)
        return result, await say(client, "Hello there.")

    _, whole = talk(server, plain)
    (types, pcm), (next_types, _) = talk(server, streamed)
    assert types == SPOKEN + ["synthesize-stopped"]
    assert next_types == SPOKEN
    assert 0.8 * len(whole) < len(pcm) < 1.25 * len(whole)


def test_speaks_before_the_text_ends(server):
    async def conversation(client):
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk(text="The first sentence is said. The").event())
        event = await client.read_event()
        assert AudioStart.is_type(event.type)
        while not AudioChunk.is_type((await client.read_event()).type):
            pass
        await client.write_event(Ping(text="still here").event())
        while True:
            event = await client.read_event()
            if Pong.is_type(event.type):
                break
        await client.write_event(SynthesizeChunk(text=" second one comes late.").event())
        await client.write_event(SynthesizeStop().event())
        types, pcm = await read_speech(client, SynthesizeStopped)
        return types, pcm

    types, pcm = talk(server, conversation)
    assert types[-2:] == ["audio-stop", "synthesize-stopped"]
    assert "audio-start" not in types
    assert len(pcm) > 48000


def test_a_pause_ends_a_sentence(server):
    async def conversation(client):
        await client.write_event(SynthesizeStart().event())
        await client.write_event(SynthesizeChunk(text="It may be over now.").event())
        first = await client.read_event()
        await client.write_event(SynthesizeStop().event())
        return first, await read_speech(client, SynthesizeStopped)

    first, (types, _) = talk(server, conversation)
    assert AudioStart.is_type(first.type)
    assert types == ["audio-chunk", "audio-stop", "synthesize-stopped"]


@pytest.mark.parametrize("event, code", [
    (Synthesize(text="Hi.", voice=SynthesizeVoice(name="nobody")).event(), "unknown_voice"),
    (Synthesize(text=" \n").event(), "nothing_to_speak"),
    (Synthesize(text="...").event(), "nothing_to_speak"),
    (Synthesize(text="Hi.", text_format="ssml").event(), "unsupported_text_format"),
    (Synthesize(text="a" * 100001).event(), "string_above_max_length"),
    (Synthesize(text="Hi.", voice=SynthesizeVoice(language="tlh")).event(), "unknown_language"),
    (Event("synthesize", {"text": 1}), "invalid_type"),
    (Event("synthesize", {}), "invalid_type"),
    (Event("synthesize", {"text": "a", "voice": []}), "invalid_type")])
def test_a_plain_text_that_fails_ends_the_connection(server, event, code):
    """Home Assistant passes over errors and reads on to audio-stop or to the end: it must come, soon,
    and behind the error also where the client has sent more."""
    async def conversation(client):
        await error_of(client, event, code)
        before = time.monotonic()
        assert await client.read_event() is None
        return time.monotonic() - before

    async def more(client):
        await client.write_event(Describe().event())
        await client.read_event()
        await client.write_event(event)
        for _ in range(50):
            await client.write_event(Event("transcribe", {"name": "x"}, b"p" * 1000))
        answer = await client.read_event()
        assert Error.from_event(answer).code == code
        assert await client.read_event() is None

    assert talk(server, conversation) < 2
    talk(server, more)


def test_events_of_others_are_passed_over(server):
    async def conversation(client):
        await client.write_event(Event("transcribe", {"name": "x"}, b"payload"))
        return await say(client, "Hello there.")

    types, pcm = talk(server, conversation)
    assert types == SPOKEN and loudness(pcm) > 1000


def test_bad_streams_leave_the_connection_usable(server):
    async def stream(client, start, *chunks):
        await client.write_event(start)
        for chunk in chunks:
            await client.write_event(chunk)
        await client.write_event(Synthesize(text="Hi.").event())
        await client.write_event(SynthesizeStop().event())
        return (await read_speech(client, SynthesizeStopped))[0]

    async def conversation(client):
        voice = SynthesizeVoice(name="nobody")
        chunk = SynthesizeChunk(text="It is so. ").event()
        return [await stream(client, SynthesizeStart(voice=voice).event(), chunk),
                await stream(client, SynthesizeStart(text_format="ssml").event(), chunk),
                await stream(client, SynthesizeStart().event()),
                await stream(client, SynthesizeStart().event(), SynthesizeStart().event(),
                             SynthesizeChunk(text="Hi.").event()),
                await stream(client, SynthesizeStart().event(),
                             Event("synthesize-chunk", {"text": 7}), chunk),
                await stream(client, SynthesizeStart().event(),
                             Event("synthesize-chunk", {"text": 7})),
                await stream(client, SynthesizeStart().event(),
                             SynthesizeChunk(text="a" * 100001).event(), chunk),
                (await say(client, "Hello there."))[0]]

    assert talk(server, conversation) == [
        ["error unknown_voice", "synthesize-stopped"],
        ["error unsupported_text_format", "synthesize-stopped"],
        ["error nothing_to_speak", "synthesize-stopped"],
        ["error invalid_event"] + SPOKEN + ["synthesize-stopped"],
        ["error invalid_type"] + SPOKEN + ["synthesize-stopped"],
        ["error invalid_type", "synthesize-stopped"],
        ["error string_above_max_length", "synthesize-stopped"],
        SPOKEN]


class Raw:
    """A connection of bytes."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.wyoming_port), timeout=LIMIT_S)
        self.file = self.socket.makefile("rb")

    def send(self, *parts):
        self.socket.sendall(b"".join(p if isinstance(p, bytes) else json.dumps(p).encode() + b"\n"
                                     for p in parts))
        return self

    def event(self):
        """The next event; None at the end."""
        line = self.file.readline()
        if not line:
            return None
        event = json.loads(line)
        event.setdefault("data", {}).update(
            json.loads(self.file.read(event.get("data_length", 0)) or "{}"))
        event["payload"] = self.file.read(event.get("payload_length", 0))
        return event

    def error(self):
        event = self.event()
        assert event["type"] == "error", event
        return event["data"]["code"]

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.file.close()
        self.socket.close()


def test_frames_in_any_pieces(server):
    data = json.dumps({"text": "Hello there."}).encode()
    bytes_ = (b'{"type":"describe"}\n{"type":"ping","data":{"text":"x"}}\n'
              b'{"type":"synthesize","data_length":%d,"payload_length":3}\n%sabc' % (len(data), data))
    whole = Raw(server).send(bytes_)
    pieces = Raw(server)
    for i in range(len(bytes_)):
        pieces.send(bytes_[i:i + 1])
    for raw in (whole, pieces):
        assert raw.event()["type"] == "info"
        assert raw.event()["data"] == {"text": "x"}
        assert raw.event()["type"] == "audio-start"
        raw.close()


@pytest.mark.parametrize("line", [b"hello\n", b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b"\n", b"\x00" * 70000,
                                  b'{"type":"x","data_length":-1}\n',
                                  b'{"type":"x","data_length":1048577}\n',
                                  b'{"type":"x","payload_length":99999999999999999999}\n'])
def test_what_is_no_event_ends_the_connection(server, line):
    raw = Raw(server).send(line)
    assert raw.error() == "invalid_event"
    try:
        assert raw.event() is None
    except ConnectionResetError:
        pass  # what it had not read
    raw.close()


def test_bad_events_do_not(server):
    raw = Raw(server)
    for bad in (b'{}\n', b'{"type":1}\n', b'{"type":"synthesize","data_length":4}\n{{{{',
                b'{"type":"synthesize","data":"x"}\n',
                b'{"type":"synthesize","data_length":10}\n{"t":"\xff"}\n'):
        raw.send(bad)
        assert raw.error() == "invalid_event"
    raw.send({"type": "ping"})
    assert raw.event()["type"] == "pong"
    raw.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_stops_the_model(server, reset):
    before = server.status()["errors"]
    raw = Raw(server).send({"type": "synthesize", "data": {"text": LONG * 20}})
    while raw.event()["type"] != "audio-chunk":
        pass
    raw.close(reset)
    wait_until(lambda: server.status()["wyoming"]["speaking"], lambda n: n == 0, 10, "still speaking")
    server.wait_log(r"WYOMING synthesize 499 ")
    after = server.status()["errors"]
    assert after["by_kind"]["cancelled"] > before["by_kind"]["cancelled"]


def test_a_stream_that_breaks_off(server):
    for event in ({"type": "synthesize-start"},
                  {"type": "synthesize-chunk", "data": {"text": "It was so. It"}}):
        raw = Raw(server).send({"type": "synthesize-start"}, event)
        raw.close()
    wait_until(lambda: server.status()["wyoming"], lambda w: w["connections"] == 0, 10, "still there")


def test_a_hundred_connections(server):
    connections = [Raw(server) for _ in range(100)]
    for raw in connections:
        raw.send({"type": "ping"})
    for raw in connections:
        assert raw.event()["type"] == "pong"
    assert server.status()["wyoming"]["connections"] >= 100
    more = [Raw(server) for _ in range(40)]
    codes = []
    for raw in more:
        try:
            event = raw.send({"type": "ping"}).event()
        except ConnectionError:
            event = None
        codes.append(event["data"].get("code") if event else "closed")
    assert codes[0] is None and codes[-1] in ("queue_full", "closed")
    for raw in connections + more:
        raw.close()
    wait_until(lambda: server.status()["wyoming"]["connections"], lambda n: n == 0, 10, "still there")


def test_many_speak_at_once(server):
    async def one(number):
        async with AsyncTcpClient("127.0.0.1", server.wyoming_port, read_timeout=LIMIT_S) as client:
            return await say(client, f"This is number {number}.")

    async def all_of_them():
        return await asyncio.gather(*(one(number) for number in range(12)))

    for types, pcm in asyncio.run(all_of_them()):
        assert types == SPOKEN and loudness(pcm) > 1000


def test_a_slow_client_holds_up_nobody(server):
    raw = Raw(server)
    raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.send({"type": "synthesize", "data": {"text": LONG}})

    async def conversation(client):
        return await say(client, "Hello there.")

    assert talk(server, conversation)[0] == SPOKEN
    pcm, event = b"", raw.event()
    while event["type"] != "audio-stop":
        pcm += event["payload"]
        event = raw.event()
    assert len(pcm) > 20 * 48000
    raw.close()


def test_who_asks_and_does_not_read_while_text_is_awaited(server):
    """What it is sent then waits for it, and there is no place at the model to be given up."""
    raw = Raw(server)
    n = 1000  # some 12 KB each: more than the system keeps on the way
    raw.send({"type": "synthesize-start"}, *[{"type": "describe"}] * n)
    time.sleep(0.5)
    assert talk(server, lambda client: say(client, "Hello there."))[0] == SPOKEN
    for _ in range(n):
        assert raw.event()["type"] == "info"
    raw.send({"type": "synthesize-chunk", "data": {"text": "Hello there."}}, {"type": "synthesize-stop"})
    types = set()
    while (event := raw.event())["type"] != "synthesize-stopped":
        types.add(event["type"])
    assert types == set(SPOKEN)
    raw.close()
    wait_until(lambda: server.status()["queue"]["running"], lambda n: n == 0, 10, "a place is held")


def test_off_by_default(start, needs_data):
    running = start("--port", "0").wait_bound()
    assert running.status()["wyoming"] == {"enabled": False, "port": 0, "connections": 0,
                                           "peak_connections": 0, "speaking": 0, "accepted": 0,
                                           "refused": 0,
                                           "announcement": {"name": "", "reason": "KOKORO_WYOMING_ANNOUNCE is false"}}
    assert running.stop() == 0


def test_port_in_use(start, needs_data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = start("--port", "0", "--wyoming-port", str(port))
        assert running.process.wait(60) == 1
        running._reader.join(10)
        assert any("--wyoming-port" in line for line in running.log), running.log


def test_keys_and_an_open_port(start, tmp_path, needs_data):
    """Where keys are set nobody speaks without one unless told so: not by .env either."""
    path = tmp_path / "keys"
    keys(path, "add", "first")
    setting = {"KOKORO_API_KEYS_FILE": str(path)}
    other = {**setting, "KOKORO_WYOMING_HOST": "0.0.0.0"}
    (tmp_path / ".env").write_text("KOKORO_WYOMING_WITHOUT_KEYS=true\n")
    for options, environment in (((), other), (("--host", "0.0.0.0"), setting)):
        refused = start_wyoming(start, *options, environment=environment, directory=tmp_path)
        assert refused.process.wait(60) == 1
        refused._reader.join(10)
        assert any("KOKORO_WYOMING_HOST to 127.0.0.1, or KOKORO_WYOMING_WITHOUT_KEYS" in line
                   for line in refused.log), refused.log
    (tmp_path / ".env").unlink()
    for environment, warns in ((setting, False), ({**other, "KOKORO_WYOMING_WITHOUT_KEYS": "true"}, True)):
        running = start_wyoming(start, environment=environment).wait_bound()
        raw = Raw(running).send({"type": "ping"})
        assert raw.event()["type"] == "pong"
        raw.close()
        assert any("knows no keys" in line for line in running.log) == warns
        assert running.stop() == 0


def test_drain(start, needs_data):
    """What is being said is said to its end; who says nothing is let go."""
    running = start_wyoming(start).wait_ready()
    idle, busy = Raw(running), Raw(running)
    idle.send({"type": "ping"})
    assert idle.event()["type"] == "pong"
    busy.send({"type": "synthesize", "data": {"text": LONG}})
    while busy.event()["type"] != "audio-chunk":
        pass
    running.process.terminate()
    assert idle.event() is None
    types = set()
    while (event := busy.event()) is not None:
        types.add(event["type"])
    assert "audio-stop" in types
    assert running.stop() == 0


def test_not_loaded_yet(start, needs_data):
    running = start_wyoming(start).wait_bound()
    raw = Raw(running).send({"type": "describe"}, {"type": "synthesize", "data": {"text": "Hi."}})
    assert len(raw.event()["data"]["tts"][0]["voices"]) > 20
    event = raw.event()
    assert event["type"] in ("error", "audio-start")
    if event["type"] == "error":
        assert event["data"]["code"] == "model_loading"
    raw.close()
    running.wait_ready()
    assert running.stop() == 0


def test_a_text_that_never_ends_is_cut_at_the_end(start, needs_data):
    running = start_wyoming(start, environment={"KOKORO_DRAIN_S": "1"}).wait_ready()
    raw = Raw(running).send({"type": "synthesize-start"}, {"type": "ping"})
    assert raw.event()["type"] == "pong"
    assert running.stop() == 0
    running.wait_log("KOKORO_DRAIN_S")
    assert raw.event() is None
    raw.close()
