export type StoreState = 'connected' | 'disconnected';

/** The store cannot be reached, or did not answer in time: try again later, the data is not lost by it. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/**
 * Durable bytes under string keys, and maps of bytes under a key. Every operation rejects with {@link StoreUnavailable}
 * while the store cannot be reached; nothing is queued for later.
 */
export interface Store {
  /** Whether what it holds outlives the process. */
  readonly durable: boolean;
  state(): StoreState;
  /** Calls `listener` on every change of {@link Store.state}; returns the function that ends it. */
  onState(listener: (state: StoreState) => void): () => void;
  get(key: string): Promise<Uint8Array | null>;
  set(key: string, value: Uint8Array): Promise<void>;
  /** Sets `key` if it holds `expected` (null: nothing), and returns whether it did. For values that several processes write. */
  replace(key: string, expected: Uint8Array | null, value: Uint8Array): Promise<boolean>;
  /** Removes values and maps; keys that are not there are no error. */
  delete(...keys: string[]): Promise<void>;
  /** Every field of a map, in no order; a field written meanwhile may be seen before or after the write. An absent map has no fields. */
  readMap(key: string): AsyncIterable<[field: string, value: Uint8Array]>;
  /** Applies `remove`, then `set`, all or nothing. */
  writeMap(key: string, changes: MapChanges): Promise<void>;
  /** Keys of values and maps that start with `prefix`, in no order. */
  keys(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

export interface MapChanges {
  readonly set?: Iterable<readonly [field: string, value: Uint8Array]>;
  readonly remove?: Iterable<string>;
}
