import { byteOrderMarkLength, JsonCursor } from '@sluice/prompt';
import { KnownValues } from './known-values.ts';

/** Below this, parsing whole is as fast. */
const LONG_BODY_BYTES = 16 * 1024;

/** What `JSON.parse` makes of a body; a byte order mark in front is left out, as engines do. @throws SyntaxError when it is not JSON. */
export const readWhole = (body: Buffer): unknown => JSON.parse(body.toString('utf8', byteOrderMarkLength(body)));

/**
 * Reads the bodies of chats. Long ones are long because they repeat: system prompts, documents, the conversation so far.
 * Messages whose bytes came before are not parsed again; they are the same (frozen) objects as before. The rest is parsed in
 * one piece.
 */
export class BodyReader {
  readonly known: KnownValues;

  /** @param maxKnownBytes bound of the text of messages kept, over all pools; 0: every body is read whole */
  constructor(maxKnownBytes: number) {
    this.known = new KnownValues(maxKnownBytes);
  }

  /** Equal to what {@link readWhole} gives. @throws SyntaxError when it does. */
  readChat(body: Buffer): unknown {
    if (body.length < LONG_BODY_BYTES || this.known.maxBytes === 0) return readWhole(body);
    try {
      return this.#readByMessage(body) ?? readWhole(body);
    } catch {
      return readWhole(body); // says what is wrong with it in the words for the whole
    }
  }

  /** Null when there is more than one list of messages. @throws SyntaxError when the body is not JSON. */
  #readByMessage(body: Buffer): unknown {
    const cursor = new JsonCursor(body);
    const knownMessages: { readonly place: number; readonly value: unknown }[] = [];
    const longMessages: { readonly place: number; readonly start: number; readonly end: number }[] = [];
    let lists = 0;
    let text = '';
    let taken = 0;
    cursor.members((key) => {
      if (key === 'messages') lists++;
      if (key !== 'messages' || cursor.peek() !== '[') return cursor.skip();
      cursor.elements((place) => {
        const start = cursor.start();
        const known = this.known.find(body, start);
        if (known !== null) {
          // A value for a value: what is left is JSON just when the whole is.
          text += `${body.toString('utf8', taken, start)}0`;
          taken = known.end;
          cursor.jump(known.end);
          knownMessages.push({ place, value: known.value });
          return;
        }
        cursor.skip();
        const { end } = cursor;
        if (end - start >= KnownValues.MIN_BYTES) longMessages.push({ place, start, end });
      });
    });
    if (lists > 1) return null;
    const json = JSON.parse(text + body.toString('utf8', taken)) as { readonly messages: unknown[] };
    for (const { place, value } of knownMessages) json.messages[place] = value;
    for (const { place, start, end } of longMessages) this.known.parsed(body, start, end, json.messages[place]);
    return json;
  }
}
