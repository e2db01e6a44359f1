import { routeOutcome } from '@sluice/contracts';
import type { EngineShape } from '@sluice/latency-model';
import type { ServiceContext, ServiceStatus } from '@sluice/nest-kit';
import { followMessage, NO_TRACING } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import type { LatencyPredictorConfig } from './config.ts';
import { DurableCopy } from './predictor/durable-copy.ts';
import { predictorMetrics } from './predictor/metrics.ts';
import type { PredictorMetrics } from './predictor/metrics.ts';
import { Predictor } from './predictor/predictor.ts';
import { Publisher } from './predictor/publisher.ts';

/** The service's loops: outcomes in, parameters out, a durable copy beside. */
export class LatencyPredictor {
  readonly predictor: Predictor;
  readonly publisher: Publisher;
  readonly engine: EngineShape;
  readonly #context: ServiceContext;
  readonly #tracing: Tracing;
  readonly #copy: DurableCopy;
  readonly #metrics: PredictorMetrics;
  #unsubscribe: (() => void) | null = null;

  constructor(config: LatencyPredictorConfig, context: ServiceContext) {
    this.#context = context;
    this.#tracing = context.tracing ?? NO_TRACING;
    this.engine = { chunkTokens: config.chunkTokens };
    this.predictor = new Predictor({ priors: config.priors, engine: this.engine });
    this.#metrics = predictorMetrics(context.metrics, this.predictor);
    this.publisher = new Publisher(context.bus, this.predictor, Date.now, this.#metrics.published);
    this.#copy = new DurableCopy(context.store, this.predictor, {
      info: (message) => context.logger.info(message),
      warn: (message) => context.logger.warn(message),
    });
  }

  async start(): Promise<void> {
    await this.#copy.start();
    this.#unsubscribe = this.#context.bus.subscribe(routeOutcome, (outcome, trace) => {
      const span = followMessage(this.#tracing, routeOutcome, trace);
      const result = this.predictor.observe(outcome, Date.now());
      this.#metrics.outcome(result);
      span.set({
        'sluice.decision.id': outcome.decisionId,
        'sluice.variant': outcome.variant,
        'sluice.learned': result.kind,
      });
      span.end();
      if (result.kind !== 'learned') return;
      this.#copy.changed(outcome.pool, outcome.variant);
      if (result.newRegime) {
        this.#context.logger.info(
          { pool: outcome.pool, variant: outcome.variant },
          'step times changed; learning anew',
        );
      }
    });
    this.publisher.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.publisher.stop();
    await this.#copy.stop();
  }

  /** Forgets a variant; false when there is none. */
  reset(pool: string, variant: string): boolean {
    if (!this.predictor.reset(pool, variant)) return false;
    this.#copy.changed(pool, variant);
    this.publisher.tick();
    return true;
  }

  status(): ServiceStatus {
    const { bus, store } = this.#context;
    const started = this.#unsubscribe !== null;
    const connected = bus.state() === 'connected';
    return {
      ready: started && connected,
      checks: {
        outcomes: { ok: started, detail: started ? 'subscribed' : 'not started' },
        bus: { ok: connected, detail: bus.state() },
        // Without a store the service runs on, and would start cold.
        store: {
          ok: store.state() === 'connected' && this.#copy.loaded,
          detail: `${store.state()}, stored parameters ${this.#copy.loaded ? 'read' : 'not read'}`,
        },
      },
    };
  }
}
