import type { EngineStats } from '@sluice/engine-model';
import type { ScrapedSignals } from '@sluice/routing';
import type { EngineSetup } from '../api.ts';
import type { Flight } from '../clients/flight.ts';
import type { ToldBlocks } from '../kv-events/kv-batch.ts';
import { randomStream } from '../clock/random-stream.ts';
import { Replica } from './replica.ts';
import type { ReplicaListener } from './replica.ts';
import type { Timeline } from '../clock/timeline.ts';

export interface EngineFleetOptions {
  readonly setups: readonly EngineSetup[];
  readonly timeline: Timeline;
  readonly listener: ReplicaListener;
  readonly seed: number;
  readonly jitter: { readonly sigma: number } | null;
  /** What the engines' KV events tell; null: nobody reads them. */
  readonly told: ToldBlocks | null;
}

/** The engines by row. One that joins or comes back is a new one, empty; one that dies loses all it had. */
export class EngineFleet {
  private readonly options: EngineFleetOptions;
  /** Null: it is not there. */
  private readonly replicas: (Replica | null)[];
  private readonly died: Replica[] = [];
  private started = 0;
  /** Requests that each has, in the order in which they were sent. */
  private readonly inFlight: readonly Set<Flight>[];

  constructor(options: EngineFleetOptions) {
    this.options = options;
    this.replicas = options.setups.map(() => null);
    this.inFlight = options.setups.map(() => new Set());
  }

  get size(): number {
    return this.replicas.length;
  }

  isUp(row: number): boolean {
    return this.replicas[row] !== null;
  }

  start(row: number): void {
    const { setups, timeline, listener, seed, jitter, told } = this.options;
    const { sigma } = jitter ?? { sigma: 0 };
    const jittered = sigma > 0 ? { sigma, rng: randomStream(seed, 'jitter', this.started) } : null;
    this.replicas[row] = new Replica(row, setups[row]!, timeline, listener, jittered, told);
    this.started++;
  }

  /** The engine is no more; returns what it had in flight. */
  kill(row: number): Flight[] {
    const replica = this.replicas[row]!;
    replica.stop();
    this.died.push(replica);
    this.replicas[row] = null;
    const lost = [...this.inFlight[row]!];
    this.inFlight[row]!.clear();
    return lost;
  }

  /** False: nobody listens there. */
  accept(row: number, flight: Flight, nowMs: number): boolean {
    const replica = this.replicas[row] ?? null;
    if (replica === null) return false;
    this.inFlight[row]!.add(flight);
    replica.accept(flight, nowMs);
    return true;
  }

  /** The engine has answered the request. */
  answered(row: number, flight: Flight): void {
    this.inFlight[row]!.delete(flight);
  }

  /** What the metrics page of an engine that is up says. */
  signals(row: number): ScrapedSignals {
    return this.replicas[row]!.signals();
  }

  /** Null while it is not there. */
  stats(row: number): EngineStats | null {
    return this.replicas[row]?.stats() ?? null;
  }

  /** In the whole run, by the dead too. */
  totals(): { readonly preemptions: number; readonly steps: number } {
    let preemptions = 0;
    let steps = 0;
    for (const replica of [...this.replicas, ...this.died]) {
      preemptions += replica?.stats().preemptions ?? 0;
      steps += replica?.stats().steps ?? 0;
    }
    return { preemptions, steps };
  }
}
