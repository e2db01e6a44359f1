import { parseEngineSimConfig } from '../config.ts';
import { startSimulator } from '../start-simulator.ts';
import type { RunningSimulator } from '../start-simulator.ts';

const running = new Set<RunningSimulator>();

/** Starts a simulator of model `tiny` on a free port with these further arguments; errors of the running server throw. */
export async function simulatorWith(...argv: string[]): Promise<RunningSimulator> {
  const result = parseEngineSimConfig(['--port', '0', '--model', 'tiny', ...argv]);
  if (result.kind !== 'config') throw new Error(JSON.stringify(result));
  const simulator = await startSimulator(result.config, (error) => {
    throw error;
  });
  running.add(simulator);
  return simulator;
}

/** Closes every simulator that {@link simulatorWith} started: for `afterAll`, so that a failed test leaves none behind. */
export async function closeSimulators(): Promise<void> {
  await Promise.all([...running].map((simulator) => simulator.close()));
  running.clear();
}

/** Waits until `condition` holds; rejects when it does not within three seconds. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadlineMs = performance.now() + 3_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within three seconds: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
