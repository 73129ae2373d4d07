"""The official client of OpenAI's API against this server."""

import base64
import json
import os
import socket
import subprocess

import httpx
import openai
import pytest
from audio import LONG, LONG_S, SHORT, check_whole_mp3, check_whole_wav, loudness


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="anything", max_retries=0, timeout=300)


def test_create(client):
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=SHORT,
                                        response_format="wav")
    assert check_whole_wav(answer.content) > 0.5


def test_create_with_every_option(client):
    answer = client.audio.speech.create(model="gpt-4o-mini-tts", voice="coral", input=SHORT,
                                        response_format="pcm", speed=1.25, instructions="gently",
                                        stream_format="audio", extra_body={"lang": "en-gb"})
    assert loudness(answer.read()) > 1000


def test_default_format(client):
    check_whole_mp3(client.audio.speech.create(model="kokoro", voice="af_heart", input=SHORT).content)


def test_streaming(client):
    n_bytes = n_pieces = 0
    with client.audio.speech.with_streaming_response.create(
            model="tts-1-hd", voice="nova", input=LONG, response_format="pcm",
            speed=4) as answer:
        for piece in answer.iter_bytes(chunk_size=4096):
            n_bytes += len(piece)
            n_pieces += 1
    assert n_bytes % 2 == 0
    assert n_bytes > LONG_S * 48000
    assert n_pieces > 10


def test_stream_to_file(client, tmp_path):
    path = tmp_path / "speech.wav"
    with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="onyx", input=SHORT, response_format="wav") as answer:
        answer.stream_to_file(path)
    check_whole_wav(path.read_bytes())


def sound_of(events):
    """Checks the events of one answer; their sound."""
    *deltas, done = events
    assert all(event["type"] == "speech.audio.delta" for event in deltas)
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    return b"".join(base64.b64decode(event["audio"]) for event in deltas)


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
def test_lines_of_events(client, model):
    with client.audio.speech.with_streaming_response.create(
            model=model, voice="ash", input=SHORT, response_format="pcm",
            stream_format="sse") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line]
    assert loudness(sound_of(events)) > 1000


def post_for_events(client, body):
    return client.post("/audio/speech", body=body, cast_to=object, stream=True,
                       stream_cls=openai.Stream[object])


def test_stream_of_events(client):
    """The SDK's own reader of events."""
    events = list(post_for_events(client, {"model": "gpt-4o-mini-tts", "voice": "nova", "input": LONG,
                                           "speed": 4, "response_format": "wav", "stream_format": "sse",
                                           "timestamps": True}))
    assert sound_of(events)[:4] == b"RIFF"
    assert len(events) > 3
    words = [word["word"] for event in events for word in event.get("timestamps", [])]
    assert " ".join(words[:5]) == "This is sentence number one"


def test_an_error_among_events_is_raised():
    """Speech that fails in its middle ends with such an event, and the client says so."""
    data = (b'data: {"type":"speech.audio.delta","audio":"AAAA"}\n\n'
            b'data: {"error":{"message":"it broke","type":"server_error","param":null,'
            b'"code":"engine_failed"}}\n\n')
    transport = httpx.MockTransport(lambda request: httpx.Response(
        200, headers={"content-type": "text/event-stream"}, content=data))
    client = openai.OpenAI(base_url="http://localhost", api_key="k", max_retries=0,
                           http_client=httpx.Client(transport=transport))
    events = post_for_events(client, {})
    assert next(events)["type"] == "speech.audio.delta"
    with pytest.raises(openai.APIError, match="it broke"):
        next(events)


def test_rate_limit(start, needs_data):
    """More than can wait: the next one is told so, and when to come again."""
    server = start("--port", "0").wait_ready()
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="k", max_retries=0, timeout=300)
    body = json.dumps({"input": LONG * 20, "no_cache": True}).encode()
    request = (f"POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Type: "
               f"application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    waiting = []
    try:
        for _ in range(150):
            waiting.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            waiting[-1].sendall(request)
        with pytest.raises(openai.RateLimitError) as caught:
            for _ in range(20):
                with client.audio.speech.with_streaming_response.create(
                        model="tts-1", voice="alloy", input=LONG, response_format="pcm",
                        extra_body={"no_cache": True}):
                    pass
    finally:
        for connection in waiting:
            connection.close()
    assert int(caught.value.response.headers["retry-after"]) >= 1
    assert caught.value.code == "queue_full" and caught.value.type == "rate_limit_error"
    server.wait_idle()


def test_keys(tmp_path, start, needs_data):
    """Without the right key AuthenticationError, over its limit RateLimitError; lists need none."""
    path = str(tmp_path / "keys")
    key = subprocess.run([os.environ["KOKORO_PROGRAM"], "keys", "add", "tester", "--requests", "2", "--file", path],
                         capture_output=True, text=True, check=True).stdout.strip()
    server = start("--port", "0", environment={"KOKORO_API_KEYS_FILE": path}).wait_ready()
    speech = {"model": "tts-1", "voice": "alloy", "input": SHORT, "response_format": "wav"}

    def client_with(word):
        return openai.OpenAI(base_url=server.url + "/v1", api_key=word, max_retries=0, timeout=300)

    with pytest.raises(openai.AuthenticationError) as caught:
        client_with("wrong").audio.speech.create(**speech)
    assert caught.value.code == "invalid_api_key" and caught.value.type == "authentication_error"
    assert "tts-1" in [model.id for model in client_with("wrong").models.list()]
    check_whole_wav(client_with(key).audio.speech.create(**speech).content)
    with pytest.raises(openai.RateLimitError) as caught:
        for _ in range(3):
            client_with(key).audio.speech.create(**speech)
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) >= 1


def test_models(client):
    names = [model.id for model in client.models.list()]
    assert "tts-1" in names and "kokoro" in names
    model = client.models.retrieve("gpt-4o-mini-tts-2025-12-15")
    assert (model.id, model.object) == ("gpt-4o-mini-tts-2025-12-15", "model")
    assert isinstance(model.created, int) and model.owned_by


def test_bad_requests(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input=SHORT, speed=9)
    assert caught.value.param == "speed"
    assert caught.value.code == "invalid_speed"
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id
    with pytest.raises(openai.BadRequestError):
        client.audio.speech.create(model="tts-1", voice="alloy", input="")


def test_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.speech.create(model="tts-99", voice="alloy", input=SHORT)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("tts-99")


def test_too_large(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input="a" * 2_000_000)
    assert caught.value.status_code == 413


def test_asynchronous(server):
    import asyncio

    async def many():
        client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="k", max_retries=0,
                                    timeout=300)
        return await asyncio.gather(*(client.audio.speech.create(
            model="tts-1", voice=voice, input=f"This is {voice}.", response_format="wav")
            for voice in ("alloy", "echo", "fable", "onyx", "nova", "shimmer")))

    for answer in asyncio.run(many()):
        check_whole_wav(answer.content)
