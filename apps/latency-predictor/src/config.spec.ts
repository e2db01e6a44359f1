import { describe, expect, it } from '@jest/globals';
import { parseLatencyPredictorConfig } from './config.ts';

const priorsOf = (text: string): unknown => {
  const parsed = parseLatencyPredictorConfig({ LATENCY_PREDICTOR_PRIORS: text });
  return parsed.ok ? Object.fromEntries(parsed.config.priors) : parsed.errors;
};

describe('parseLatencyPredictorConfig', () => {
  it('needs nothing', () => {
    expect(parseLatencyPredictorConfig({})).toEqual({
      ok: true,
      config: {
        natsServers: ['nats://127.0.0.1:4222'],
        redisUrl: 'redis://127.0.0.1:6379',
        host: '127.0.0.1',
        tokens: { token: null, tokenFile: null, readToken: null },
        adminPort: 8085,
        logLevel: 'info',
        priors: new Map(),
        chunkTokens: 8192,
      },
    });
  });

  it('takes priors as a list and as JSON', () => {
    const expected = { h100: 'llama-3.1-8b-h100', 'chat/big': 'qwen3-32b-tp2-h100' };
    expect(priorsOf('h100=llama-3.1-8b-h100, chat/big=qwen3-32b-tp2-h100')).toEqual(expected);
    expect(priorsOf(JSON.stringify(expected))).toEqual(expected);
  });

  it.each(['h100', '{"h100"', 'h100=fast', '{"h100": 3}', '=default', 'a=b=c'])('refuses the priors %s', (text) => {
    expect(priorsOf(text)).toEqual([expect.stringContaining('LATENCY_PREDICTOR_PRIORS')]);
  });

  it('reports every error at once', () => {
    const parsed = parseLatencyPredictorConfig({
      LATENCY_PREDICTOR_ADMIN_PORT: '99999',
      LATENCY_PREDICTOR_CHUNK_TOKENS: 'many',
      LATENCY_PREDICTOR_PRIORS: 'h100=fast',
      LATENCY_PREDICTOR_PRIOR: 'h100=default',
    });
    expect(parsed.ok).toBe(false);
    expect(parsed.ok ? [] : parsed.errors).toHaveLength(4);
  });
});
