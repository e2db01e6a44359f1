import { resolve } from 'node:path';
import { findProgram, HOW_TO_GET, type ServerProgram } from '@sluice/process';
import { repoRoot, Sim, type SimOptions, simTokenizer, Sluice } from '@sluice/testkit';

export const env: Readonly<Record<string, string | undefined>> = { ...process.env };

/** Folder of the full traces; a clone has none, and what needs one skips. */
export const tracesDir = resolve(repoRoot, process.env['SLUICE_TRACES'] ?? '../shared/traces');

/** Null when the programs are on the PATH, else what to say when skipping. */
export async function missingPrograms(...programs: ServerProgram[]): Promise<string | null> {
  for (const program of programs) {
    if ((await findProgram(program, env['PATH'] ?? '')) === null) return `needs ${program}: ${HOW_TO_GET[program]}`;
  }
  return null;
}

export const MODEL = 'sim';
export const POOL = 'sim';

/** `count` simulated engines of one kind, started together. */
export const startSims = (
  count: number,
  options: Omit<SimOptions, 'name' | 'model'> & { readonly model?: string } = {},
  extraEnv: Readonly<Record<string, string>> = {},
): Promise<Sim[]> =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      Sim.start({ name: `sim-${i + 1}`, model: MODEL, ...options }, { ...env, ...extraEnv }),
    ),
  );

/** A fleet of one pool over the given engines. */
export const poolOf = (sims: readonly Sim[], tokenizer: string | null = simTokenizer): object => ({
  id: POOL,
  models: [MODEL],
  tokenizer,
  engines: sims.map((sim) => sim.entry),
});

/** Starts a system, hands it to `use`, and stops everything whatever happens. */
export async function withSystem<T>(
  options: {
    sims: readonly Sim[];
    services: boolean;
    policy?: string;
    env?: Record<string, string>;
    tokenizer?: string | null;
  },
  use: (sluice: Sluice) => Promise<T>,
): Promise<T> {
  const sluice = await Sluice.start({
    pools: [poolOf(options.sims, options.tokenizer)],
    services: options.services,
    env: { ...env, ...options.env },
    ...(options.policy === undefined ? {} : { policy: options.policy }),
  });
  try {
    return await use(sluice);
  } finally {
    await sluice.stop();
  }
}

export const stopSims = (sims: readonly Sim[]): Promise<unknown> =>
  Promise.all(sims.map((sim) => sim.child.stop(3000)));

/** Sum of one metric over engines, any labels. */
export async function sumMetric(urls: readonly string[], name: string): Promise<number> {
  let sum = 0;
  for (const url of urls) {
    const text = await (await fetch(`${url}/metrics`)).text();
    for (const line of text.split('\n')) {
      if (line.startsWith(name) && /[{ ]/.test(line[name.length] ?? ''))
        sum += Number(line.slice(line.lastIndexOf(' ') + 1));
    }
  }
  return sum;
}

export const chatUrl = (sluice: Sluice): string => `${sluice.dataUrl}/v1/chat/completions`;
