import { describe, expect, it } from '@jest/globals';
import { SIMULATED_POLICY_IDS } from '@sluice/routing';
import { numberList, parseArrivals, parseEngines, parseKills, parsePolicies, parseRouters } from './option-parsers.ts';

describe('options of simulate', () => {
  it('engines: a number, or kinds of engines', () => {
    expect(parseEngines('8')).toEqual([{ count: 8, profile: null, speed: 1 }]);
    expect(parseEngines('4xqwen3-32b-tp2-h100, 2xllama-3.1-8b-h100@0.5,1@2')).toEqual([
      { count: 4, profile: 'qwen3-32b-tp2-h100', speed: 1 },
      { count: 2, profile: 'llama-3.1-8b-h100', speed: 0.5 },
      { count: 1, profile: null, speed: 2 },
    ]);
  });

  it.each([
    ['0', /number of engines is a whole number from 1/],
    ['', /'' is not COUNT\[xPROFILE\]\[@SPEED\]/],
    ['4 x 8b', /is not COUNT/],
    ['4xabacus', /unknown profile 'abacus'; known are .*qwen3-32b-tp2-h100/],
    ['4@0', /speed of engines is a number from 0.01/],
    ['4@1.2.3', /speed of engines/],
    ['9999,9999', /19998 engines are more than 10000/],
  ])('engines: refuses %j', (text, message) => {
    expect(() => parseEngines(text)).toThrow(message);
  });

  it('policies: a list, or all', () => {
    expect(parsePolicies('all')).toEqual(SIMULATED_POLICY_IDS);
    expect(parsePolicies('oracle, p2c')).toEqual(['oracle', 'p2c']);
    expect(() => parsePolicies('fastest')).toThrow(/unknown policy 'fastest'/);
  });

  it('loads: a list from low to high', () => {
    expect(numberList('--qps', 0.1, 100)('8, 2,4.5')).toEqual([2, 4.5, 8]);
    expect(() => numberList('--qps', 0.1, 100)('2,2')).toThrow(/--qps names a number twice/);
    expect(() => numberList('--qps', 0.1, 100)('2,,3')).toThrow(/--qps is a number from 0.1 to 100/);
    expect(() => numberList('--qps', 0.1, 100)('0')).toThrow(/--qps is a number from/);
  });

  it('arrivals: poisson, or gamma with a coefficient of variation', () => {
    expect([parseArrivals('poisson'), parseArrivals('gamma:3'), parseArrivals('gamma:0.5')]).toEqual([1, 3, 0.5]);
    for (const bad of ['gamma', 'gamma:-1', 'gamma:x', 'weibull:2', '']) expect(() => parseArrivals(bad)).toThrow();
  });

  it('routers: how many, and whether they share what they know', () => {
    expect(parseRouters('3')).toEqual({ count: 3, shared: 'ledgers' });
    expect(parseRouters('3:shared')).toEqual({ count: 3, shared: 'ledgers' });
    expect(parseRouters('2:alone')).toEqual({ count: 2, shared: 'none' });
    for (const bad of ['0', 'two', '3:none', '3:']) expect(() => parseRouters(bad)).toThrow();
  });

  it('deaths: in order of time, with returns', () => {
    expect(parseKills('3@200, 0@120-180.5')).toEqual([
      { engine: 0, kind: 'kill', atMs: 120_000 },
      { engine: 0, kind: 'return', atMs: 180_500 },
      { engine: 3, kind: 'kill', atMs: 200_000 },
    ]);
    expect(parseKills('0@10-20,0@20-30')).toHaveLength(4);
  });

  it.each([
    ['3', /'3' is not ENGINE@SECOND/],
    ['3@', /is not ENGINE@SECOND/],
    ['3@20-10', /comes back after it died/],
    ['3@20,3@30', /engine 3 dies twice/],
    ['3@20-40,3@30-50', /engine 3 dies twice/],
  ])('deaths: refuses %j', (text, message) => {
    expect(() => parseKills(text)).toThrow(message);
  });
});
