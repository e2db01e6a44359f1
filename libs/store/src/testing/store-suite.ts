import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailable } from '../store.ts';
import type { Store } from '../store.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
/** Plain copies, since a store may hand out a subclass of Uint8Array. */
const plain = (value: Uint8Array | null): number[] | null => (value === null ? null : [...value]);

async function mapOf(store: Store, key: string): Promise<Record<string, number[]>> {
  const fields: [string, number[]][] = [];
  for await (const [field, value] of store.readMap(key)) fields.push([field, [...value]]);
  expect(new Set(fields.map(([field]) => field)).size).toBe(fields.length);
  return Object.fromEntries(fields);
}

/** What every {@link Store} does. `factory` gives a store that holds nothing. */
export function storeSuite(name: string, factory: () => Promise<Store>): void {
  describe(`store: ${name}`, () => {
    let store: Store;
    beforeEach(async () => {
      store = await factory();
    });
    afterEach(() => store.close());

    it('keeps bytes as they are', async () => {
      expect(store.state()).toBe('connected');
      expect(await store.get('a')).toBeNull();
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      await store.set('a', all);
      await store.set('empty', bytes());
      await store.set('view', all.subarray(10, 13));
      expect(plain(await store.get('a'))).toEqual([...all]);
      expect(plain(await store.get('empty'))).toEqual([]);
      expect(plain(await store.get('view'))).toEqual([10, 11, 12]);
      await store.set('a', bytes(1));
      expect(plain(await store.get('a'))).toEqual([1]);
    });

    it('is not changed through what was given to it or got from it', async () => {
      const value = bytes(1, 2);
      await store.set('a', value);
      value[0] = 9;
      const got = await store.get('a');
      got![1] = 9;
      expect(plain(await store.get('a'))).toEqual([1, 2]);
    });

    it('replaces a value that is what is expected, and no other', async () => {
      expect(await store.replace('a', bytes(1), bytes(2))).toBe(false);
      expect(await store.get('a')).toBeNull();
      expect(await store.replace('a', null, bytes(0, 255))).toBe(true);
      expect(await store.replace('a', null, bytes(3))).toBe(false);
      expect(await store.replace('a', bytes(0, 254), bytes(3))).toBe(false);
      expect(await store.replace('a', bytes(0, 255), bytes(3))).toBe(true);
      const raced = await Promise.all([4, 5, 6].map((next) => store.replace('a', bytes(3), bytes(next))));
      expect(raced.filter(Boolean)).toHaveLength(1);
      expect(plain(await store.get('a'))).toEqual([4 + raced.indexOf(true)]);
    });

    it('deletes values and maps, and nothing that is not there', async () => {
      await store.set('a', bytes(1));
      await store.set('b', bytes(2));
      await store.writeMap('m', { set: [['f', bytes(3)]] });
      await store.delete('a', 'm', 'missing');
      await store.delete();
      expect(await store.get('a')).toBeNull();
      expect(plain(await store.get('b'))).toEqual([2]);
      expect(await mapOf(store, 'm')).toEqual({});
    });

    it('writes and reads maps', async () => {
      expect(await mapOf(store, 'm')).toEqual({});
      await store.writeMap('m', {
        set: [
          ['a', bytes(1)],
          ['b', bytes(2)],
          ['ключ 🔑', bytes(0, 255)],
        ],
      });
      await store.writeMap('m', { set: new Map([['c', bytes(4)]]), remove: new Set(['a', 'missing']) });
      expect(await mapOf(store, 'm')).toEqual({ b: [2], c: [4], 'ключ 🔑': [0, 255] });
    });

    it('removes before it sets', async () => {
      await store.writeMap('m', { set: [['a', bytes(1)]] });
      await store.writeMap('m', { set: [['a', bytes(2)]], remove: ['a'] });
      expect(await mapOf(store, 'm')).toEqual({ a: [2] });
      await store.writeMap('m', { remove: ['a'] });
      expect(await store.keys('')).toEqual([]);
      await store.writeMap('m', {});
    });

    it('takes large changes in one piece', async () => {
      const set = Array.from({ length: 5000 }, (_, i) => [`field-${i}`, new Uint8Array(600).fill(i % 251)] as const);
      await store.writeMap('large', { set });
      await store.writeMap('large', { remove: set.slice(0, 2000).map(([field]) => field) });
      const read = await mapOf(store, 'large');
      expect(Object.keys(read)).toHaveLength(3000);
      expect(read['field-4999']).toEqual(Array.from({ length: 600 }, () => 4999 % 251));
    });

    it('lists the keys under a prefix, with characters that patterns know', async () => {
      await store.set('x:1', bytes(1));
      await store.writeMap('x:2', { set: [['f', bytes(1)]] });
      await store.set('y:1', bytes(1));
      await store.set('x*[1]?', bytes(1));
      expect((await store.keys('x:')).sort()).toEqual(['x:1', 'x:2']);
      expect(await store.keys('x*[')).toEqual(['x*[1]?']);
      expect(await store.keys('z')).toEqual([]);
      expect(await store.keys('')).toHaveLength(4);
    });

    it('is unavailable once it is closed', async () => {
      const states: string[] = [];
      store.onState((state) => states.push(state));
      await store.close();
      await store.close();
      expect(store.state()).toBe('disconnected');
      expect(states).toEqual(['disconnected']);
      await expect(store.get('a')).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.set('a', bytes(1))).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.replace('a', null, bytes(1))).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.writeMap('m', { set: [['f', bytes(1)]] })).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(mapOf(store, 'm')).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.keys('')).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(store.delete('a')).rejects.toBeInstanceOf(StoreUnavailable);
    });
  });
}
