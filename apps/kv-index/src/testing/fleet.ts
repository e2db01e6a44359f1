import type { FleetSource } from '@sluice/discovery';
import { poolId, workerId } from '@sluice/model';
import type { Fleet, WorkerSpec } from '@sluice/model';

const spec = (id: string, pool: string, events: boolean): WorkerSpec => ({
  id: workerId(id),
  pool: poolId(pool),
  engine: id,
  url: 'http://127.0.0.1:1',
  dpRank: null,
  role: 'both',
  variant: 'default',
  kvEvents: events ? { mode: 'connect', endpoint: 'tcp://127.0.0.1:1', replayEndpoint: null, topic: '' } : null,
});

/** Pool `chat` (models `tiny`, and the adapter `tiny-lora`) with the workers of these ids; `no-events` sends none. */
export const fleetOf = (version: number, ...workers: string[]): Fleet => ({
  version,
  pools: [{ id: poolId('chat'), models: ['tiny', 'tiny-lora'], loras: ['tiny-lora'], tokenizer: null }],
  workers: workers.map((id) => spec(id, 'chat', id !== 'no-events')),
});

/** A fleet that a test changes. */
export function changingFleet(first: Fleet): FleetSource & { change(fleet: Fleet): void } {
  let fleet = first;
  const listeners = new Set<(fleet: Fleet) => void>();
  return {
    current: () => fleet,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => listeners.clear(),
    change: (next) => {
      fleet = next;
      for (const listener of listeners) listener(next);
    },
  };
}
