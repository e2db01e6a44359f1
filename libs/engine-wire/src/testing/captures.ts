import { readFileSync } from 'node:fs';

const testdata = (name: string): string => readFileSync(new URL(`../../testdata/${name}`, import.meta.url), 'utf8');
const lines = <T>(name: string): T[] =>
  testdata(name)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);

export interface CapturedMessage {
  readonly capture: string;
  readonly step: string;
  /** Topic, sequence number, payload. */
  readonly frames: readonly Buffer[];
}

export interface CapturedReplay {
  readonly step: string;
  readonly socket: string;
  readonly sent: readonly Buffer[];
  readonly replies: readonly (readonly Buffer[])[];
}

const bytes = (hex: readonly string[]): Buffer[] => hex.map((text) => Buffer.from(text, 'hex'));

/** Every KV event message that was captured; `capture` filters. */
export function capturedMessages(capture?: string): CapturedMessage[] {
  return lines<{ capture: string; step: string; frames: string[] }>('kv-events.jsonl')
    .filter((line) => capture === undefined || line.capture === capture)
    .map((line) => ({ ...line, frames: bytes(line.frames) }));
}

export function capturedReplays(): CapturedReplay[] {
  return lines<{ step: string; socket: string; sent: string[]; replies: string[][] }>('replay.jsonl').map((line) => ({
    ...line,
    sent: bytes(line.sent),
    replies: line.replies.map(bytes),
  }));
}

/** A captured `/metrics` page. */
export const capturedMetrics = (name: 'metrics-dp2' | 'metrics-queued'): string => testdata(`${name}.txt`);
