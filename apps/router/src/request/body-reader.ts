import { JsonCursor } from '@sluice/prompt';
import { KnownValues } from './known-values.ts';

/** Below this, parsing whole is as fast. */
const LONG_BODY_BYTES = 16 * 1024;
/** Text of messages kept for bodies to come, over all pools. */
const MAX_KNOWN_BYTES = 32 * 1024 * 1024;

/** What `JSON.parse` makes of a body. @throws SyntaxError when it is not JSON. */
export const readWhole = (body: Buffer): unknown => JSON.parse(body.toString('utf8'));

/**
 * Reads the bodies of chats. Long ones are long because they repeat: system prompts, documents, the conversation so far.
 * Messages whose bytes came before are not parsed again; they are the same (frozen) objects as before.
 */
export class BodyReader {
  readonly #known: KnownValues;

  /** @param maxKnownBytes bound of the text of messages kept */
  constructor(maxKnownBytes = MAX_KNOWN_BYTES) {
    this.#known = new KnownValues(maxKnownBytes);
  }

  /** Equal to what {@link readWhole} gives. @throws SyntaxError when it does. */
  readChat(body: Buffer): unknown {
    if (body.length < LONG_BODY_BYTES) return readWhole(body);
    try {
      return this.#readByMessage(body) ?? readWhole(body);
    } catch {
      return readWhole(body); // says what is wrong with it in the words for the whole
    }
  }

  /** Null when there is no list of messages, or more than one. @throws SyntaxError when the body is not JSON. */
  #readByMessage(body: Buffer): unknown {
    const cursor = new JsonCursor(body);
    const messages: unknown[] = [];
    let start = -1;
    let end = -1;
    let lists = 0;
    cursor.members((key) => {
      if (key !== 'messages') return cursor.skip();
      lists++;
      start = cursor.start();
      if (cursor.peek() === '[') cursor.elements(() => messages.push(this.#message(body, cursor)));
      else cursor.skip();
      end = cursor.end;
    });
    if (lists !== 1 || messages.length === 0) return null;
    // Every message was parsed, and so is everything around them: together that is the whole body.
    const around = `${body.toString('utf8', 0, start)}[]${body.toString('utf8', end)}`;
    const json = JSON.parse(around) as Record<string, unknown>;
    json['messages'] = messages;
    return json;
  }

  #message(body: Buffer, cursor: JsonCursor): unknown {
    const start = cursor.start();
    const known = this.#known.find(body, start);
    if (known !== null) {
      cursor.jump(known.end);
      return known.value;
    }
    cursor.skip();
    const value: unknown = JSON.parse(body.toString('utf8', start, cursor.end));
    this.#known.parsed(body, start, cursor.end, value);
    return value;
  }
}
