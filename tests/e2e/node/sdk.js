/*
 * sdk.js - the official Node client of OpenAI's API against a server.
 *
 *     node sdk.js URL FOLDER     FOLDER holds node_modules
 *
 * Prints a line "ok NAME" for each part that does what it must; the first that does not ends it.
 */
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const [url, folder] = process.argv.slice(2);
const OpenAI = createRequire(path.join(path.resolve(folder), "x.js"))("openai").default;
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "anything", maxRetries: 0, timeout: 300000 });
const input = "Hello world. This is a second sentence, which is a little longer than the first one.";
const speech = { model: "tts-1", voice: "alloy", input };

const parts = {
  async create_gives_a_response() {
    const response = await client.audio.speech.create({ ...speech, response_format: "wav" });
    assert.strictEqual(response.headers.get("content-type"), "audio/wav");
    const sound = Buffer.from(await response.arrayBuffer());
    assert.strictEqual(sound.subarray(0, 4).toString(), "RIFF");
    assert.ok(sound.length > 48000);
  },
  async default_format_is_mp3() {
    const response = await client.audio.speech.create(speech);
    assert.strictEqual(response.headers.get("content-type"), "audio/mpeg");
    const sound = Buffer.from(await response.arrayBuffer());
    assert.strictEqual(sound[0], 0xff);
  },
  async every_option_is_taken() {
    const response = await client.audio.speech.create({
      ...speech, model: "gpt-4o-mini-tts", voice: { id: "coral" }, instructions: "Softly.",
      response_format: "pcm", speed: 1.5, stream_format: "audio" });
    assert.strictEqual(response.headers.get("x-kokoro-ignored"), "instructions");
    assert.ok((await response.arrayBuffer()).byteLength > 24000);
  },
  async body_comes_in_pieces() {
    const response = await client.audio.speech.create({ ...speech, response_format: "pcm" });
    let length = 0, pieces = 0;
    for await (const piece of response.body) {
      length += piece.length;
      pieces++;
    }
    assert.ok(length > 48000 && length % 2 === 0);
    assert.ok(pieces > 1);
  },
  async body_goes_into_a_file() {
    const file = path.join(fs.mkdtempSync("/tmp/kokoro-sdk-"), "speech.mp3");
    const response = await client.audio.speech.create(speech);
    await fs.promises.writeFile(file, Buffer.from(await response.arrayBuffer()));
    assert.ok(fs.statSync(file).size > 4000);
    fs.rmSync(path.dirname(file), { recursive: true });
  },
  async events_hold_sound_and_usage() {
    const response = await client.audio.speech.create({
      ...speech, model: "gpt-4o-mini-tts", response_format: "pcm", stream_format: "sse" });
    assert.strictEqual(response.headers.get("content-type"), "text/event-stream");
    const events = (await response.text()).split("\n\n").filter(Boolean)
      .map(block => JSON.parse(block.slice("data: ".length)));
    const done = events.pop();
    assert.strictEqual(done.type, "speech.audio.done");
    assert.strictEqual(done.usage.total_tokens, done.usage.input_tokens + done.usage.output_tokens);
    assert.ok(events.every(event => event.type === "speech.audio.delta"));
    const sound = Buffer.concat(events.map(event => Buffer.from(event.audio, "base64")));
    assert.ok(sound.length > 48000 && sound.length % 2 === 0);
  },
  async models_are_listed() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    assert.ok(names.includes("tts-1") && names.includes("kokoro"));
    const model = await client.models.retrieve("gpt-4o-mini-tts");
    assert.deepStrictEqual(Object.keys(model).sort(), ["created", "id", "object", "owned_by"]);
  },
  async bad_requests_have_their_class() {
    await assert.rejects(client.audio.speech.create({ ...speech, speed: 9 }), error => {
      assert.ok(error instanceof OpenAI.BadRequestError);
      assert.deepStrictEqual([error.status, error.param, error.code, error.type],
        [400, "speed", "invalid_speed", "invalid_request_error"]);
      assert.ok(error.requestID);
      return true;
    });
  },
  async unknown_models_have_their_class() {
    await assert.rejects(client.models.retrieve("gpt-99"), OpenAI.NotFoundError);
    await assert.rejects(client.audio.speech.create({ ...speech, model: "gpt-99" }), error =>
      error instanceof OpenAI.NotFoundError && error.code === "model_not_found");
  },
  async an_aborted_request_is_over() {
    const control = new AbortController();
    const response = await client.audio.speech.create(
      { ...speech, input: input.repeat(20), response_format: "pcm" }, { signal: control.signal });
    await assert.rejects(async () => {
      for await (const piece of response.body) if (piece.length > 0) control.abort();
    });
  },
};

(async () => {
  for (const [name, part] of Object.entries(parts)) {
    await part();
    console.log("ok " + name);
  }
})().catch(error => {
  console.error(error);
  process.exit(1);
});
