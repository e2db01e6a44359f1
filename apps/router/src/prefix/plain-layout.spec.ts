import { describe, expect, it } from '@jest/globals';
import { plainLayout } from './plain-layout.ts';

const text = (json: Record<string, unknown>): string => Buffer.from(plainLayout(json)).toString();

describe('plainLayout', () => {
  it('lays requests out so that a longer conversation begins with the shorter one', () => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
    ];
    const longer = [...messages, { role: 'assistant', content: null, tool_calls: [{ id: '1' }] }];
    expect(text({ model: 'a', messages: longer, temperature: 1 }).startsWith(text({ messages }))).toBe(true);
    expect(text({ messages })).toBe('system: be brief\nuser: [{"type":"text","text":"hi"}]\n');
  });

  it('puts tools in front, and takes prompts and inputs as they are', () => {
    expect(text({ tools: [{ a: 1 }], messages: [] })).toBe('tools: [{"a":1}]\n');
    expect(text({ prompt: 'abc' })).toBe('abc');
    expect(text({ prompt: [1, 2] })).toBe('[1,2]');
    expect(text({ input: ['a', 'b'] })).toBe('["a","b"]');
  });

  it('survives what no engine would take', () => {
    expect(text({})).toBe('');
    expect(text({ messages: [null, 7, { role: 1 }, []] })).toContain('null');
  });
});
