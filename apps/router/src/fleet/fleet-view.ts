import type { FlowControl } from '@sluice/flow-control';
import type { Fleet, PoolId, PoolSpec, Signal, WorkerSpec } from '@sluice/model';
import { loadPromptKit } from '@sluice/prompt';
import type { Policy, PolicyId, PolicyOptions } from '@sluice/routing';
import type { Logger } from '@sluice/telemetry';
import type { Turn } from '../flow/turn.ts';
import type { RouterMetrics } from '../metrics.ts';
import type { PrefixView } from '../prefix/prefix-view.ts';
import type { EngineHealth } from './engine-health.ts';
import { fleetPolicy } from './fleet-policy.ts';
import type { LatencyView } from './latency-view.ts';
import { Pool } from './pool.ts';
import { createEngine, createWorker } from './worker.ts';
import type { Engine, Worker } from './worker.ts';

export interface FleetViewOptions {
  readonly policy: PolicyId;
  /** Prices and weights other than the policies' defaults. */
  readonly policyOptions: PolicyOptions;
  /** Of decisions; null: they are not repeatable. */
  readonly seed: number | null;
  /** Columns that something fills: policies may need these. */
  readonly filled: readonly Signal[];
  readonly latency: LatencyView;
  readonly prefix: PrefixView;
  readonly metrics: RouterMetrics;
  readonly flow: { createControl(): FlowControl<Turn> };
  readonly logger: Logger;
  readonly now: () => number;
  /** An engine joined or left the fleet. */
  readonly onEngine: (engine: Engine, change: 'added' | 'removed') => void;
  /** A worker joined (its row of the index exists) or left. */
  readonly onWorker: (worker: Worker, change: 'added' | 'removed') => void;
}

/** Everything the router knows of its fleet: pools, workers, engines and their health. The one writer of all of them. */
export class FleetView {
  readonly pools = new Map<PoolId, Pool>();
  /** By origin. */
  readonly engines = new Map<string, Engine>();
  policyId: PolicyId;
  version = 0;
  #policyOptions: PolicyOptions;
  readonly #options: FleetViewOptions;
  readonly #byModel = new Map<string, Pool>();
  readonly #kitLoads = new Set<Promise<void>>();

  /** @throws Error when the policy cannot run on what is filled: a router that boots with it would decide on nothing. */
  constructor(options: FleetViewOptions) {
    this.#options = options;
    this.policyId = options.policy;
    this.#policyOptions = options.policyOptions;
    this.#makePolicy();
  }

