import { Dealer } from 'zeromq';

/** A batch as it was published: its sequence number and its payload. */
export type KvMessage = readonly [seq: bigint, payload: Uint8Array];

/** What an engine's replay socket answered. */
export interface KvReplay {
  /** In order, from `firstSeq` on. */
  readonly messages: readonly KvMessage[];
  /** Whether the end marker came: false when there is no replay socket or it fell silent. */
  readonly complete: boolean;
  /** The first batch is later than asked for: the engine no longer has what lies between. */
  readonly late: boolean;
}

export const NO_REPLAY: KvReplay = { messages: [], complete: false, late: false };

const END = 0xffff_ffff_ffff_ffffn;

/**
 * Asks an engine's replay ROUTER for every batch from `from` on. Understands `["", topic, seq, payload]` (vLLM since
 * 0.26) and `["", seq, payload]` (older, SGLang), and the end marker of both. Never rejects.
 *
 * @param silenceMs gives up when nothing came for so long: an engine that is not there answers nothing.
 */
export async function requestReplay(endpoint: string, from: bigint, silenceMs: number): Promise<KvReplay> {
  // one socket a request: a late answer to an earlier request cannot be taken for one to this
  const socket = new Dealer({ linger: 0, receiveHighWaterMark: 0, receiveTimeout: silenceMs, sendTimeout: silenceMs });
  const messages: KvMessage[] = [];
  const result = (complete: boolean): KvReplay => {
    const first = messages[0]?.[0];
    return { messages, complete, late: first !== undefined && first > from };
  };
  try {
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(from);
    socket.connect(endpoint);
    await socket.send(['', start]);
    for (;;) {
      const frames = await socket.receive();
      const seqFrame = frames.at(-2);
      const payload = frames.at(-1);
      if (seqFrame?.length !== 8 || payload === undefined) continue;
      const seq = seqFrame.readBigUInt64BE();
      if (seq === END) return result(true);
      messages.push([seq, payload]);
    }
  } catch {
    return result(false);
  } finally {
    socket.close();
  }
}
