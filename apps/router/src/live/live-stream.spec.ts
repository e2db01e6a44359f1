import { get as httpGet } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { LiveMessage, LiveRequest, LiveSnapshot, LiveTick } from '@sluice/contracts';
import { chatEvents, streamPieces, until } from '@sluice/upstream/testing';
import type { Behaviour } from '@sluice/upstream/testing';
import { chat, pool, send, worker } from '../testing/harness.ts';
import { serveRouter } from '../testing/served-router.ts';
import type { ServedRouter } from '../testing/served-router.ts';

/** A listener of its own connection, with all that it was told. */
class Listener {
  readonly messages: LiveMessage[] = [];
  readonly response: IncomingMessage;
  #text = '';
  ended = false;

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8').on('data', (piece: string) => {
      const events = (this.#text + piece).split('\n\n');
      this.#text = events.pop()!;
      for (const event of events)
        this.messages.push(JSON.parse(event.slice(event.indexOf('data: ') + 6)) as LiveMessage);
    });
    response.on('close', () => {
      this.ended = true;
    });
  }

  static join(url: string): Promise<Listener> {
    return new Promise((resolve, reject) => {
      httpGet(`${url}/live`, { agent: false }, (response) => resolve(new Listener(response))).on('error', reject);
    });
  }

  get snapshot(): LiveSnapshot {
    return this.messages[0] as LiveSnapshot;
  }
  get ticks(): LiveTick[] {
    return this.messages.filter((message): message is LiveTick => message.kind === 'tick');
  }

  /** What the messages so far say that a worker's number is. */
  value(column: LiveSnapshot['columns'][number], row: number): number {
    let value = NaN;
    for (const message of this.messages) {
      if (message.kind === 'snapshot') value = message.values[message.columns.indexOf(column)]![row]!;
      else {
        for (const [at, rows, values] of message.changes) {
          if (this.snapshot.columns[at] === column && rows.includes(row)) value = values[rows.indexOf(row)]!;
        }
      }
    }
    return value;
  }

  /** The latest that was told of a request. */
  request(id: string): LiveRequest | undefined {
    return this.messages.flatMap(({ requests }) => requests.filter((each) => each.id === id)).at(-1);
  }
}

let router: ServedRouter;

beforeEach(async () => {
  const behaviour: Behaviour = (_request, response) => streamPieces(response, chatEvents(['x', 'y']));
  router = await serveRouter(behaviour, { decisions: 3 }, { drainMs: 2000 });
});
afterEach(() => router.stop());

describe('GET /live', () => {
  it('tells everything at first, then what changes', async () => {
    const listener = await Listener.join(router.running.url);
    await until(() => listener.messages.length > 0, 'a snapshot');
    expect(listener.response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    });
    expect(listener.snapshot).toMatchObject({
      kind: 'snapshot',
      router: expect.stringMatching(/^[0-9a-f]{8}$/),
      workers: [{ worker: 'a', pool: 'tiny', role: 'both', url: router.engine.url }],
      totals: { policy: 'expected-latency', inFlight: 0, decisions: 0, busConnected: true },
      requests: [],
    });
    expect(listener.value('up', 0)).toBe(1);

    router.engine.load.waiting = 7;
    router.engine.load.kvUsage = 0.25;
    await until(() => listener.value('waitingRequests', 0) === 7, 'a change of load');
    expect(listener.value('kvUsage', 0)).toBe(0.25);
    // What stays is not told again: the two numbers that moved, and nothing else.
    expect(listener.ticks.flatMap(({ changes }) => changes.map(([at]) => listener.snapshot.columns[at]))).toEqual([
      'waitingRequests',
      'kvUsage',
    ]);
  });

  it('tells each request and its end, and who listens later learns it too', async () => {
    const listener = await Listener.join(router.running.url);
    const id = String(
      (await send(router.dataPlane, { body: chat('x', { stream: true }) })).headers['x-sluice-decision-id'],
    );
    await until(() => listener.request(id)?.outcome != null, 'the end of the request');
    const told = listener.request(id)!;
    expect(told).toMatchObject({ worker: 'a', pool: 'tiny', followedBy: null });
    expect(told.outcome).toMatchObject({ result: 'completed', status: 200, ttftMs: expect.any(Number) });
    expect(told).not.toHaveProperty('candidates');

    const later = await Listener.join(router.running.url);
    await until(() => later.messages.length > 0, 'a snapshot');
    expect(later.snapshot.requests).toEqual([told]);
    const all = later.snapshot.latency.find((each) => each.pool === '');
    expect(all!.windows[0]).toMatchObject({ completed: 1, failed: 0, ttftMs: expect.any(Array) });
  });

  it('says which requests left the log before they ended', async () => {
    const listener = await Listener.join(router.running.url);
    router.engine.behave((_request, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }));
    const open = send(router.dataPlane, { body: chat('slow', { stream: true }) });
    await until(() => listener.messages.some(({ requests }) => requests.length > 0), 'an open request');
    const slow = listener.messages.flatMap(({ requests }) => requests)[0]!;
    expect(slow.outcome).toBeNull();
    router.engine.behave((_request, response) => streamPieces(response, chatEvents(['x'])));
    for (let i = 0; i < 3; i++) await send(router.dataPlane, { body: chat(`x${i}`, { stream: true }) });
    await until(() => listener.ticks.some(({ forgotten }) => forgotten.includes(slow.id)), 'it to be forgotten');
    await router.engine.kill();
    await open;
  });

  it('begins anew when the fleet changes', async () => {
    const listener = await Listener.join(router.running.url);
    router.fleet.set({
      pools: [pool()],
      workers: [worker(router.engine), worker({ id: 'b', url: 'http://127.0.0.1:9' })],
    });
    const snapshots = () => listener.messages.filter((message): message is LiveSnapshot => message.kind === 'snapshot');
    await until(() => snapshots().length === 2, 'a second snapshot');
    expect(snapshots()[1]!.workers.map((each) => each.worker)).toEqual(['a', 'b']);
    await until(() => listener.messages.some(({ reasons }) => reasons.length > 0), 'why b is not up');
    expect(listener.value('state', 1)).toBe(0);
  });

  it('ends when the service stops, and has room for so many', async () => {
    const listeners = await Promise.all(Array.from({ length: 32 }, () => Listener.join(router.running.url)));
    const refused = await send(router.running.url, { method: 'GET', path: '/live' });
    expect([refused.status, refused.text]).toEqual([503, expect.stringContaining('too_many_listeners')]);
    listeners[0]!.response.destroy();
    await until(() => listeners[0]!.ended, 'the first to have left');
    const another = await Listener.join(router.running.url);
    expect(another.response.statusCode).toBe(200);
    await router.running.close();
    await until(() => listeners.every(({ ended }) => ended), 'all streams to end');
    // Ended, not cut off when the time to drain was over.
    expect(listeners.slice(1).map(({ response }) => response.complete)).not.toContain(false);
  });
});
