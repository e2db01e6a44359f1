/** Limits, shares and rules of one pool's flow control. */
export interface FlowControlOptions {
  /** Most requests held at one time; 0 turns away whatever cannot go at once. */
  readonly maxRequests: number;
  /** Most body bytes held at one time. */
  readonly maxBytes: number;
  /** Priorities at which a band begins, any order. A request is in the highest band at or below its priority. */
  readonly bands: readonly number[];
  /** Share of a tenant relative to others of its band; tenants that are not named have 1. */
  readonly weights: Readonly<Record<string, number>>;
  /** Tenants told apart at one time; further ones share a flow named {@link OTHER_TENANTS}. */
  readonly maxTenants: number;
  /**
   * A worker takes a further request while its uncached tokens and those sent there but not yet prefilled are at most so
   * many: what an engine has queued is out of our hands, so a later, more urgent request would wait behind it.
   */
  readonly backlogTokens: number;
  /** Of `backlogTokens`, what a request may use that must leave room for others, see {@link reserveRequests}. */
  readonly backlogShare: number;
  /**
   * Requests of mean need that must stay free on a worker, in memory, for those who come next and are more urgent, or use
   * clearly less than their share: whoever fills a fleet leaves them room. Nothing stays free while there is nobody such.
   */
  readonly reserveRequests: number;
  /** Most of a worker's memory that stays free so. */
  readonly reserveShare: number;
  /** Instead of `growthShare`, for those who must leave room. */
  readonly reserveGrowthShare: number;
  /** For so long after a request of theirs room is kept for a tenant or a band. */
  readonly reserveMs: number;
  /**
   * Workers are kept for others while a tenant floods, as many as let so few of the others' requests find all of them
   * busy with a prompt, as a share, ...
   */
  readonly reserveLoss: number;
  /** ... but at most this share of the workers; for tenants of the same band at most theirs by weight. 0: none are kept. */
  readonly reserveWorkers: number;
  /** A tenant floods whose requests have been held for so long. */
  readonly floodMs: number;
  /** Share of the expected growth of what runs that must stay free (a search took 0.25; 0.1 prevents nearly as many preemptions and holds half as often). */
  readonly growthShare: number;
  /** A request with at most so many uncached tokens loses little when an engine preempts it, and so may go to a worker whose memory is full, ... */
  readonly cheapTokens: number;
  /** ... until so much of the memory is promised beyond what there is. */
  readonly overcommitShare: number;
  /** A request of a lower band that has waited for so long may go before higher ones, ... */
  readonly starvationMs: number;
  /** ... with one of so many dispatches of its line. */
  readonly yieldEvery: number;
  /** Tokens by which a tenant may lag behind the others' service and still make it up. */
  readonly creditTokens: number;
}

export const FLOW_CONTROL_DEFAULTS: FlowControlOptions = {
  maxRequests: 1024,
  maxBytes: 256 * 1024 * 1024,
  bands: [-1, 0, 1],
  weights: {},
  maxTenants: 1000,
  backlogTokens: 16_384,
  backlogShare: 0.125,
  reserveRequests: 32,
  reserveShare: 0.25,
  reserveGrowthShare: 1,
  reserveMs: 30_000,
  reserveLoss: 0.002,
  reserveWorkers: 0.75,
  floodMs: 1000,
  growthShare: 0.1,
  cheapTokens: 256,
  overcommitShare: 0.1,
  starvationMs: 10_000,
  yieldEvery: 16,
  creditTokens: 262_144,
};

export const OTHER_TENANTS = 'other';

/** @throws RangeError naming the first option that makes no sense. */
export function checkOptions(options: FlowControlOptions): void {
  const wholeNumbers = ['maxRequests', 'maxBytes', 'maxTenants', 'yieldEvery'] as const;
  for (const name of wholeNumbers) {
    const least = name === 'maxTenants' ? 1 : name === 'yieldEvery' ? 2 : 0;
    if (!(Number.isInteger(options[name]) && options[name] >= least)) {
      throw new RangeError(`${name} must be a whole number of at least ${least}, got ${options[name]}`);
    }
  }
  const notNegative = [
    'backlogTokens',
    'backlogShare',
    'reserveRequests',
    'reserveShare',
    'reserveGrowthShare',
    'reserveMs',
    'floodMs',
    'growthShare',
    'cheapTokens',
    'overcommitShare',
    'starvationMs',
    'creditTokens',
  ] as const;
  for (const name of notNegative) {
    if (!(options[name] >= 0)) throw new RangeError(`${name} must not be negative, got ${options[name]}`);
  }
  if (!(options.reserveWorkers >= 0 && options.reserveWorkers <= 1)) {
    throw new RangeError(`reserveWorkers must be 0 to 1, got ${options.reserveWorkers}`);
  }
  if (!(options.reserveLoss > 0 && options.reserveLoss <= 1)) {
    throw new RangeError(`reserveLoss must be above 0 and at most 1, got ${options.reserveLoss}`);
  }
  if (options.bands.length === 0) throw new RangeError('there must be at least one band');
  for (const [tenant, weight] of Object.entries(options.weights)) {
    if (!(weight > 0 && weight < Infinity)) throw new RangeError(`weight of ${tenant} must be above 0, got ${weight}`);
  }
}
