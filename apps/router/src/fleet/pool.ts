import type { FlowControl, Line } from '@sluice/flow-control';
import type { PoolSpec, StepParameters, WorkerId } from '@sluice/model';
import { createDecisionTerms, createFleetTable, createLedger } from '@sluice/routing';
import type { DecisionTerms, FleetTable, Ledger, Policy } from '@sluice/routing';
import type { PromptKit } from '@sluice/prompt';
import type { Turn } from '../flow/turn.ts';
import type { PoolMetrics } from '../metrics.ts';
import { Learned } from './learned.ts';
import type { Worker } from './worker.ts';

/** The workers of one base model with all that a decision among them reads. One writer: the fleet view. */
export class Pool {
  readonly id: PoolSpec['id'];
  spec: PoolSpec;
  policy: Policy;
  /** Renders prompts exactly; null: the plain layout and the approximate index serve this pool. */
  kit: PromptKit | null = null;
  /** Why there is no kit, for people. */
  kitReason = 'no tokenizer is configured';
  readonly table: FleetTable = createFleetTable();
  readonly ledger: Ledger = createLedger(this.table);
  readonly terms: DecisionTerms = createDecisionTerms();
  readonly workers = new Map<WorkerId, Worker>();
  readonly learned = new Learned();
  readonly metrics: PoolMetrics;
  /** Whose turn it is. */
  readonly flow: FlowControl<Turn>;
  /** The table's ids by row: made anew when workers come or go, so that a decision record may keep it. */
  ids: readonly WorkerId[] = [];
  /** Row in the prefix index by row of the table. */
  indexRows = new Int32Array(0);
  /** Requests held for each worker, by row of the table. */
  lines: readonly Line<Turn>[] = [];

  constructor(spec: PoolSpec, policy: Policy, metrics: PoolMetrics, flow: FlowControl<Turn>) {
    this.id = spec.id;
    this.metrics = metrics;
    this.flow = flow;
    this.spec = spec;
    this.policy = policy;
  }

  add(worker: Worker, step: StepParameters): void {
    this.workers.set(worker.spec.id, worker);
    this.table.addWorker(worker.spec.id, step);
  }

  remove(id: WorkerId): void {
    this.workers.delete(id);
    this.table.removeWorker(id);
  }

  /** To be called after workers came or went. */
  rowsChanged(indexRow: (id: WorkerId) => number): void {
    this.ids = [...this.table.columns.ids];
    this.indexRows = Int32Array.from(this.ids, indexRow);
    this.lines = this.ids.map((id) => this.workers.get(id)!.line);
  }

  workerAt(row: number): Worker {
    const worker = this.workers.get(this.table.columns.ids[row]!);
    if (worker === undefined) throw new RangeError(`pool ${this.id} has no worker in row ${row}`);
    return worker;
  }

  /** Whether a worker other than those in `tried` may be sent to. */
  hasOther(tried: { has(id: WorkerId): boolean }): boolean {
    const { up, ids, size } = this.table.columns;
    for (let row = 0; row < size; row++) if (up[row] === 1 && !tried.has(ids[row]!)) return true;
    return false;
  }

  /** Name of the LoRA adapter that `model` means, or null for the base model and its aliases. */
  lora(model: string | null): string | null {
    return model !== null && this.spec.loras.includes(model) ? model : null;
  }
}
