import { InvalidArgumentError } from 'commander';
import { PROFILE_IDS } from '@sluice/engine-model';
import type { ProfileId } from '@sluice/engine-model';
import { SIMULATED_POLICY_IDS } from '@sluice/routing';
import type { PolicyId } from '@sluice/routing';
import type { FleetChange, RoutersSetup } from '@sluice/twin';
import { idList, number } from '../arguments.ts';

/** Engines that are alike. */
export interface EngineGroup {
  readonly count: number;
  /** Null: that of --profile. */
  readonly profile: ProfileId | null;
  /** Times as fast as the profile. */
  readonly speed: number;
}

const MOST_ENGINES = 10_000;

const refuse = (message: string): never => {
  throw new InvalidArgumentError(message);
};

/** `all`, or a list of ids. */
export const parsePolicies = (text: string): readonly PolicyId[] =>
  text.trim() === 'all' ? SIMULATED_POLICY_IDS : idList('policy', SIMULATED_POLICY_IDS)(text);

/** Numbers with commas between, each within bounds and named once, from low to high. */
export const numberList =
  (what: string, min: number, max: number) =>
  (text: string): number[] => {
    const values = text.split(',').map((each) => number(what, min, max, false)(each));
    if (new Set(values).size < values.length) refuse(`${what} names a number twice.`);
    return values.sort((a, b) => a - b);
  };

const ENGINE_GROUP = /^(\d+)(?:x([a-z][\w.-]*))?(?:@([\d.]+))?$/;

/** `8`, or kinds of engines with commas between: `COUNT[xPROFILE][@SPEED]`. */
export function parseEngines(text: string): EngineGroup[] {
  const groups = text.split(',').map((part): EngineGroup => {
    const [, count, profile, speed] =
      ENGINE_GROUP.exec(part.trim()) ??
      refuse(`'${part}' is not COUNT[xPROFILE][@SPEED], such as 8 or 4xqwen3-32b-tp2-h100@0.5.`);
    const known = PROFILE_IDS.find((id) => id === profile);
    if (profile !== undefined && known === undefined) {
      refuse(`unknown profile '${profile}'; known are ${PROFILE_IDS.join(', ')}.`);
    }
    return {
      count: number('a number of engines', 1, MOST_ENGINES)(count!),
      profile: known ?? null,
      speed: speed === undefined ? 1 : number('the speed of engines', 0.01, 100, false)(speed),
    };
  });
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  return total <= MOST_ENGINES ? groups : refuse(`${total} engines are more than ${MOST_ENGINES}.`);
}

/** `poisson` or `gamma:CV`; returns the coefficient of variation. */
export function parseArrivals(text: string): number {
  if (text === 'poisson') return 1;
  const [, cv] = /^gamma:(.+)$/.exec(text) ?? refuse('arrivals are poisson, or gamma:CV such as gamma:3.');
  return number('the coefficient of variation', 0, 20, false)(cv!);
}

/** `N`, `N:shared` or `N:alone`. */
export function parseRouters(text: string): RoutersSetup {
  const [, count, mode] =
    /^(\d+)(?::(shared|alone))?$/.exec(text) ?? refuse('routers are N, N:shared or N:alone, such as 3:alone.');
  return { count: number('the number of routers', 1, 64)(count!), shared: mode === 'alone' ? 'none' : 'ledgers' };
}

/** `ENGINE@S` or `ENGINE@S-S`, with commas between: an engine dies at a second, and is back at another. In order of time. */
export function parseKills(text: string): FleetChange[] {
  const changes = text.split(',').flatMap((part): FleetChange[] => {
    const [, row, from, until] =
      /^(\d+)@([\d.]+)(?:-([\d.]+))?$/.exec(part.trim()) ??
      refuse(`'${part}' is not ENGINE@SECOND or ENGINE@SECOND-SECOND, such as 0@200-260.`);
    const engine = Number(row);
    const killMs = 1000 * number('the second of a death', 0, 1e7, false)(from!);
    if (until === undefined) return [{ engine, kind: 'kill', atMs: killMs }];
    const returnMs = 1000 * number('the second of a return', 0, 1e7, false)(until);
    if (!(returnMs > killMs)) refuse(`'${part}': an engine comes back after it died.`);
    return [
      { engine, kind: 'kill', atMs: killMs },
      { engine, kind: 'return', atMs: returnMs },
    ];
  });
  const inOrder = changes.sort((a, b) => a.atMs - b.atMs);
  const down = new Set<number>();
  for (const { engine, kind } of inOrder) {
    if (kind === 'kill' && down.has(engine)) refuse(`engine ${engine} dies twice without coming back.`);
    if (kind === 'kill') down.add(engine);
    else down.delete(engine);
  }
  return inOrder;
}
