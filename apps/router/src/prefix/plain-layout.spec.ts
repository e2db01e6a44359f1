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

  it('has images by their hash, at the length of text of as many tokens', () => {
    const image = (data: string, part = 'image_url'): string =>
      text({
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: `look: ${'x'.repeat(5000)}` },
              { type: part, [part]: { url: `data:image/png;base64,${data}` } },
            ],
          },
        ],
      });
    const [a, b] = [image('A'.repeat(3_000_000)), image(`${'A'.repeat(2_999_999)}B`)];
    expect(a).toBe(image('A'.repeat(3_000_000)));
    expect(a).not.toBe(b);
    expect(a.slice(0, 5000)).toBe(b.slice(0, 5000));
    expect([a.length, b.length].every((length) => length > 9000 && length < 9300)).toBe(true);
    expect(image('A')).toContain('data:image/png;base64,A');
    const sound = { type: 'input_audio', input_audio: { data: 'B'.repeat(10_000), format: 'wav' } };
    expect(text({ messages: [{ role: 'user', content: [sound] }] }).length).toBeLessThan(4300);
  });

  it('survives what no engine would take', () => {
    expect(text({})).toBe('');
    const nested = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;
    const messages = [
      { role: 'user', content: nested },
      { role: 'user', content: 'a', rest: nested },
    ];
    expect(text({ tools: nested, messages })).toBe('tools: \nuser: \nuser: a \n');
    expect(text({ messages: [null, 7, { role: 1 }, []] })).toContain('null');
  });
});
