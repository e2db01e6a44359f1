import { PROFILES } from '@sluice/engine-model';
import type { ProfileId } from '@sluice/engine-model';
import type { DecisionTerms, PolicyId } from '@sluice/routing';
import { Sim, Sluice } from '@sluice/testkit';
import type { SimulatedRequest } from '@sluice/twin';
import { env, MODEL, poolOf, startSims, stopSims } from '../setup.ts';
import { cpuTimeMs } from './cpu-time.ts';
import type { ExactText } from './exact-text.ts';
import { sendOpenLoop } from './open-loop.ts';
import type { Served } from './open-loop.ts';

/** One system and what is sent to it, for the twin and the live one alike. */
export interface Experiment {
  readonly requests: readonly SimulatedRequest[];
  readonly engines: number;
  readonly profile: ProfileId;
  /** KV tokens of an engine; default: the profile's. */
  readonly kvTokens?: number;
  readonly policy: PolicyId;
  readonly seed: number;
  /** Every service as a process of its own, on nats-server and redis-server; else all in one. */
  readonly services: boolean;
  /** Latencies of requests that arrive before do not count: processes compile their code first. */
  readonly warmUpMs: number;
}

/** The parts of a decision that are compared, as the admin API shows it. */
export interface LiveDecision {
  readonly id: string;
  readonly unit: DecisionTerms['unit'];
  readonly promptTokens: number;
  readonly expectedOutputTokens: number;
  readonly tieCost: number | null;
  readonly candidates: readonly { readonly worker: string; readonly up: boolean; readonly cost: number | null }[];
}

export interface LiveRun {
  /** By request. */
  readonly served: readonly Served[];
  /** Engine of each request by its place in the fleet. */
  readonly engineOf: readonly number[];
  readonly decisions: readonly LiveDecision[];
  /** TTFT of equal requests one after another to the idle system, after all others. */
  readonly probesMs: readonly number[];
  /** Cores that all processes of the system and the client kept busy while requests were sent; null: not known. */
  readonly coresBusy: number | null;
}

/** How often the router reads metrics: its default, said here because the twin is told the same. */
export const POLL_MS = 500;
const MOST_CONTEXT_TOKENS = 131_072;
/** The first request is sent so long after the system is ready. */
export const LEAD_MS = 1000;
/** A request that shares nothing. */
export const PROBE: SimulatedRequest = {
  arrivalMs: 0,
  blocks: [],
  blockTokens: 1,
  promptTokens: 1200,
  outputTokens: 1,
  session: null,
};
/** Model of the pool that nothing but warming up is for, behind the same router. */
const SPARE_MODEL = 'spare';
const WARM_UPS = 20;
/** Numbers of the texts of the warm-up, beyond those of requests. */
const WARM_UP_TEXT = 1_000_000;
const PROBES = 20;
const PROBE_PAUSE_MS = 250;

/** Runs the experiment on real processes over HTTP, at the engines' own speed. */
export async function runLive(experiment: Experiment, text: ExactText): Promise<LiveRun> {
  const { requests, engines, profile } = experiment;
  const { blockSize, kvTokens: room } = PROFILES[profile];
  const { kvTokens = room } = experiment;
  // one block is the engine's own
  const contextTokens = Math.min(MOST_CONTEXT_TOKENS, kvTokens - blockSize);
  const extraArgs = ['--max-model-len', String(contextTokens)];
  const options = { profile, kvBlocks: kvTokens / blockSize, extraArgs };
  const sims = await startSims(engines, options);
  const spare = await Sim.start({ name: 'spare', model: SPARE_MODEL, ...options }, env);
  try {
    const sluice = await startSluice(experiment, sims, spare);
    try {
      const url = urlOf(sluice.dataUrl);
      await warmUp([url, urlOf(spare.url)], SPARE_MODEL, text);
      await warmUp(
        sims.map((sim) => urlOf(sim.url)),
        MODEL,
        text,
      );
      const dues = requests.map((request, index) => ({
        atMs: LEAD_MS + request.arrivalMs,
        body: bodyOf(MODEL, text.promptOf(request, index), request.outputTokens),
      }));
      const [cpuMs, startMs] = [await cpuTimeMs(), performance.now()];
      const served = await sendOpenLoop(url, dues);
      const [cpuEndMs, tookMs] = [await cpuTimeMs(), performance.now() - startMs];
      const names = sims.map(({ name }) => name);
      return {
        served,
        engineOf: served.map(({ worker }) => names.indexOf(worker)),
        decisions: await decisionsOf(sluice, served),
        probesMs: await probe(url, text, requests.length),
        coresBusy: cpuMs === null || cpuEndMs === null ? null : (cpuEndMs - cpuMs) / tookMs,
      };
    } finally {
      await sluice.stop();
    }
  } finally {
    await stopSims([...sims, spare]);
  }
}

/** A router whose decisions can be repeated: seeded, and on the profile's constants, as the twin's. */
const startSluice = ({ requests, profile, policy, seed, services }: Experiment, sims: readonly Sim[], spare: Sim) =>
  Sluice.start({
    pools: [poolOf(sims), { ...poolOf([spare]), id: SPARE_MODEL, models: [SPARE_MODEL] }],
    services,
    policy,
    env: {
      ...env,
      ROUTER_SEED: String(seed),
      ROUTER_PROFILE: profile,
      ROUTER_LATENCY: 'profile',
      ROUTER_SCRAPE_MS: String(POLL_MS),
      ROUTER_DECISIONS: String(requests.length + PROBES),
    },
  });

/** Has processes compile their code. What the router knows of the pool is left alone: it is sent to another one. */
const warmUp = async (urls: readonly string[], model: string, text: ExactText): Promise<void> => {
  for (let i = 0; i < WARM_UPS; i++) {
    const body = bodyOf(model, text.promptOf(PROBE, WARM_UP_TEXT + i), 4);
    await Promise.all(urls.map((url) => sendOpenLoop(url, [{ atMs: 0, body }])));
  }
};

const urlOf = (origin: string): string => `${origin}/v1/completions`;

/** The engine writes as many tokens as it may. Not `ignore_eos`: that would tell the router how long the output will be. */
const bodyOf = (model: string, prompt: string, outputTokens: number): Buffer =>
  Buffer.from(
    JSON.stringify({ model, prompt, max_tokens: outputTokens, stream: true, stream_options: { include_usage: true } }),
  );

async function decisionsOf(sluice: Sluice, served: readonly Served[]): Promise<LiveDecision[]> {
  const { decisions } = await sluice.getAdmin<{ decisions: LiveDecision[] }>(
    'router',
    `/decisions?limit=${served.length}`,
  );
  const byId = new Map(decisions.map((decision) => [decision.id, decision]));
  return served.map(({ decisionId }) => byId.get(decisionId)!);
}

async function probe(url: string, text: ExactText, firstIndex: number): Promise<number[]> {
  const dues = Array.from({ length: PROBES }, (_, i) => ({
    atMs: i * PROBE_PAUSE_MS,
    body: bodyOf(MODEL, text.promptOf(PROBE, firstIndex + i), 1),
  }));
  const served = await sendOpenLoop(url, dues);
  return served.map(({ firstMs, sentMs }) => firstMs - sentMs);
}
