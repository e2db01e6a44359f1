import { exchange } from './exchange.ts';

/** Who is behind a ZeroMQ address. */
export type ZmqPeer =
  | { readonly kind: 'unreachable'; readonly reason: string }
  /** Something listens that is not ZeroMQ. */
  | { readonly kind: 'stranger' }
  /** Its socket type, `PUB` or `ROUTER` as it names it; null when it did not say. */
  | { readonly kind: 'zmq'; readonly socketType: string | null };

const GREETING_BYTES = 64;
/** ZMTP 3.0 (rfc.zeromq.org/spec/23): signature, version, mechanism NULL, no server, filler. */
const GREETING = Buffer.concat([
  Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]),
  Buffer.from('NULL'.padEnd(20, '\0'), 'latin1'),
  Buffer.alloc(32),
]);

/** Host and port of a `tcp://` address that can be connected to, else null. */
export function tcpAddress(endpoint: string): { host: string; port: number } | null {
  const found = /^tcp:\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(endpoint);
  if (found === null) return null;
  return { host: found[1] ?? found[2]!, port: Number(found[3]) };
}

/**
 * Asks a listening ZeroMQ socket what it is: peers tell their type in the greeting that opens every connection, before
 * they check whether the other's fits.
 */
export async function askZmqPeer(address: { host: string; port: number }, timeoutMs: number): Promise<ZmqPeer> {
  let greeted = false;
  const answer = await exchange(
    { ...address, tls: false },
    (heard, say) => {
      if (!greeted) say(GREETING);
      greeted = true;
      return isStranger(heard) || socketTypeIn(heard) !== null;
    },
    timeoutMs,
  );
  if (answer.kind === 'unreachable') return answer;
  if (answer.bytes.length === 0 || isStranger(answer.bytes)) return { kind: 'stranger' };
  return { kind: 'zmq', socketType: socketTypeIn(answer.bytes) };
}

const isStranger = (heard: Buffer): boolean =>
  (heard.length > 0 && heard[0] !== 0xff) || (heard.length > 9 && (heard[9]! & 1) === 0);

/** The type in the READY command behind the greeting: `Socket-Type`, four bytes of length, the name. */
function socketTypeIn(heard: Buffer): string | null {
  const key = 'Socket-Type';
  const at = heard.indexOf(key, GREETING_BYTES, 'latin1');
  if (at < 0 || heard.length < at + key.length + 4) return null;
  const start = at + key.length + 4;
  const length = heard.readUInt32BE(at + key.length);
  return heard.length < start + length ? null : heard.toString('latin1', start, start + length);
}
