import type { EngineSignals } from '@sluice/engine-wire';
import type { UpstreamPool } from '@sluice/upstream';
import type { Check } from './engine-health.ts';
import { afterCheck, afterSuccess, afterTrip } from './engine-health.ts';
import type { FleetView } from './fleet-view.ts';
import { isEnough, signalsFor, SIGNALS_ONLY, signalsOf, WHOLE_PAGE } from './metrics-page.ts';
import type { Engine } from './worker.ts';

export interface ScrapeLoopOptions {
  readonly view: FleetView;
  /** Not the pool that requests go through: a look must not wait for a free connection. */
  readonly upstream: UpstreamPool;
  /** In force now. */
  readonly timing: () => ScrapeTiming;
  readonly onError: (engine: Engine, check: Check) => void;
  /** After every look at an engine. */
  readonly onLook: (engine: Engine) => void;
  readonly now: () => number;
}

export interface ScrapeTiming {
  /** Between two looks at an engine. */
  readonly scrapeMs: number;
  readonly scrapeTimeoutMs: number;
  /** How long a request may be silent on an engine that is down before it is given up. */
  readonly downSilenceMs: number;
}

interface Watch {
  readonly engine: Engine;
  timer: NodeJS.Timeout | null;
  looking: boolean;
  /** Another look was asked for while one was under way. */
  again: boolean;
  looks: number;
  /** Where its signals are read. */
  path: string;
}

/** Every so many looks an engine that is up is asked for its health page too. */
const HEALTH_EVERY = 4;
/** Shortest time between two looks that failed requests cause. */
const SUSPECT_PAUSE_MS = 50;
const FAILURES_TO_TRIP = 5;
/** A timer that is this late means that the event loop was held up. */
const OWN_LATENESS_MS = 50;

/**
 * Looks at every engine in turn: one GET of its metrics page for all its ranks, which is also the sign of life. Engines
 * that are not up, or that failed a request, are asked for `/health` as well.
 */
export class ScrapeLoop {
  readonly #options: ScrapeLoopOptions;
  readonly #watches = new Map<Engine, Watch>();
  #stopped = false;

  constructor(options: ScrapeLoopOptions) {
    this.#options = options;
  }

  watch(engine: Engine): void {
    const watch: Watch = { engine, timer: null, looking: false, again: false, looks: 0, path: SIGNALS_ONLY };
    this.#watches.set(engine, watch);
    void this.#look(watch, true);
  }

  unwatch(engine: Engine): void {
    const watch = this.#watches.get(engine);
    this.#watches.delete(engine);
    if (watch?.timer) clearTimeout(watch.timer);
  }

  /** A connection to the engine failed: it is out at once, and looked at for its return. */
  connectFailed(engine: Engine, cause: string): void {
    this.#apply(engine, { kind: 'bad', reason: `connection failed: ${cause}` });
    this.#suspect(engine);
  }

  /**
   * The engine failed a request that it had taken. Several in a row take it out for a while even if it calls itself
   * healthy: an engine that fails fast looks idle and would draw every request. The last one of a pool stays.
   */
  requestFailed(engine: Engine): void {
    engine.failuresInRow++;
    if (engine.failuresInRow >= FAILURES_TO_TRIP && engine.health.state === 'up' && hasAlternative(engine)) {
      const reason = `failed ${engine.failuresInRow} requests in a row`;
      engine.failuresInRow = 0;
      this.#options.view.setHealth(engine, afterTrip(engine.health, reason, this.#options.now()));
    }
    this.#suspect(engine);
  }

  requestSucceeded(engine: Engine): void {
    engine.failuresInRow = 0;
    engine.health = afterSuccess(engine.health);
  }

