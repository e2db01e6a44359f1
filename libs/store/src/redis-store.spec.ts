import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRedisStore, StoreUnavailable } from './index.ts';
import { findRedisServer, REDIS_SERVER_MISSING, startRedisServer } from './testing/redis-server.ts';
import type { RedisServer } from './testing/redis-server.ts';
import { storeSuite } from './testing/store-suite.ts';

const present = findRedisServer() !== null;
if (!present) process.stderr.write(`skipped: ${REDIS_SERVER_MISSING}\n`);
const withServer = present ? describe : describe.skip;

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await sleep(10);
  expect(condition()).toBe(true);
}

withServer('Redis', () => {
  let server: RedisServer;
  let prefixes = 0;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.kill());

  storeSuite('Redis', () => connectRedisStore({ url: server.url, keyPrefix: `suite[${prefixes++}]:` }));

  it('puts its prefix in front of every key', async () => {
    const store = await connectRedisStore({ url: server.url });
    await store.set('a', Uint8Array.of(1));
    await store.writeMap('m', { set: [['f', Uint8Array.of(1)]] });
    const redis = new Redis(server.url);
    expect(await redis.exists('sluice:v1:a', 'sluice:v1:m')).toBe(2);
    await redis.quit();
    await store.close();
  });

  it('changes a map all at once, as another client sees it', async () => {
    const [writer, reader] = [await connectRedisStore({ url: server.url }), new Redis(server.url)];
    const fields = Array.from({ length: 3000 }, (_, i) => `f${i}`);
    const sizes = new Set<number>();
    let writing = true;
    const watching = (async () => {
      while (writing) sizes.add(await reader.hlen('sluice:v1:atomic'));
    })();
    for (let round = 0; round < 5; round++) {
      await writer.writeMap('atomic', { set: fields.map((field) => [field, new Uint8Array(100)] as const) });
      await writer.writeMap('atomic', { remove: fields });
    }
    writing = false;
    await watching;
    for (const size of sizes) expect([0, fields.length]).toContain(size);
    await reader.quit();
    await writer.close();
  });

  it('starts without a server, says so once, and works once it is there', async () => {
    const late = await startRedisServer({ started: false });
    const warnings: string[] = [];
    const logger = { info: () => undefined, warn: (text: string) => void warnings.push(text) };
    const store = await connectRedisStore({ url: late.url, logger });
    const states: string[] = [];
    store.onState((state) => states.push(state));
    expect(store.state()).toBe('disconnected');
    await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable);
    await sleep(600);
    expect(warnings).toHaveLength(1);
    await late.start();
    await until(() => store.state() === 'connected');
    await store.set('a', Uint8Array.of(7));

    const pending = Promise.allSettled(Array.from({ length: 20 }, () => store.get('a')));
    await late.kill();
    for (const result of await pending) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(StoreUnavailable);
    }
    await until(() => store.state() === 'disconnected');
    await expect(store.writeMap('m', { set: [['f', Uint8Array.of(1)]] })).rejects.toBeInstanceOf(StoreUnavailable);
    await late.start();
    await until(() => store.state() === 'connected');
    expect(await store.get('a')).toBeNull();
    expect(states).toEqual(['connected', 'disconnected', 'connected']);
    await store.close();
    await late.kill();
  }, 30_000);

  it('does not hide an error that the server answers', async () => {
    const store = await connectRedisStore({ url: server.url });
    await store.set('a', Uint8Array.of(1));
    const wrongType = store.writeMap('a', { set: [['f', Uint8Array.of(1)]] });
    await expect(wrongType).rejects.toThrow(/WRONGTYPE/);
    await expect(wrongType).rejects.not.toBeInstanceOf(StoreUnavailable);
    await store.close();
  });
});
