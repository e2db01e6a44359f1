import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { reasonOf } from '../../reason.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** What a server said until the talk was over, it hung up, or time was up (`done` false for the last two). */
export type Exchanged =
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'heard'; readonly bytes: Buffer; readonly done: boolean };

/**
 * Talks to a server that speaks no HTTP, on a connection of its own.
 * @param talk is called when connected and after every piece that came, with all that was heard so far; returns whether
 *   that is enough.
 */
export function exchange(
  { host, port, tls }: Address,
  talk: (heard: Buffer, say: (text: string | Uint8Array) => void) => boolean,
  timeoutMs: number,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    let connected = false;
    const socket: Socket = tls ? connectTls({ host, port, servername: host }) : connect({ host, port });
    const end = (result: Exchanged): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(() => {
      end(
        connected
          ? { kind: 'heard', bytes: heard, done: false }
          : { kind: 'unreachable', reason: `no answer within ${timeoutMs / 1000} s` },
      );
    }, timeoutMs);
    const step = (): void => {
      if (talk(heard, (text) => void socket.write(text))) end({ kind: 'heard', bytes: heard, done: true });
    };
    socket.on(tls ? 'secureConnect' : 'connect', () => {
      connected = true;
      step();
    });
    socket.on('data', (piece: Buffer) => {
      heard = Buffer.concat([heard, piece]);
      step();
    });
    socket.on('error', (error) => {
      end(
        connected
          ? { kind: 'heard', bytes: heard, done: false }
          : { kind: 'unreachable', reason: reasonOf(error, timeoutMs) },
      );
    });
    socket.on('close', () => end({ kind: 'heard', bytes: heard, done: false }));
  });
}
