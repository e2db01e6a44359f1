import { decodeKvBatch, openKvEventStream } from '@sluice/engine-wire';
import { type KvEventSource, rootKey, spanKey } from '@sluice/model';
import { loadPromptKit, type Vocabulary } from '@sluice/prompt';

/**
 * What an engine's own events say it holds, computed independently of the product's bridge and index: all events from the
 * replay socket, naive maps, one string per block. Only for full histories that start at sequence number 0.
 */
export async function referenceBlocks(source: KvEventSource, pool: string, tokenizer: string): Promise<Set<string>> {
  const { vocabulary } = await loadPromptKit(tokenizer);
  const stream = openKvEventStream({ source, onMessage: () => {}, onError: () => {} });
  try {
    const { messages, complete } = await stream.replay(0n);
    if (!complete) throw new Error(`the replay of ${source.replayEndpoint} does not reach back to the start`);
    return apply(
      messages.map(([, payload]) => payload),
      pool,
      vocabulary,
    );
  } finally {
    await stream.close();
  }
}

function apply(payloads: readonly Uint8Array[], pool: string, vocabulary: Vocabulary): Set<string> {
  const copies = new Map<bigint, { key: string; words: [number, number]; count: number }>();
  const out = new Uint32Array(2);
  const root = (lora: string | null, salt: string | null): [number, number] => {
    rootKey({ pool, lora, salt }, out);
    return [out[0]!, out[1]!];
  };
  for (const payload of payloads) {
    for (const event of decodeKvBatch(payload).events) {
      if (event.kind === 'cleared') copies.clear();
      else if (event.kind === 'removed') {
        for (const hash of event.hashes) {
          const held = copies.get(hash);
          if (held !== undefined && --held.count === 0) copies.delete(hash);
        }
      } else {
        let parent = event.parent === null ? root(event.loraName, event.cacheSalt) : copies.get(event.parent)?.words;
        if (parent === undefined) throw new Error(`block below a parent ${event.parent} that is not held`);
        event.hashes.forEach((hash, i) => {
          const ids = event.tokenIds.subarray(i * event.blockSize, (i + 1) * event.blockSize);
          const bytes = Buffer.concat([...ids].map((id) => vocabulary.tokenBytes(id)));
          spanKey(parent![0], parent![1], bytes, 0, bytes.length, out);
          const words: [number, number] = [out[0]!, out[1]!];
          const held = copies.get(hash) ?? { key: hex(words), words, count: 0 };
          held.count++;
          copies.set(hash, held);
          parent = words;
        });
      }
    }
  }
  return new Set([...copies.values()].map((held) => held.key));
}

const hex = ([hi, lo]: readonly [number, number]): string =>
  hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
