import { afterAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { loadPromptKit, type Rendered } from './prompt-kit.ts';
import { folderWith, LLAMA31_DIR, QWEN3_DIR, removeFolders, SENTENCEPIECE } from './testing/models.ts';

const testdata = (file: string): string => readFileSync(new URL(`../testdata/${file}`, import.meta.url), 'utf8');
const text = (rendered: Rendered): string =>
  rendered.kind === 'rendered' ? Buffer.from(rendered.bytes).toString() : `unrenderable: ${rendered.reason}`;
const kitWith = (template: string, more: object = {}) =>
  folderWith({ 'tokenizer.json': SENTENCEPIECE, 'tokenizer_config.json': { chat_template: template }, ...more }).then(
    loadPromptKit,
  );
const HI = [{ role: 'user', content: 'Hi' }];

afterAll(removeFolders);

describe('renderChat', () => {
  const pairs = testdata('vllm-chats.jsonl')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { body: string; promptTokenIds: number[] });

  it('renders what a real engine tokenised, for every captured request', async () => {
    const kit = await loadPromptKit(QWEN3_DIR);
    expect(pairs.length).toBeGreaterThan(60);
    for (const { body, promptTokenIds } of pairs) {
      const [engine] = kit.renderCompletion(promptTokenIds);
      expect(text(kit.renderChat(JSON.parse(body), Buffer.from(body)))).toBe(text(engine!));
    }
  });

  it('needs the bytes of the body only for numbers and keys that parsing changes', async () => {
    const kit = await loadPromptKit(QWEN3_DIR);
    const body =
      '{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"b":1.0,"10":2}}}]}';
    expect(text(kit.renderChat(JSON.parse(body), Buffer.from(body)))).toContain('"parameters": {"b": 1.0, "10": 2}');
    expect(text(kit.renderChat(JSON.parse(body)))).toContain('"parameters": {"10": 2, "b": 1}');
  });

  it('leaves out the BOS that a template writes, and keeps the other special tokens', async () => {
    const kit = await loadPromptKit(LLAMA31_DIR);
    const messages = [
      { role: 'system', content: ' Be brief. ' },
      { role: 'user', content: 'e\u0301<|begin_of_text|>!' },
    ];
    expect(text(kit.renderChat({ messages }))).toBe(
      '<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>' +
        '<|start_header_id|>user<|end_header_id|>\n\ne\u0301!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
    );
  });

  it.each([
    [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }] }, /image_url/],
    [{ messages: HI, chat_template: 'mine' }, /its own chat template/],
    [{ messages: HI, chat_template_kwargs: { chat_template: 'mine' } }, /its own chat template/],
    [{ messages: HI, truncate_prompt_tokens: 5 }, /truncated/],
    [{ messages: HI, continue_final_message: true }, /add_generation_prompt/],
    [{ messages: [] }, /no messages/],
    [{ messages: 'x' }, /no messages/],
    [{ messages: [null] }, /no role/],
    [{ messages: [{ role: 'user', content: 5 }] }, /neither text nor an object/],
    [{ messages: [{ role: 'user', content: '\ud800' }] }, /lone surrogate/],
    [{ messages: [...HI, { role: 'assistant', tool_calls: [{ type: 'custom' }] }] }, /tool call/],
    [{ messages: HI, tools: [{ type: 'function' }] }, /a tool/],
    [{}, /no messages/],
    [null, /no object/],
    ['text', /no object/],
  ])('answers %j with a reason', async (body, reason) => {
    const kit = await loadPromptKit(QWEN3_DIR);
    const rendered = kit.renderChat(body);
    expect(rendered.kind).toBe('unrenderable');
    expect(text(rendered)).toMatch(reason);
  });

  it('says what the template refused, or why it cannot be used', async () => {
    const refusing = await kitWith("{{ raise_exception('roles must alternate') }}");
    expect(text(refusing.renderChat({ messages: HI }))).toBe('unrenderable: roles must alternate');
    const broken = await kitWith('{% for %}');
    expect(text(broken.renderChat({ messages: HI }))).toMatch(/^unrenderable: chat template: /);
    const none = await loadPromptKit(await folderWith({ 'tokenizer.json': SENTENCEPIECE }));
    expect(text(none.renderChat({ messages: HI }))).toBe('unrenderable: the model has no chat template');
    const coded = await kitWith('x', { 'config.json': { model_type: 'gpt_oss' } });
    expect(text(coded.renderChat({ messages: HI }))).toMatch(/gpt_oss/);
  });

  it('takes the template for tools when the model names one', async () => {
    const templates = [
      { name: 'default', template: 'plain' },
      { name: 'tool_use', template: '{{ tools | length }} tools' },
    ];
    const dir = await folderWith({
      'tokenizer.json': SENTENCEPIECE,
      'tokenizer_config.json': { chat_template: templates },
    });
    const kit = await loadPromptKit(dir);
    const tools = [{ type: 'function', function: { name: 'f' } }];
    expect(text(kit.renderChat({ messages: HI }))).toBe(' plain');
    expect(text(kit.renderChat({ messages: HI, tools }))).toBe(' 1 tools');
  });

  it('prefers a template file to the configuration, and gives templates the special tokens', async () => {
    const kit = await kitWith('from the configuration', {
      'chat_template.jinja': '{{ bos_token }}{{ eos_token }}{{ sep_token is defined }}',
      'special_tokens_map.json': { eos_token: { content: '</s>' }, bos_token: '<s>' },
    });
    expect(text(kit.renderChat({ messages: HI }))).toBe(' </s>False');
  });
});

describe('renderCompletion', () => {
  it('answers for a text, token ids and lists of either', async () => {
    const kit = await loadPromptKit(QWEN3_DIR);
    const all = (prompt: unknown) => kit.renderCompletion(prompt).map(text);
    expect(all('Cafe\u0301')).toEqual(['Café']);
    expect(all([9707, 1879])).toEqual(['Hello world']);
    expect(all(['a', 'b'])).toEqual(['a', 'b']);
    expect(all([[9707], [1879], 'c'])).toEqual(['Hello', ' world', 'c']);
    expect(all('')).toEqual(['']);
    for (const prompt of [undefined, null, {}, 5, [-1], [1.5]]) {
      expect(all(prompt)).toEqual(['unrenderable: the prompt is neither text nor token ids']);
    }
    expect(all([])).toEqual([]);
  });

  it('keeps what BOS, added tokens with white space and dummy spaces do to the text', async () => {
    const kit = await loadPromptKit(await folderWith({ 'tokenizer.json': SENTENCEPIECE }));
    expect(kit.renderCompletion('Hello wör"ld').map(text)).toEqual([' Hello wör"ld']);
    // a piece between added tokens gets a space of its own; <|go|> takes the white space behind it along
    expect(kit.renderCompletion('a<s>b<|go|> \n c').map(text)).toEqual([' a b<|go|> c']);
  });

  it('says which part of a tokenizer it does not know', async () => {
    const normalizer = { type: 'Precompiled', precompiled_charsmap: '' };
    const kit = await loadPromptKit(await folderWith({ 'tokenizer.json': { ...SENTENCEPIECE, normalizer } }));
    expect(kit.renderCompletion('x').map(text)).toEqual([
      "unrenderable: the tokenizer's normalizer Precompiled is not supported",
    ]);
    expect(kit.renderCompletion([3]).map(text)).toEqual([' Hello']);
  });
});
