import type { IncomingMessage, ServerResponse } from 'node:http';
import { FieldReader, parseBody } from '../openai/body.ts';
import { badRequest, schemaErrors } from '../openai/errors.ts';
import { resolveModel } from '../openai/generation-request.ts';
import type { Simulator } from '../simulator.ts';
import { sendError, sendJson } from './reply.ts';

/** `POST /tokenize`: a prompt, or messages through the chat template, to token ids. */
export function tokenize(
  simulator: Simulator,
  incoming: IncomingMessage,
  response: ServerResponse,
  source: Buffer,
): void {
  const parsed = parseBody(incoming.headers['content-type'], source.toString());
  if (parsed.kind === 'error') return sendError(response, parsed.error);
  const body = parsed.value;
  const fields = new FieldReader(body);
  const model = fields.string('model');
  const prompt = fields.string('prompt');
  const messages = prompt === null ? fields.requiredList('messages') : fields.list('messages');
  const special = fields.boolean('add_special_tokens');
  const withStrings = fields.boolean('return_token_strs') ?? false;
  if (fields.errors.length > 0) return sendError(response, schemaErrors(fields.errors));
  const resolved = resolveModel(model, simulator);
  if (resolved.kind === 'error') return sendError(response, resolved.error);

  let ids: Uint32Array;
  if (messages === null) ids = simulator.tokenizer.encode(prompt!, special ?? true);
  else {
    const rendered = simulator.renderChat(body, source);
    if (rendered.kind === 'error') return sendError(response, rendered.error);
    ids = simulator.tokenizer.encode(rendered.value, special ?? false);
  }
  const tokens = [...ids];
  const strings = withStrings ? tokens.map((id) => simulator.tokenizer.tokenString(id) ?? null) : null;
  const { maxModelLen } = simulator.config;
  sendJson(
    response,
    200,
    JSON.stringify({ count: tokens.length, max_model_len: maxModelLen, tokens, token_strs: strings }),
  );
}

/** `POST /detokenize`: token ids to text, special tokens included. */
export function detokenize(
  simulator: Simulator,
  incoming: IncomingMessage,
  response: ServerResponse,
  source: Buffer,
): void {
  const parsed = parseBody(incoming.headers['content-type'], source.toString());
  if (parsed.kind === 'error') return sendError(response, parsed.error);
  const fields = new FieldReader(parsed.value);
  const model = fields.string('model');
  const tokens = fields.requiredList('tokens');
  if (fields.errors.length > 0) return sendError(response, schemaErrors(fields.errors));
  const resolved = resolveModel(model, simulator);
  if (resolved.kind === 'error') return sendError(response, resolved.error);
  const { vocabulary } = simulator.kit;
  const unknown = tokens!.find(
    (id) => !(Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary.size),
  );
  if (unknown !== undefined) return sendError(response, badRequest(`Token id ${String(unknown)} is out of vocabulary`));
  const ids = Uint32Array.from(tokens as number[]);
  const bytes = new Uint8Array(vocabulary.spanLength(ids, 0, ids.length));
  vocabulary.copySpan(ids, 0, ids.length, bytes, 0);
  sendJson(response, 200, JSON.stringify({ prompt: new TextDecoder().decode(bytes) }));
}