  /** Takes a new fleet into force. Requests in flight on workers that left go on. */
  apply(fleet: Fleet): void {
    this.version = fleet.version;
    const specs = new Map(fleet.workers.map((spec) => [spec.id, spec]));
    for (const pool of [...this.pools.values()]) {
      for (const worker of [...pool.workers.values()]) {
        const next = specs.get(worker.spec.id);
        if (next === undefined || !sameWorker(next, worker.spec)) this.#removeWorker(worker);
      }
    }
    for (const spec of fleet.pools) this.#applyPool(spec);
    for (const [id] of this.pools) if (!fleet.pools.some((spec) => spec.id === id)) this.pools.delete(id);
    for (const spec of fleet.workers) this.#addWorker(spec);
    this.#byModel.clear();
    for (const pool of this.pools.values()) {
      for (const model of pool.spec.models) this.#byModel.set(model, pool);
      pool.rowsChanged((id) => this.#options.prefix.row(id));
    }
    for (const engine of [...this.engines.values()]) {
      if (engine.workers.size > 0) continue;
      this.engines.delete(engine.url);
      this.#options.onEngine(engine, 'removed');
    }
  }

  /** Resolves when every tokenizer named so far is loaded or has failed. */
  async kitsLoaded(): Promise<void> {
    await Promise.all(this.#kitLoads);
  }

  /** The pool that serves `model`; without a name, the only pool there is. */
  poolOf(model: string | null): Pool | null {
    if (model !== null) return this.#byModel.get(model) ?? null;
    return this.pools.size === 1 ? [...this.pools.values()][0]! : null;
  }

  /** Names that requests may ask for. */
  models(): string[] {
    return [...this.#byModel.keys()];
  }

  *workers(): IterableIterator<Worker> {
    for (const pool of this.pools.values()) yield* pool.workers.values();
  }

  /** Every pool decides by `id` from now on. @throws Error for a policy that cannot run here: check it before */
  setPolicy(id: PolicyId, options: PolicyOptions): void {
    this.policyId = id;
    this.#policyOptions = options;
    for (const pool of this.pools.values()) pool.policy = this.#makePolicy();
  }

  setHealth(engine: Engine, health: EngineHealth): void {
    const before = engine.health;
    engine.health = health;
    if (before.state === health.state) return;
    const up = health.state === 'up';
    for (const worker of engine.workers) {
      const row = worker.pool.table.row(worker.spec.id);
      if (row >= 0) worker.pool.table.setUp(row, up && servesWhole(worker));
    }
    const workers = [...engine.workers].map((worker) => worker.spec.id);
    const entry = { engine: engine.url, workers, reason: health.reason };
    if (up) this.#options.logger.info(entry, 'engine is up');
    else this.#options.logger.warn(entry, 'engine is down');
  }

  /** Latency parameters changed: writes those now in force to every row. */
  refreshSteps(): void {
    for (const pool of this.pools.values()) {
      for (const worker of pool.workers.values()) {
        pool.table.setStep(pool.table.row(worker.spec.id), this.#options.latency.step(worker.spec));
      }
      const mean = this.#options.latency.meanOutputTokens(pool.id);
      if (mean !== null) pool.learned.startFrom(mean);
    }
  }

  #applyPool(spec: PoolSpec): void {
    let pool = this.pools.get(spec.id);
    const before = pool?.spec.tokenizer;
    if (pool === undefined) {
      const { metrics, flow } = this.#options;
      pool = new Pool(spec, this.#makePolicy(), metrics.ofPool(spec.id, spec.models[0]!), flow.createControl());
      this.pools.set(spec.id, pool);
    }
    pool.spec = spec;
    if (before !== spec.tokenizer) this.#loadKit(pool);
  }

  #makePolicy(): Policy {
    const made = fleetPolicy(this.policyId, this.#options.filled, {
      seed: this.#options.seed,
      options: this.#policyOptions,
    });
    if (made.kind === 'error') throw new Error(made.message);
    return made.policy;
  }

  #loadKit(pool: Pool): void {
    const { logger } = this.#options;
    const dir = pool.spec.tokenizer;
    pool.kit = null;
    pool.kitReason = 'no tokenizer is configured';
    if (dir === null) {
      logger.warn(
        { pool: pool.id },
        'no tokenizer: prefixes of this pool are approximate (routed prompts, no KV events)',
      );
      return;
    }
    pool.kitReason = 'the tokenizer is being loaded';
    const load = loadPromptKit(dir).then(
      (kit) => {
        if (pool.spec.tokenizer === dir) pool.kit = kit;
      },
      (error: unknown) => {
        pool.kitReason = error instanceof Error ? error.message : String(error);
        logger.error(
          { pool: pool.id, err: error },
          'tokenizer cannot be loaded: prefixes of this pool are approximate',
        );
      },
    );
    this.#kitLoads.add(load);
    void load.then(() => this.#kitLoads.delete(load));
  }

  #addWorker(spec: WorkerSpec): void {
    const pool = this.pools.get(spec.pool);
    if (pool === undefined || pool.workers.has(spec.id)) return;
    let engine = this.engines.get(spec.url);
    const isNew = engine === undefined;
    if (engine === undefined) {
      engine = createEngine(spec.url, this.#options.now());
      this.engines.set(spec.url, engine);
    }
    const worker = createWorker(spec, pool, engine);
    engine.workers.add(worker);
    pool.add(worker, this.#options.latency.step(spec));
    pool.table.setUp(pool.table.row(spec.id), engine.health.state === 'up' && servesWhole(worker));
    this.#options.prefix.addWorker(worker);
    this.#options.onWorker(worker, 'added');
    if (isNew) this.#options.onEngine(engine, 'added');
  }

  #removeWorker(worker: Worker): void {
    worker.pool.remove(worker.spec.id);
    worker.engine.workers.delete(worker);
    this.#options.onWorker(worker, 'removed');
    this.#options.prefix.removeWorker(worker);
  }
}

/** A worker that only prefills cannot finish a request by itself. */
const servesWhole = ({ spec }: Worker): boolean => spec.role !== 'prefill';

const sameWorker = (a: WorkerSpec, b: WorkerSpec): boolean =>
  a.url === b.url &&
  a.pool === b.pool &&
  a.dpRank === b.dpRank &&
  a.variant === b.variant &&
  a.role === b.role &&
  (a.kvEvents === null) === (b.kvEvents === null);
