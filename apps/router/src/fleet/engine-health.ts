/**
 * Whether an engine may be sent to. `unknown`: it has never answered. Nothing is sent to an engine that is not `up`.
 */
export interface EngineHealth {
  readonly state: 'unknown' | 'up' | 'down';
  /** Why it is not up; an empty string when it is. */
  readonly reason: string;
  /** Checks in a row that ran into their time limit. */
  readonly timeouts: number;
  /** When the state was entered, milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Good looks count for nothing before this time: requests failed although the engine calls itself healthy. */
  readonly heldUntilMs: number;
  /** Times that it was held since a request last succeeded. */
  readonly trips: number;
}

/** What one look at an engine found. */
export type Check =
  /** It answered its metrics page and, where that was asked, its health page with 200. */
  | { readonly kind: 'good' }
  /** Nobody listens, or it said that it is not well. */
  | { readonly kind: 'bad'; readonly reason: string }
  /** `excused`: answers of the engine arrived meanwhile, or this process was too busy to know. */
  | { readonly kind: 'timeout'; readonly excused: boolean };

/** Timeouts in a row after which an engine is down. */
const MAX_TIMEOUTS = 2;

export const neverSeen = (nowMs: number): EngineHealth => ({
  state: 'unknown',
  reason: 'has not answered yet',
  timeouts: 0,
  sinceMs: nowMs,
  heldUntilMs: 0,
  trips: 0,
});

/** Health after a look at the engine. An engine that is slow to answer while its streams flow is busy, not dead. */
export function afterCheck(health: EngineHealth, check: Check, nowMs: number): EngineHealth {
  switch (check.kind) {
    case 'good':
      if (health.state === 'up' && health.timeouts === 0) return health;
      if (nowMs < health.heldUntilMs) return health;
      return {
        ...health,
        state: 'up',
        reason: '',
        timeouts: 0,
        sinceMs: health.state === 'up' ? health.sinceMs : nowMs,
      };
    case 'bad':
      return notUp(health, check.reason, 0, nowMs);
    case 'timeout': {
      if (check.excused) return health;
      const timeouts = health.timeouts + 1;
      if (health.state === 'up' && timeouts < MAX_TIMEOUTS) return { ...health, timeouts };
      return notUp(health, 'does not answer in time', timeouts, nowMs);
    }
  }
}

function notUp(health: EngineHealth, reason: string, timeouts: number, nowMs: number): EngineHealth {
  const state = health.state === 'unknown' ? 'unknown' : 'down';
  return { ...health, state, reason, timeouts, sinceMs: health.state === state ? health.sinceMs : nowMs };
}

const FIRST_HOLD_MS = 1000;
const LONGEST_HOLD_MS = 30_000;

/** Requests in a row failed on an engine that calls itself healthy: it is held out, twice as long each time. */
export function afterTrip(health: EngineHealth, reason: string, nowMs: number): EngineHealth {
  const holdMs = Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** health.trips);
  return { ...notUp(health, reason, 0, nowMs), heldUntilMs: nowMs + holdMs, trips: health.trips + 1 };
}

/** A request succeeded. */
export const afterSuccess = (health: EngineHealth): EngineHealth =>
  health.trips === 0 ? health : { ...health, trips: 0 };
