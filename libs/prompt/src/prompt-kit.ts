import { realpath } from 'node:fs/promises';
import { createChatRenderer, type RequestBody } from './chat-renderer.ts';
import { readModelFiles } from './model-files.ts';
import { createTextRewriter, type TextRewriter } from './text-rewriter.ts';
import { Unrenderable } from './unrenderable.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A prompt as the bytes that its engine tokenises, or why they are not known. */
export type Rendered =
  | { readonly kind: 'rendered'; readonly bytes: Uint8Array }
  | { readonly kind: 'unrenderable'; readonly reason: string };

/** What turns the requests and KV events of one model into the same bytes. Nothing here throws. */
export interface PromptKit {
  readonly vocabulary: Vocabulary;
  /**
   * The prompt of a `/v1/chat/completions` request.
   * @param body The parsed JSON body.
   * @param source The bytes of the body. Without them, tools with numbers like `1.0` or keys like "10" may render
   *   differently from the engine's prompt: a parsed body does not have them as they were written.
   */
  renderChat(body: unknown, source?: Uint8Array): Rendered;
  /** The prompts of a `/v1/completions` request's `prompt`: a text, token ids, or a list of either; one answer for each. */
  renderCompletion(prompt: unknown): readonly Rendered[];
}

const kits = new Map<string, Promise<PromptKit>>();

/**
 * Loads the tokenizer folder `dir` of a model: `tokenizer.json`, `tokenizer_config.json` and the chat template. Kits are
 * shared: every call for the same folder in a process gets the same one; a failed load is tried again by the next call.
 * @throws Error that names the file and what is wrong with it.
 */
export async function loadPromptKit(dir: string): Promise<PromptKit> {
  const resolved = await realpath(dir);
  let kit = kits.get(resolved);
  if (kit === undefined) {
    kit = readPromptKit(resolved);
    kits.set(resolved, kit);
    kit.catch(() => kits.delete(resolved));
  }
  return kit;
}

async function readPromptKit(dir: string): Promise<PromptKit> {
  const { tokenizer, templates, specialTokens, chatProblem } = await readModelFiles(dir);
  const { vocabulary } = tokenizer;
  const rewriter = attempt(() => createTextRewriter(tokenizer));
  const chats = createChatRenderer(templates, specialTokens, () => new Date());

  const textBytes = (pieces: readonly string[]): Uint8Array => {
    const bytes = unwrap<TextRewriter>(rewriter).toBytes(pieces);
    if (bytes === null) throw new Unrenderable('the prompt has a lone surrogate');
    return bytes;
  };
  const idBytes = (ids: readonly number[]): Uint8Array => {
    const tokens = Uint32Array.from(ids);
    const bytes = new Uint8Array(vocabulary.spanLength(tokens, 0, tokens.length));
    vocabulary.copySpan(tokens, 0, tokens.length, bytes, 0);
    return bytes;
  };
  const promptBytes = (prompt: unknown): Uint8Array => {
    if (typeof prompt === 'string') return textBytes([prompt]);
    if (isTokenIds(prompt)) return idBytes(prompt);
    throw new Unrenderable('the prompt is neither text nor token ids');
  };

  return {
    vocabulary,
    renderChat: (body, source) =>
      rendered(() => {
        if (chatProblem !== null) throw new Unrenderable(chatProblem);
        if (typeof body !== 'object' || body === null) throw new Unrenderable('the body is no object');
        return textBytes(chats.render(body as RequestBody, source ?? null));
      }),
    renderCompletion: (prompt) => {
      const prompts = Array.isArray(prompt) && !isTokenIds(prompt) ? (prompt as unknown[]) : [prompt];
      return prompts.map((one) => rendered(() => promptBytes(one)));
    },
  };
}

const isTokenIds = (prompt: unknown): prompt is readonly number[] =>
  Array.isArray(prompt) && prompt.length > 0 && prompt.every((id) => Number.isInteger(id) && id >= 0 && id < 2 ** 32);

/** A template may fail in any way on a request; for the router that is one more prompt whose bytes it does not know. */
function rendered(bytes: () => Uint8Array): Rendered {
  try {
    return { kind: 'rendered', bytes: bytes() };
  } catch (error) {
    return { kind: 'unrenderable', reason: error instanceof Error ? error.message : String(error) };
  }
}

type Attempt<T> = { readonly value: T } | { readonly problem: string };

function attempt<T>(create: () => T): Attempt<T> {
  try {
    return { value: create() };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function unwrap<T>(attempted: Attempt<T>): T {
  if ('problem' in attempted) throw new Unrenderable(attempted.problem);
  return attempted.value;
}
