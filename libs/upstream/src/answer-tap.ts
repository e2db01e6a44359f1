import type { EngineError, Usage } from './usage.ts';
import { FinishReasons } from './finish-reasons.ts';
import { errorOfJson, readUsage, parseJson, usageOfJson } from './usage.ts';

/** Told of tokens as they pass; the router's ledger is one. */
export interface TokenListener {
  /** The first content of the answer passed. */
  firstToken(): void;
  /** `count` further pieces of content passed (one event is one piece: a token, as a rule). */
  tokens(count: number): void;
}

const CR = 0x0d;
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const LF = 0x0a;
const BLANK_LF = Buffer.from('\n\n');
const BLANK_CR = Buffer.from('\r\r');
const BLANK_CRLF = Buffer.from('\r\n\r\n');
const LINE_END = /\r\n|\r|\n/;
const DATA = Buffer.from('data:');
const USAGE = Buffer.from('"usage"');
const ERROR = Buffer.from('"error"');
/** Keys whose non-empty string (or array, for tool calls) is content. Inside strings their quotes would be escaped. */
const CONTENT_KEYS = ['"content"', '"text"', '"arguments"', '"reasoning"', '"reasoning_content"', '"tool_calls"'].map(
  (key) => Buffer.from(key),
);
/** A usage object is far shorter; what is longer is not one. */
const MAX_USAGE_BYTES = 4096;

/** Offset behind the object that opens at `at`, or null when it does not end. No string in it may hold a brace. */
function endOfObject(bytes: Buffer, at: number): number | null {
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    if (bytes[i] === BRACE) depth++;
    else if (bytes[i] === BRACE_END && --depth === 0) return i + 1;
  }
  return null;
}

/** Offset of what follows at `at` or behind but spaces and a colon. */
function valueAt(bytes: Buffer, at: number): number {
  while (bytes[at] === COLON || bytes[at] === SPACE) at++;
  return at;
}

/**
 * Watches an answer pass by: when the first and the last content came, how much of it, the engine's usage and error.
 * It reads whole events (see SseFramer) or any pieces of a JSON body, keeps at most one event or 4 KiB, never delays.
 */
export class AnswerTap {
  /** Clock time of the first event with content, or null. Same clock as the `nowMs` that was passed in. */
  firstContentAtMs: number | null = null;
  lastContentAtMs: number | null = null;
  /** Events that carried content: output tokens as far as the engine writes one token per event. */
  contentEvents = 0;
  /** Whether `[DONE]` passed. */
  done = false;
  error: EngineError | null = null;

  readonly #listener: TokenListener | null;
  readonly #finish: FinishReasons | null;
  #usageEvent: Buffer | null = null;
  #usage: Usage | null = null;
  /** End of the previous piece of a JSON body: part of the key, or the usage object so far. */
  #carry: Buffer | null = null;
  #key: Buffer = CONTENT_KEYS[0]!;

  /** @param watchFinish also find why the engine stopped, which costs a search over every piece */
  constructor(listener: TokenListener | null, watchFinish = false) {
    this.#listener = listener;
    this.#finish = watchFinish ? new FinishReasons() : null;
  }

  /** Why the engine stopped, one for each choice; empty when that was not watched for. */
  get finishReasons(): readonly string[] {
    return this.#finish?.found ?? [];
  }

  /** The engine's own counts; null until they came. */
  get usage(): Usage | null {
    if (this.#usage === null && this.#usageEvent !== null) {
      this.#usage = usageOfJson(payloadOf(this.#usageEvent));
      this.#usageEvent = null;
    }
    return this.#usage;
  }

  /** `bytes` holds whole events. */
  events(bytes: Buffer, nowMs: number): void {
    this.#finish?.push(bytes);
    let content = 0;
    let start = 0;
    const separator = separatorOf(bytes);
    while (start < bytes.length) {
      const blank = bytes.indexOf(separator, start);
      const end = blank < 0 ? bytes.length : blank + separator.length;
      // One event per buffer is the rule; only a burst needs views of its parts.
      content += this.#event(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      start = end;
    }
    if (content === 0) return;
    this.contentEvents += content;
    this.lastContentAtMs = nowMs;
    if (this.firstContentAtMs === null) {
      this.firstContentAtMs = nowMs;
      this.#listener?.firstToken();
      content--;
    }
    if (content > 0) this.#listener?.tokens(content);
  }

