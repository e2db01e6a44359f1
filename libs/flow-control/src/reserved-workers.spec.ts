import { describe, expect, it } from '@jest/globals';
import { countUp } from '@sluice/model';
import type { FleetColumns } from '@sluice/model';
import { seededRng } from '@sluice/numerics';
import { ReservedWorkers, workersFor } from './reserved-workers.ts';

/** Erlang's loss formula as textbooks write it: share of arrivals that find all workers busy. */
function lossOf(load: number, workers: number): number {
  let [term, sum] = [1, 1];
  for (let n = 1; n <= workers; n++) {
    term *= load / n;
    sum += term;
  }
  return term / sum;
}

const columnsOf = (names: readonly string[], up: readonly number[]): FleetColumns =>
  ({ size: names.length, ids: names, up: Uint8Array.from(up) }) as unknown as FleetColumns;
const hiddenOf = (names: readonly string[], up: readonly number[], count: number): string[] => {
  const columns = columnsOf(names, up);
  const reserved = new ReservedWorkers();
  reserved.hide(columns, count);
  const hidden = names.filter((_, row) => up[row] === 1 && columns.up[row] === 0);
  reserved.putBack();
  expect([...columns.up]).toEqual(up);
  return hidden;
};

describe('workers for a load', () => {
  it('are the fewest that are all busy as seldom as asked for', () => {
    const rng = seededRng(1);
    for (let i = 0; i < 300; i++) {
      const load = 20 * rng() ** 3;
      const loss = 0.001 + 0.2 * rng();
      const workers = workersFor(load, loss);
      expect(lossOf(load, workers)).toBeLessThanOrEqual(loss);
      expect(workers === 1 || lossOf(load, workers - 1) > loss).toBe(true);
    }
  });

  it('are one at least', () => {
    expect([0, 1e-9, 0.01].map((load) => workersFor(load, 0.01))).toEqual([1, 1, 1]);
  });
});

describe('reserved workers', () => {
  it('are the first that are up by name, in whatever rows, but never the last one', () => {
    expect(hiddenOf(['c', 'a', 'd', 'b'], [1, 1, 1, 1], 2).sort()).toEqual(['a', 'b']);
    expect(hiddenOf(['c', 'a', 'd', 'b'], [1, 0, 1, 1], 2).sort()).toEqual(['b', 'c']);
    expect(hiddenOf(['c', 'a', 'd', 'b'], [1, 1, 1, 1], 9).sort()).toEqual(['a', 'b', 'c']);
    expect(hiddenOf(['c', 'a', 'd', 'b'], [0, 0, 1, 0], 1)).toEqual([]);
    expect(hiddenOf([], [], 1)).toEqual([]);
  });

  it('follow the fleet when workers come, go and change their rows', () => {
    const reserved = new ReservedWorkers();
    const first = (names: readonly string[]): string => {
      const columns = columnsOf(
        names,
        names.map(() => 1),
      );
      reserved.hide(columns, 1);
      const row = columns.up.indexOf(0);
      reserved.putBack();
      expect(countUp(columns)).toBe(names.length);
      return names[row]!;
    };
    expect(['b,c', 'b,c,a', 'c,a', 'a,c', 'd,c'].map((names) => first(names.split(',')))).toEqual([
      'b',
      'a',
      'a',
      'a',
      'c',
    ]);
  });
});
