import { describe, expect, it } from '@jest/globals';
import { AnswerReader } from './answer-reader.ts';

const event = (body: object): string => `data: ${JSON.stringify(body)}\n\n`;
const delta = (fields: object): string => event({ choices: [{ delta: fields, finish_reason: null }] });
const USAGE = { prompt_tokens: 10, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } };

describe('answer reader', () => {
  it('takes the first text for the first token, not the role', () => {
    const reader = new AnswerReader();
    reader.push(delta({ role: 'assistant', content: '' }), 10);
    expect(reader.firstMs).toBeNull();
    reader.push(delta({ content: 'a' }), 20);
    reader.push(delta({ content: 'b' }), 30);
    reader.push(`${event({ choices: [], usage: USAGE })}data: [DONE]\n\n`, 31);
    expect([reader.firstMs, reader.lastMs, reader.end()]).toEqual([20, 31, { usage: USAGE, problem: null }]);
  });

  it.each([
    [{ reasoning_content: 'hm' }, 1],
    [{ tool_calls: [{ index: 0 }] }, 1],
    [{ content: null }, null],
  ])('counts %j as content: %j', (fields, firstMs) => {
    const reader = new AnswerReader();
    reader.push(delta(fields), 1);
    expect(reader.firstMs).toBe(firstMs);
  });

  it('puts events together that come in pieces, wherever they are cut', () => {
    const whole = `${delta({ role: 'assistant' })}${delta({ content: 'ä😀' })}${event({ choices: [], usage: USAGE })}data: [DONE]\n\n`;
    for (let cut = 1; cut < whole.length; cut++) {
      const reader = new AnswerReader();
      reader.push(whole.slice(0, cut), 1);
      reader.push(whole.slice(cut), 2);
      expect(reader.end()).toEqual({ usage: USAGE, problem: null });
      expect(reader.firstMs).not.toBeNull();
    }
  });

  it('keeps the usage of a long answer without keeping the answer', () => {
    const reader = new AnswerReader();
    for (let i = 0; i < 5000; i++) reader.push(delta({ content: 'word ' }), i);
    reader.push(`${event({ choices: [], usage: USAGE })}data: [DONE]\n\n`, 5000);
    expect([reader.firstMs, reader.end().usage]).toEqual([0, USAGE]);
  });

  it('tells an error event and a missing end', () => {
    const failed = new AnswerReader();
    failed.push(delta({ content: 'a' }) + event({ error: { message: 'engine died' } }), 1);
    expect(failed.end().problem).toBe('error in the stream: engine died');
    const cut = new AnswerReader();
    cut.push(delta({ content: 'a' }), 1);
    expect(cut.end()).toEqual({ usage: null, problem: 'stream without an end' });
  });
});