  /** A piece of a JSON body; pieces may be cut anywhere. */
  json(piece: Buffer): void {
    this.#finish?.push(piece);
    let bytes = this.#carry === null ? piece : Buffer.concat([this.#carry, piece]);
    this.#carry = null;
    for (;;) {
      const at = bytes.indexOf(USAGE);
      if (at < 0) return this.#carryFrom(bytes, Math.max(0, bytes.length - USAGE.length + 1));
      const value = valueAt(bytes, at + USAGE.length);
      if (value === bytes.length) return this.#carryFrom(bytes, at);
      const end = bytes[value] === BRACE ? endOfObject(bytes, value) : value;
      if (end === null && bytes.length - value < MAX_USAGE_BYTES) return this.#carryFrom(bytes, at);
      if (end !== null && end > value) {
        this.#usage = readUsage(parseJson(bytes.toString('utf8', value, end))) ?? this.#usage;
      }
      bytes = bytes.subarray(end ?? value);
    }
  }

  /** A copy: a view would keep the whole piece in memory. */
  #carryFrom(bytes: Buffer, at: number): void {
    this.#carry = Buffer.from(bytes.subarray(at));
  }

  /** 1 when the event has content, else 0. */
  #event(event: Buffer): number {
    const data = event[0] === 0x64 ? 0 : event.indexOf(DATA);
    if (data < 0) return 0;
    const payload = event[data + 5] === SPACE ? data + 6 : data + 5;
    if (event[payload] === BRACKET) {
      this.done = true;
      return 0;
    }
    if (beginsWithError(event, payload)) {
      const error = errorOfJson(payloadOf(event));
      if (error !== null) {
        this.error = error;
        return 0;
      }
    }
    const usage = event.indexOf(USAGE, payload);
    if (usage >= 0 && event[valueAt(event, usage + USAGE.length)] === BRACE) {
      this.#usageEvent = event;
      this.#usage = null;
    }
    return this.#hasContent(event, payload) ? 1 : 0;
  }

  #hasContent(event: Buffer, from: number): boolean {
    // The key that matched last matches next: one search per event in the steady state.
    if (isContent(event, this.#key, from)) return true;
    for (const key of CONTENT_KEYS) {
      if (key !== this.#key && isContent(event, key, from)) {
        this.#key = key;
        return true;
      }
    }
    return false;
  }
}

/** What ends the last of whole events; a stream has one kind. */
function separatorOf(bytes: Buffer): Buffer {
  if (bytes[bytes.length - 1] === CR) return BLANK_CR;
  return bytes[bytes.length - 2] === CR ? BLANK_CRLF : BLANK_LF;
}

/** Whether the first member of the object at `at` is called error. */
function beginsWithError(bytes: Buffer, at: number): boolean {
  if (bytes[at] !== BRACE) return false;
  const key = valueAt(bytes, at + 1);
  for (let i = 0; i < ERROR.length; i++) if (bytes[key + i] !== ERROR[i]) return false;
  return true;
}

function isContent(event: Buffer, key: Buffer, from: number): boolean {
  const at = event.indexOf(key, from);
  if (at < 0) return false;
  const value = valueAt(event, at + key.length);
  if (event[value] === QUOTE) return event[value + 1] !== QUOTE;
  return event[value] === BRACKET && key.length === 12 && event[valueAt(event, value + 1)] !== BRACKET_END;
}

/** The data of an event: what follows `data:` in its lines. */
export function payloadOf(event: Buffer): string {
  return event
    .toString('utf8')
    .split(LINE_END)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(line[5] === ' ' ? 6 : 5))
    .join('\n');
}

/** Whether bytes that end a stream without a blank line can stand there: nothing but comments, or an event with all its data. */
export function isWhole(rest: Buffer): boolean {
  const payload = payloadOf(rest);
  if (payload !== '') return payload.trim() === '[DONE]' || parseJson(payload) !== undefined;
  return rest
    .toString('utf8')
    .split(LINE_END)
    .every((line) => line === '' || line.startsWith(':'));
}

/** The engine's error when `events` begins with an error event. */
export function leadingError(events: Buffer): EngineError | null {
  const at = events.indexOf(DATA);
  if (at < 0) return null;
  const payload = events[at + DATA.length] === SPACE ? at + 6 : at + 5;
  if (!beginsWithError(events, payload)) return null;
  let end = payload;
  while (end < events.length && events[end] !== LF && events[end] !== CR) end++;
  return errorOfJson(events.toString('utf8', payload, end));
}
