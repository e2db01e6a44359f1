import { describe, expect, it } from '@jest/globals';
import { expectedOutputTokens, parseRequest, sessionHash } from './parse-request.ts';
import type { Api, InferenceRequest } from './parse-request.ts';

function parsed(body: object, api: Api = 'chat', session: string | null = null): InferenceRequest {
  const result = parseRequest(api, Buffer.from(JSON.stringify(body)), session, null);
  if (result.kind !== 'request') throw new Error(result.problem.message);
  return result.request;
}

describe('parseRequest', () => {
  it('reads what routing needs and takes fields of the wrong type as absent', () => {
    const request = parsed({
      model: 'm',
      stream: true,
      max_tokens: 5,
      max_completion_tokens: 7,
      cache_salt: 's',
      user: 'u',
    });
    expect(request).toMatchObject({
      model: 'm',
      streamed: true,
      maxTokens: 7,
      minTokens: 0,
      cacheSalt: 's',
      session: 'u',
    });
    expect(parsed({ stream: 'yes', max_tokens: '5', cache_salt: 3, messages: 'x' })).toMatchObject({
      model: null,
      streamed: false,
      maxTokens: null,
      cacheSalt: null,
    });
    expect(parsed({ max_tokens: -1 }).maxTokens).toBeNull();
    expect(parsed({ user: 'u' }, 'chat', 'header').session).toBe('header');
  });

  it('counts no more tokens than there can be, so that sums stay exact', () => {
    for (const huge of ['1e308', '1e400', '9007199254740993']) {
      const body = Buffer.from(`{"min_tokens":${huge},"max_tokens":${huge},"ignore_eos":true}`);
      const result = parseRequest('chat', body, null, null);
      if (result.kind !== 'request') throw new Error(result.problem.message);
      expect(expectedOutputTokens(result.request, 200)).toBe(1e8);
    }
  });

  it('refuses bodies that say where a request goes, as headers that do are dropped', () => {
    const problemOf = (body: object) => {
      const result = parseRequest('chat', Buffer.from(JSON.stringify(body)), null, null);
      return result.kind === 'problem' ? [result.problem.status, result.problem.param] : null;
    };
    expect(problemOf({ kv_transfer_params: { do_remote_prefill: true, remote_host: '10.0.0.9' } })).toEqual([
      400,
      'kv_transfer_params.remote_host',
    ]);
    expect(problemOf({ bootstrap_host: '10.0.0.9', bootstrap_room: 1 })).toEqual([400, 'bootstrap_host']);
    expect(problemOf({ data_parallel_rank: 0 })).toEqual([400, 'data_parallel_rank']);
    expect(
      problemOf({ bootstrap_host: null, kv_transfer_params: { 'lmcache.skip_save': true, remote_host: null } }),
    ).toBeNull();
    expect(problemOf({ kv_transfer_params: 'x' })).toBeNull();
  });

  it('takes a byte order mark for no part of the JSON', () => {
    const result = parseRequest('chat', Buffer.from('\ufeff{"model":"m"}'), null, null);
    expect(result).toMatchObject({ kind: 'request', request: { model: 'm' } });
  });

  it("knows the engines' defaults", () => {
    expect(parsed({ prompt: 'x' }, 'completions').maxTokens).toBe(16);
    expect(parsed({ input: 'x', stream: true }, 'embeddings')).toMatchObject({ maxTokens: 0, streamed: false });
  });

  it('expects the learned mean within what the request says', () => {
    expect(expectedOutputTokens(parsed({}), 200)).toBe(200);
    expect(expectedOutputTokens(parsed({ max_tokens: 50 }), 200)).toBe(50);
    expect(expectedOutputTokens(parsed({ min_tokens: 300 }), 200)).toBe(300);
    expect(expectedOutputTokens(parsed({ max_tokens: 900, ignore_eos: true }), 200)).toBe(900);
    expect(expectedOutputTokens(parsed({ ignore_eos: true }), 200)).toBe(200);
  });

  it('hashes sessions to 32 bits that never change', () => {
    expect(sessionHash(null)).toBeNull();
    expect(sessionHash('')).toBe(0x811c9dc5);
    expect(sessionHash('session-1')).toBe(sessionHash('session-1'));
    expect(sessionHash('session-1')).not.toBe(sessionHash('session-2'));
  });
});