  stop(): void {
    this.#stopped = true;
    for (const engine of [...this.#watches.keys()]) this.unwatch(engine);
  }

  /** Looks at the engine at once. */
  #suspect(engine: Engine): void {
    const watch = this.#watches.get(engine);
    if (watch !== undefined) void this.#look(watch, true);
  }

  async #look(watch: Watch, withHealth: boolean): Promise<void> {
    if (watch.looking) {
      watch.again ||= withHealth;
      return;
    }
    watch.looking = true;
    if (watch.timer) clearTimeout(watch.timer);
    watch.timer = null;
    const { engine } = watch;
    const startedAtMs = this.#options.now();
    watch.looks++;
    const check = await this.#check(watch, withHealth || watch.looks % HEALTH_EVERY === 0);
    watch.looking = false;
    if (this.#stopped || this.#watches.get(engine) !== watch) return;
    if (check.kind !== 'good') {
      engine.scrapeErrors++;
      if (check.kind === 'bad') watch.path = SIGNALS_ONLY; // what comes back may be another release
      this.#options.onError(engine, check);
    }
    this.#apply(engine, check);
    this.#options.onLook(engine);
    if (engine.health.state === 'down') this.#giveUpSilent(engine);
    const again = watch.again;
    watch.again = false;
    // After a timeout the second look follows at once: two of them must not take longer than 2 s.
    const pauseMs = check.kind === 'timeout' ? 0 : again ? SUSPECT_PAUSE_MS : this.#options.timing().scrapeMs;
    const restMs = pauseMs - (this.#options.now() - startedAtMs);
    watch.timer = setTimeout(() => void this.#look(watch, again), Math.max(0, restMs));
  }

  async #check(watch: Watch, withHealth: boolean): Promise<Check> {
    const { upstream, timing } = this.#options;
    const timeoutMs = timing().scrapeTimeoutMs;
    const { engine } = watch;
    let startedAtMs = performance.now();
    let page = await upstream.get(engine.url, watch.path, timeoutMs);
    let ranks = signalsOf(page);
    if (watch.path === SIGNALS_ONLY && page.kind === 'answered' && !isEnough(engine, ranks)) {
      watch.path = WHOLE_PAGE;
      startedAtMs = performance.now();
      page = await upstream.get(engine.url, watch.path, timeoutMs);
      ranks = signalsOf(page);
    }
    if (page.kind === 'timeout') return this.#timedOut(engine, startedAtMs);
    if (page.kind === 'refused') return { kind: 'bad', reason: page.cause };
    if (page.status >= 500) return { kind: 'bad', reason: `/metrics answered ${page.status}` };
    if (withHealth || engine.health.state !== 'up') {
      startedAtMs = performance.now();
      const health = await upstream.get(engine.url, '/health', timeoutMs);
      if (health.kind === 'timeout') return this.#timedOut(engine, startedAtMs);
      if (health.kind === 'refused') return { kind: 'bad', reason: health.cause };
      if (health.status !== 200) return { kind: 'bad', reason: `/health answered ${health.status}` };
    }
    this.#record(engine, ranks);
    return { kind: 'good' };
  }

  /** A timer that fires late says that this process was busy, and not whether an answer would have come in time. */
  #timedOut(engine: Engine, startedAtMs: number): Check {
    const lateMs = performance.now() - startedAtMs - this.#options.timing().scrapeTimeoutMs;
    return { kind: 'timeout', excused: lateMs > OWN_LATENESS_MS || this.#flows(engine) };
  }

  #flows(engine: Engine): boolean {
    const recentMs = performance.now() - this.#options.timing().scrapeTimeoutMs;
    for (const { inFlight } of engine.workers) {
      for (const { tap } of inFlight) if ((tap.lastContentAtMs ?? -Infinity) > recentMs) return true;
    }
    return false;
  }

  #record(engine: Engine, ranks: readonly EngineSignals[]): void {
    for (const worker of engine.workers) {
      const signals = signalsFor(ranks, worker);
      const { table } = worker.pool;
      const row = table.row(worker.spec.id);
      if (signals === undefined || row < 0) continue;
      worker.blockTokens = signals.blockSize;
      table.recordScrape(
        row,
        {
          waitingRequests: signals.waitingRequests ?? 0,
          runningRequests: signals.runningRequests ?? 0,
          kvUsage: signals.kvUsage ?? 0,
          kvCapacityTokens: (signals.blockSize ?? 0) * (signals.gpuBlocks ?? 0),
        },
        this.#options.now(),
      );
    }
  }

  #apply(engine: Engine, check: Check): void {
    this.#options.view.setHealth(engine, afterCheck(engine.health, check, this.#options.now()));
  }

  /** An engine that is being stopped may keep its streams open and say nothing more. */
  #giveUpSilent(engine: Engine): void {
    const latestMs = performance.now() - this.#options.timing().downSilenceMs;
    for (const worker of engine.workers) {
      for (const forwarding of [...worker.inFlight]) {
        if (forwarding.lastSignAtMs < latestMs) forwarding.giveUp('engine is down');
      }
    }
  }
}

/** Whether every pool of the engine has another engine that is up. */
function hasAlternative(engine: Engine): boolean {
  for (const { pool } of engine.workers) {
    const others = [...pool.workers.values()].filter((worker) => worker.engine !== engine);
    if (!others.some((worker) => worker.engine.health.state === 'up')) return false;
  }
  return true;
}
