import { StoreUnavailable } from './store.ts';
import type { MapChanges, Store, StoreState } from './store.ts';

/** A store that lives as long as the process. Values are copied in and out. */
export function createMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly durable = false;
  readonly #values = new Map<string, Uint8Array>();
  readonly #maps = new Map<string, Map<string, Uint8Array>>();
  readonly #listeners = new Set<(state: StoreState) => void>();
  #open = true;

  state(): StoreState {
    return this.#open ? 'connected' : 'disconnected';
  }

  onState(listener: (state: StoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async get(key: string): Promise<Uint8Array | null> {
    this.#check();
    return this.#values.get(key)?.slice() ?? null;
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    this.#check();
    this.#values.set(key, value.slice());
  }

  async replace(key: string, expected: Uint8Array | null, value: Uint8Array): Promise<boolean> {
    this.#check();
    const held = this.#values.get(key) ?? null;
    const isExpected = held === null || expected === null ? held === expected : Buffer.compare(held, expected) === 0;
    if (isExpected) this.#values.set(key, value.slice());
    return isExpected;
  }

  async delete(...keys: string[]): Promise<void> {
    this.#check();
    for (const key of keys) {
      this.#values.delete(key);
      this.#maps.delete(key);
    }
  }

  async *readMap(key: string): AsyncGenerator<[string, Uint8Array]> {
    this.#check();
    for (const [field, value] of this.#maps.get(key) ?? []) yield [field, value.slice()];
  }

  async writeMap(key: string, changes: MapChanges): Promise<void> {
    this.#check();
    const map = this.#maps.get(key) ?? new Map<string, Uint8Array>();
    for (const field of changes.remove ?? []) map.delete(field);
    for (const [field, value] of changes.set ?? []) map.set(field, value.slice());
    if (map.size > 0) this.#maps.set(key, map);
    else this.#maps.delete(key);
  }

  async keys(prefix: string): Promise<string[]> {
    this.#check();
    return [...this.#values.keys(), ...this.#maps.keys()].filter((key) => key.startsWith(prefix));
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    for (const listener of this.#listeners) listener('disconnected');
  }

  #check(): void {
    if (!this.#open) throw new StoreUnavailable('the store is closed');
  }
}
