import type { FleetChange, TwinOptions } from './api.ts';

/** @throws RangeError naming the first option that makes no sense. */
export function checkOptions(options: TwinOptions): void {
  const { engines, failures = [], routers, jitter, pollMs, sampleMs, lostEventShare } = options;
  if (engines.length === 0) throw new RangeError('a twin needs at least one engine');
  check('pollMs', pollMs, (value) => value > 0, 'above 0');
  check('sampleMs', sampleMs, (value) => value > 0, 'above 0');
  check('lostEventShare', lostEventShare, (value) => value >= 0 && value <= 1, 'from 0 to 1');
  for (const name of ['eventLagMs', 'routerLagMs', 'failureDetectMs', 'resyncMs'] as const) {
    check(name, options[name], (value) => value >= 0, '0 or more');
  }
  check('routers.shareLagMs', routers?.shareLagMs, (value) => value >= 0, '0 or more');
  check('routers.count', routers?.count, (value) => Number.isInteger(value) && value > 0, 'a whole number above 0');
  check('jitter.sigma', jitter?.sigma, (value) => value >= 0, '0 or more');
  for (const { joinsMs } of engines) check('joinsMs', joinsMs, (value) => value >= 0, '0 or more');
  checkFailures(failures, options);
}

function check(name: string, value: number | undefined, isRight: (value: number) => boolean, what: string): void {
  if (value === undefined || (isRight(value) && value < Infinity)) return;
  throw new RangeError(`${name} must be ${what}, got ${value}`);
}

/** Engines die while they are there, and come back when they are not. */
function checkFailures(failures: readonly FleetChange[], { engines }: TwinOptions): void {
  const sinceMs = engines.map(({ joinsMs }) => joinsMs ?? -Infinity);
  const isThere = engines.map(() => true);
  let lastMs = -Infinity;
  for (const { atMs, engine, kind } of failures) {
    if (sinceMs[engine] === undefined) throw new RangeError(`failures name engine ${engine} of ${engines.length}`);
    if (!(atMs >= lastMs && atMs < Infinity)) throw new RangeError(`failures are not in order of time at ${atMs} ms`);
    if (isThere[engine] !== (kind === 'kill') || atMs < sinceMs[engine]) {
      throw new RangeError(`engine ${engine} cannot ${kind === 'kill' ? 'die' : 'return'} at ${atMs} ms`);
    }
    isThere[engine] = kind === 'return';
    lastMs = atMs;
  }
}
