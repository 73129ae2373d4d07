"""The official client of OpenAI's API against this server."""

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
