import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createKvEventPublisher } from '@sluice/engine-wire';
import { freePort, freePorts } from '@sluice/process';
import { askZmqPeer, tcpAddress } from './zmq-peer.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(talk: (socket: Socket) => void): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    talk(socket);
  });
  servers.push(server);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { host: '127.0.0.1', port };
}

describe('a listening ZeroMQ socket', () => {
  it('tells its type: publisher and replay socket as engines have them', async () => {
    const [events, replay] = await freePorts(2);
    const publisher = await createKvEventPublisher({
      ...{ endpoint: `tcp://127.0.0.1:${events}`, bind: true, replayEndpoint: `tcp://127.0.0.1:${replay}` },
      ...{ topic: '', bufferSteps: 10, highWaterMark: 10, onError: () => {} },
    });
    const types = await Promise.all(
      [events, replay].map((port) => askZmqPeer({ host: '127.0.0.1', port: port! }, 2000)),
    );
    expect(types).toEqual([
      { kind: 'zmq', socketType: 'PUB' },
      { kind: 'zmq', socketType: 'ROUTER' },
    ]);
    await publisher.close();
  });

  it('is told from other servers, those that say nothing and those that are not there', async () => {
    const http = await serve((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const silent = await serve(() => {});
    const closing = await serve((socket) => socket.destroy());
    expect(await askZmqPeer(http, 2000)).toEqual({ kind: 'stranger' });
    expect(await askZmqPeer(silent, 200)).toEqual({ kind: 'stranger' });
    expect(await askZmqPeer(closing, 2000)).toEqual({ kind: 'stranger' });
    const nobody = { host: '127.0.0.1', port: await freePort() };
    expect(await askZmqPeer(nobody, 2000)).toEqual({ kind: 'unreachable', reason: 'connection refused' });
  });
});

describe('addresses', () => {
  it.each([
    ['tcp://gpu-1:5557', { host: 'gpu-1', port: 5557 }],
    ['tcp://[::1]:5557', { host: '::1', port: 5557 }],
    ['ipc:///tmp/x', null],
  ])('%s', (endpoint, expected) => {
    expect(tcpAddress(endpoint)).toEqual(expected);
  });
});
