import { describe, expect, it } from '@jest/globals';
import { PRIORS } from '@sluice/latency-model';
import { workerId } from '@sluice/model';
import { createFleetTable } from '@sluice/routing';
import { forecastTtft, missOf } from './ttft-forecast.ts';

function columnsOf(ttftMs: readonly number[], up: readonly boolean[]) {
  const table = createFleetTable();
  ttftMs.forEach((ms, row) => {
    table.addWorker(workerId(`w${row}`), PRIORS.default);
    table.setUp(row, up[row]!);
    table.columns.predictedTtftMs[row] = ms;
  });
  return table.columns;
}
const none = (): boolean => false;

describe('forecastTtft', () => {
  it('knows the chosen prediction and the least among those that could be chosen', () => {
    const columns = columnsOf([10, 50, 30, 20], [false, true, true, true]);
    expect(forecastTtft(columns, 1, none, 7)).toEqual({ atMs: 7, chosenMs: 50, leastMs: 20 });
    expect(forecastTtft(columns, 1, (row) => row === 3, 7)).toEqual({ atMs: 7, chosenMs: 50, leastMs: 30 });
    expect(forecastTtft(columns, 3, (row) => row === 3, 7)).toEqual({ atMs: 7, chosenMs: 20, leastMs: 20 });
  });
});

describe('missOf', () => {
  it('counts from the decision, held time included, and tells the error from the regret', () => {
    expect(missOf({ atMs: 1000, chosenMs: 50, leastMs: 20 }, 1065)).toEqual({ ttftErrorMs: 15, ttftRegretMs: 45 });
    expect(missOf({ atMs: 1000, chosenMs: 50, leastMs: 20 }, 1010)).toEqual({ ttftErrorMs: -40, ttftRegretMs: -10 });
  });

  it('says nothing without a prediction', () => {
    const forecast = forecastTtft(columnsOf([NaN, 5], [true, true]), 0, none, 0);
    expect(missOf(forecast, 9)).toEqual({ ttftErrorMs: null, ttftRegretMs: null });
  });
});
