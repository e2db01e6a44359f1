import { hash } from 'node:crypto';

const encoder = new TextEncoder();
/** Fields of content parts that hold images, sound and files, as data or as an address. */
const MEDIA_FIELDS: ReadonlySet<string> = new Set(['url', 'data', 'file_data', 'image_url', 'video_url', 'audio_url']);
/** Longer ones are data. */
const LONGEST_ADDRESS = 2048;
/** An image is some thousand tokens to its engine, however many bytes it has: as many as so much text. */
const MEDIA_CHARS = 4096;

/**
 * Text of a request in a fixed order, for models whose tokenizer and chat template the router does not have (and for
 * requests that their template cannot render): tools first, then every message as `role: content`. It is not what the
 * engine tokenises, but two requests share a prefix of it where their prompts share one, which is all that the
 * approximate index needs. Images and the like stand in it by their hash, at the length of text of as many tokens.
 */
export function plainLayout(json: Readonly<Record<string, unknown>>): Uint8Array {
  const parts: string[] = [];
  if (json['tools'] !== undefined) parts.push('tools: ', asText(json['tools']), '\n');
  const { messages, prompt, input } = json;
  if (Array.isArray(messages)) for (const message of messages) pushMessage(message, parts);
  else if (prompt !== undefined) parts.push(asText(prompt));
  else if (input !== undefined) parts.push(asText(input));
  return encoder.encode(parts.join(''));
}

function pushMessage(message: unknown, parts: string[]): void {
  if (typeof message !== 'object' || message === null) {
    parts.push(asText(message), '\n');
    return;
  }
  const { role, content, ...rest } = message as Record<string, unknown>;
  parts.push(asText(role), ': ', asText(content));
  if (Object.keys(rest).length > 0) parts.push(' ', asText(rest));
  parts.push('\n');
}

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    return JSON.stringify(value, withoutMedia) ?? '';
  } catch (error) {
    // Nested too deeply to be written. It is parsed all the same: the engine will say what it thinks of it.
    if (error instanceof RangeError) return '';
    throw error;
  }
}

const withoutMedia = (field: string, value: unknown): unknown =>
  typeof value === 'string' && value.length > LONGEST_ADDRESS && MEDIA_FIELDS.has(field) ? standIn(value) : value;

function standIn(media: string): string {
  const digest = hash('sha256', media);
  return digest.repeat(MEDIA_CHARS / digest.length);
}
