// The official Node client and its helpers, asked of the gateway at JUDGED_URL (with /v1).
// What stands behind it is small_model.py: it echoes, calls tools where it has them, and fills in schemas.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream';
import { z } from 'zod';

const model = 'claude-sonnet-4-20250514';
const client = new OpenAI({ baseURL: process.env.JUDGED_URL, apiKey: 'sk-false-client', maxRetries: 0, timeout: 60_000 });
const user = (content) => [{ role: 'user', content }];

const Add = z.object({ a: z.number().int(), b: z.number().int() });
const Solution = z.object({
  steps: z.array(z.object({ explanation: z.string(), value: z.number().nullable() })),
  mood: z.enum(['good', 'bad']),
});

/** A tool for runTools that notes what it was called with. */
function adder(calls) {
  return {
    type: 'function',
    function: {
      name: 'add',
      description: 'Add two numbers.',
      parameters: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] },
      parse: JSON.parse,
      function: ({ a, b }) => {
        calls.push([a, b]);
        return String(a + b);
      },
    },
  };
}

test('a plain answer', async () => {
  const { data, response, request_id } = await client.chat.completions
    .create({ model, messages: user('Grüße, 世界 🎉') })
    .withResponse();
  assert.equal(data.choices[0].message.content, 'Grüße, 世界 🎉');
  assert.equal(data.choices[0].finish_reason, 'stop');
  assert.equal(data._request_id, request_id);
  assert.equal(response.headers.get('content-type'), 'application/json');
});

test('the accumulator makes of a stream what the plain answer is', async () => {
  const asked = { model, messages: user('one two three 🎉 four five six'), stream_options: { include_usage: true } };
  const events = [];
  const stream = client.chat.completions.stream(asked);
  stream.on('content', (delta) => events.push(delta));
  const streamed = await stream.finalChatCompletion();
  const { stream_options, ...plainly } = asked;
  const plain = await client.chat.completions.create(plainly);
  assert.equal(events.join(''), 'one two three 🎉 four five six');
  // The prompt's count may differ: a worker that is used again holds three short texts of the CLI's own.
  const { completion_tokens, completion_tokens_details } = plain.usage;
  assert.equal(streamed.usage.completion_tokens, completion_tokens);
  assert.deepEqual(streamed.usage.completion_tokens_details, completion_tokens_details);
  assert.equal(streamed.usage.total_tokens, streamed.usage.prompt_tokens + completion_tokens);
  for (const key of ['role', 'content', 'refusal']) {
    assert.equal(streamed.choices[0].message[key] ?? null, plain.choices[0].message[key]);
  }
});

test('a stream passed on as lines is read back the same', async () => {
  const stream = client.chat.completions.stream({ model, messages: user('through a proxy of my own') });
  const read = ChatCompletionStream.fromReadableStream(stream.toReadableStream());
  assert.equal(await read.finalContent(), 'through a proxy of my own');
});

test('several choices', async () => {
  const done = await client.chat.completions.stream({ model, messages: user('twofold'), n: 2 }).finalChatCompletion();
  assert.deepEqual(done.choices.map((c) => [c.index, c.message.content]), [[0, 'twofold'], [1, 'twofold']]);
});

for (const stream of [false, true]) {
  test(`runTools, stream: ${stream}`, async () => {
    const calls = [];
    const asked = { model, messages: user('add 4 twice'), tools: [adder(calls)], stream };
    if (stream) asked.stream_options = { include_usage: true };
    const runner = client.chat.completions.runTools(asked);
    assert.equal(await runner.finalContent(), 'The result is 8 and 8.');
    assert.deepEqual(calls, [[4, 4], [4, 4]]);
    assert.deepEqual(runner.messages.map((m) => m.role), ['user', 'assistant', 'tool', 'tool', 'assistant']);
    assert.equal((await runner.totalUsage()).total_tokens > 0, true);
  });
}

