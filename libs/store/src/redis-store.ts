import { Redis } from 'ioredis';
import { StoreUnavailable } from './store.ts';
import type { MapChanges, Store, StoreState } from './store.ts';

export interface RedisStoreOptions {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url: string;
  /** In front of every key. Default `sluice:v1:`. */
  readonly keyPrefix?: string;
  readonly logger?: { info(message: string): void; warn(message: string): void };
  /** An operation that takes longer rejects with StoreUnavailable. Default 5000. */
  readonly commandTimeoutMs?: number;
}

const RECONNECT_MS = 250;
/** Fields and bytes of one HSET, so that no single command is huge. */
const CHUNK_FIELDS = 512;
const CHUNK_BYTES = 1 << 20;
const SCAN_COUNT = 512;
/** KEYS[1]; ARGV: whether a value is expected, that value, the new one. */
const REPLACE = `
local held = redis.call('GET', KEYS[1])
if ARGV[1] == '0' and held or ARGV[1] == '1' and held ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
return 1`;

/**
 * A store in Redis (6.2 or later, or a compatible server). Resolves at once when the server answers, and also when it
 * does not: then the state is `disconnected` and it keeps trying every 250 ms.
 */
export async function connectRedisStore(options: RedisStoreOptions): Promise<Store> {
  const redis = new Redis(options.url, {
    lazyConnect: true,
    enableAutoPipelining: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    // Disconnecting what never connected waits this long before it lets the process end.
    disconnectTimeout: 100,
    commandTimeout: options.commandTimeoutMs ?? 5000,
    retryStrategy: () => RECONNECT_MS,
  });
  const store = new RedisStore(redis, options);
  await redis.connect().catch(() => undefined);
  return store;
}

class RedisStore implements Store {
  readonly durable = true;
  readonly #redis: Redis;
  readonly #prefix: string;
  readonly #listeners = new Set<(state: StoreState) => void>();
  #state: StoreState = 'disconnected';
  #closed = false;

  constructor(redis: Redis, options: RedisStoreOptions) {
    this.#redis = redis;
    this.#prefix = options.keyPrefix ?? 'sluice:v1:';
    const { logger } = options;
    let lastError = '';
    redis.on('ready', () => {
      lastError = '';
      logger?.info('Redis connected');
      this.#setState('connected');
    });
    redis.on('close', () => this.#setState('disconnected'));
    redis.on('error', (error: Error) => {
      // One line per outage, not four a second.
      if (error.message !== lastError) logger?.warn(`Redis: ${error.message || String(error)}`);
      lastError = error.message;
    });
  }

  state(): StoreState {
    return this.#state;
  }

  onState(listener: (state: StoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#run(() => this.#redis.getBuffer(this.#prefix + key));
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#run(() => this.#redis.set(this.#prefix + key, asBuffer(value)));
  }

  async replace(key: string, expected: Uint8Array | null, value: Uint8Array): Promise<boolean> {
    const before = expected === null ? ['0', ''] : ['1', asBuffer(expected)];
    return (await this.#run(() => this.#redis.eval(REPLACE, 1, this.#prefix + key, ...before, asBuffer(value)))) === 1;
  }

  async delete(...keys: string[]): Promise<void> {
    if (keys.length === 0) return;
    await this.#run(() => this.#redis.unlink(...keys.map((key) => this.#prefix + key)));
  }

  async *readMap(key: string): AsyncGenerator<[string, Uint8Array]> {
    // HSCAN may return a field twice while the map is rehashed.
    const seen = new Set<string>();
    let cursor = '0';
    do {
      const [next, flat] = await this.#run(() =>
        this.#redis.hscanBuffer(this.#prefix + key, cursor, 'COUNT', SCAN_COUNT),
      );
      cursor = next.toString();
      for (let i = 0; i + 1 < flat.length; i += 2) {
        const field = flat[i]!.toString();
        if (seen.has(field)) continue;
        seen.add(field);
        yield [field, flat[i + 1]!];
      }
    } while (cursor !== '0');
  }

  async writeMap(key: string, changes: MapChanges): Promise<void> {
    const name = this.#prefix + key;
    const commands: (readonly [string, ...(string | Buffer)[]])[] = [];
    const removed = [...(changes.remove ?? [])];
    for (let i = 0; i < removed.length; i += CHUNK_FIELDS) {
      commands.push(['hdel', name, ...removed.slice(i, i + CHUNK_FIELDS)]);
    }
    let chunk: (string | Buffer)[] = [];
    let bytes = 0;
    for (const [field, value] of changes.set ?? []) {
      chunk.push(field, asBuffer(value));
      bytes += field.length + value.length;
      if (chunk.length >= 2 * CHUNK_FIELDS || bytes >= CHUNK_BYTES) {
        commands.push(['hset', name, ...chunk]);
        chunk = [];
        bytes = 0;
      }
    }
    if (chunk.length > 0) commands.push(['hset', name, ...chunk]);
    if (commands.length === 0) return;
    await this.#run(async () => {
      const results = await this.#redis.multi(commands.map((command) => [...command])).exec();
      for (const [error] of results ?? []) if (error) throw error;
    });
  }

  async keys(prefix: string): Promise<string[]> {
    const found = new Set<string>();
    const pattern = escapeGlob(this.#prefix + prefix) + '*';
    let cursor = '0';
    do {
      const [next, keys] = await this.#run(() => this.#redis.scan(cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT));
      cursor = next;
      for (const key of keys) found.add(key.slice(this.#prefix.length));
    } while (cursor !== '0');
    return [...found];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const quit = this.#state === 'connected' && (await this.#redis.quit().catch(() => null)) !== null;
    if (!quit) this.#redis.disconnect();
    this.#setState('disconnected');
  }

  /** Connection failures of every kind become StoreUnavailable; an error that the server answered is a bug and stays. */
  async #run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#state !== 'connected') throw new StoreUnavailable('not connected to Redis');
    try {
      return await operation();
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') throw error;
      throw new StoreUnavailable(`Redis: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }

  #setState(state: StoreState): void {
    if (state === this.#state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const escapeGlob = (text: string): string => text.replace(/[*?[\]\\^]/g, '\\$&');
