const encoder = new TextEncoder();

/**
 * Text of a request in a fixed order, for models whose tokenizer and chat template the router does not have (and for
 * requests that their template cannot render): tools first, then every message as `role: content`. It is not what the
 * engine tokenises, but two requests share a prefix of it where their prompts share one, which is all that the
 * approximate index needs.
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
  if (Object.keys(rest).length > 0) parts.push(' ', JSON.stringify(rest));
  parts.push('\n');
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));