test('zod tools are parsed', async () => {
  const tools = [zodFunction({ name: 'add', parameters: Add })];
  const plain = await client.chat.completions.parse({ model, messages: user('add 5'), tools });
  assert.deepEqual(plain.choices[0].message.tool_calls[0].function.parsed_arguments, { a: 5, b: 5 });
  const names = [];
  const stream = client.chat.completions.stream({ model, messages: user('add 6'), tools });
  stream.on('tool_calls.function.arguments.done', (done) => names.push([done.index, done.name, done.parsed_arguments]));
  await stream.done();
  assert.deepEqual(names, [[0, 'add', { a: 6, b: 6 }]]);
});

for (const named of [model, 'sonnet']) {
  test(`zod schemas are parsed, ${named}`, async () => {
    const asked = { model: named, messages: user('Solve 42.'), response_format: zodResponseFormat(Solution, 'solution') };
    const expected = { steps: [{ explanation: 'Solve 42.', value: 42 }], mood: 'good' };
    assert.deepEqual((await client.chat.completions.parse(asked)).choices[0].message.parsed, expected);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    assert.deepEqual(streamed.choices[0].message.parsed, expected);
  });
}

test('responses are read, streamed, parsed and gone on from', async () => {
  const plain = await client.responses.create({ model, input: 'hello' });
  assert.equal(plain.output_text, 'hello');
  const stream = client.responses.stream({ model, input: 'hello again' });
  const pieces = [];
  stream.on('response.output_text.delta', (event) => pieces.push(event.delta));
  const streamed = await stream.finalResponse();
  assert.equal(pieces.join(''), 'hello again');
  assert.equal(streamed.output[0].content[0].text, 'hello again');
  const format = zodTextFormat(Solution, 'solution');
  const parsed = await client.responses.parse({ model, input: 'Solve 42.', text: { format } });
  assert.deepEqual(parsed.output_parsed, { steps: [{ explanation: 'Solve 42.', value: 42 }], mood: 'good' });
  const parameters = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
  const tools = [{ type: 'function', name: 'add', parameters, strict: false }];
  const called = await client.responses.create({ model, input: 'add 4', tools });
  const call = called.output.find((item) => item.type === 'function_call');
  const result = { type: 'function_call_output', call_id: call.call_id, output: '8' };
  const ended = await client.responses.create({ model, input: [result], tools, previous_response_id: called.id });
  assert.equal(ended.output_text, 'The result is 8.');
  const items = [];
  for await (const item of client.responses.inputItems.list(called.id)) items.push(item.type);
  assert.deepEqual(items, ['message']);
  await client.responses.delete(called.id);
  await assert.rejects(client.responses.retrieve(called.id), NotFoundError);
});

test('a response in the background is cancelled', async () => {
  const begun = await client.responses.create({ model, input: 'a long answer '.repeat(500), background: true });
  const cancelled = await client.responses.cancel(begun.id);
  assert.ok(['cancelled', 'completed'].includes(cancelled.status));
  assert.equal((await client.responses.retrieve(begun.id)).status, cancelled.status);
});

test('a stream that is aborted says so, and the next request is answered', async () => {
  const stream = client.chat.completions.stream({ model, messages: user('a long answer '.repeat(500)) });
  stream.on('content', () => stream.abort());
  await assert.rejects(stream.done(), { name: 'Error', constructor: OpenAI.APIUserAbortError });
  assert.equal((await client.chat.completions.create({ model, messages: user('next') })).choices[0].message.content, 'next');
});

test('errors are of the client\'s own classes', async () => {
  await assert.rejects(
    client.chat.completions.create({ model: 'gpt-5', messages: user('a') }),
    (error) => error instanceof NotFoundError && error.code === 'model_not_found' && error.param === 'model',
  );
  await assert.rejects(
    client.chat.completions.stream({ model, messages: user('Be too long.') }).done(),
    (error) => error instanceof BadRequestError && error.code === 'context_length_exceeded',
  );
  await assert.rejects(
    client.embeddings.create({ model: 'text-embedding-3-small', input: 'a' }),
    (error) => error instanceof NotFoundError && error.requestID.startsWith('req_'),
  );
});

test('models are listed and retrieved', async () => {
  const listed = [];
  for await (const each of client.models.list()) listed.push(each);
  assert.ok(listed.some((each) => each.id === model));
  assert.equal((await client.models.retrieve(model)).id, model);
});
