// Anthropic's own client, Vercel's AI SDK with its Anthropic provider, and the OpenAI client's newest ways, asked of the
// gateway at JUDGED_URL (with /v1). What stands behind it is small_model.py.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import Anthropic, { BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { generateText, isStepCount, streamText, tool } from 'ai';
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';
import { z } from 'zod';

const model = 'claude-sonnet-4-20250514';
const root = process.env.JUDGED_URL.replace(/\/v1$/, '');
const client = new Anthropic({ baseURL: root, apiKey: 'sk-false-client', maxRetries: 0, timeout: 60_000 });
const vercel = createAnthropic({ baseURL: process.env.JUDGED_URL, apiKey: 'sk-false-client' });
const openai = new OpenAI({ baseURL: process.env.JUDGED_URL, apiKey: 'sk-false-client', maxRetries: 0, timeout: 60_000 });
const ask = (content, more = {}) => ({ model, max_tokens: 1000, messages: [{ role: 'user', content }], ...more });
const Add = z.object({ a: z.number().int(), b: z.number().int() });

test('a message', async () => {
  const message = await client.messages.create(ask('Grüße, 世界 🎉'));
  assert.equal(message.content[0].text, 'Grüße, 世界 🎉');
  assert.equal(message.stop_reason, 'end_turn');
  assert.ok(message._request_id);
});

test('a stream and what the client makes of it', async () => {
  const stream = client.messages.stream(ask('one two three four'));
  const pieces = [];
  stream.on('text', (piece) => pieces.push(piece));
  const message = await stream.finalMessage();
  assert.equal(pieces.join(''), 'one two three four');
  assert.ok(pieces.length > 1);
  assert.equal(message.content[0].text, 'one two three four');
});

test('the tool runner goes round by itself', async () => {
  const called = [];
  const add = betaZodTool({
    name: 'add',
    description: 'Add two numbers.',
    inputSchema: Add,
    run: ({ a, b }) => {
      called.push([a, b]);
      return String(a + b);
    },
  });
  const message = await client.beta.messages.toolRunner(ask('Please add 7.', { tools: [add] }));
  assert.deepEqual(called, [[7, 7]]);
  assert.equal(message.content[0].text, 'The result is 14.');
});

test('tokens are counted, and models are listed', async () => {
  const { input_tokens } = await client.messages.countTokens({ model, messages: [{ role: 'user', content: 'x'.repeat(400) }] });
  assert.ok(Math.abs(input_tokens - 100) < 10);
  const models = [];
  for await (const one of client.models.list()) models.push(one.id);
  assert.ok(models.includes(model));
});

test('errors are of their classes', async () => {
  await assert.rejects(client.messages.create({ ...ask('x'), model: 'claude-none' }), NotFoundError);
  await assert.rejects(client.messages.create(ask('This is too long.')), (error) => {
    assert.ok(error instanceof BadRequestError);
    assert.match(error.message, /prompt is too long/);
    return true;
  });
});

test('the AI SDK answers and streams', async () => {
  const { text, usage } = await generateText({ model: vercel(model), prompt: 'hello' });
  assert.equal(text, 'hello');
  assert.ok(usage.inputTokens > 0);
  const pieces = [];
  for await (const piece of streamText({ model: vercel(model), prompt: 'one two three' }).textStream) pieces.push(piece);
  assert.equal(pieces.join(''), 'one two three');
});

test('the AI SDK calls a tool and goes on', async () => {
  const called = [];
  const { text } = await generateText({
    model: vercel(model),
    prompt: 'Please add 7.',
    stopWhen: isStepCount(3),
    tools: {
      add: tool({
        description: 'Add two numbers.',
        inputSchema: Add,
        execute: async ({ a, b }) => {
          called.push([a, b]);
          return a + b;
        },
      }),
    },
  });
  assert.deepEqual(called, [[7, 7]]);
  assert.match(text, /14/);
});

test('the OpenAI client speaks over a WebSocket', async () => {
  const socket = new ResponsesWS(openai);
  try {
    const response = await new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('response.completed', (event) => resolve(event.response));
      socket.send({ type: 'response.create', model, input: 'hello' });
    });
    assert.equal(response.output[0].content[0].text, 'hello');
  } finally {
    socket.close();
  }
});

test('the OpenAI client compacts, counts and polls', async () => {
  const compacted = await openai.responses.compact({ model, input: [{ role: 'user', content: 'Remember 7.' }] });
  assert.equal(compacted.output.at(-1).type, 'compaction');
  const { input_tokens } = await openai.responses.inputTokens.count({ model, input: 'x'.repeat(400) });
  assert.ok(Math.abs(input_tokens - 100) < 10);
  let made = await openai.responses.create({ model, input: 'behind', background: true });
  while (made.status === 'queued' || made.status === 'in_progress') {
    await new Promise((resolve) => setTimeout(resolve, 50)); // as OpenAI's guide says it
    made = await openai.responses.retrieve(made.id);
  }
  assert.equal(made.output_text, 'behind');
});
