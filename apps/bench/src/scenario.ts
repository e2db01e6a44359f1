import { PROFILES } from '@sluice/engine-model';
import type { EngineProfile } from '@sluice/engine-model';
import { loadTrace } from '@sluice/traces';
import { b2bWorkload, bareEngine, hotPrefixWorkload, LADDERS, ladderLoad, playTrace } from '@sluice/twin';
import { chatWorkload, codingAgentWorkload, documentQaWorkload, reasoningWorkload } from '@sluice/twin';
import { sharedFirstBlockWorkload } from '@sluice/twin';
import type { EngineSetup, Ladder, SimulatedRequest, Stage, TwinOptions } from '@sluice/twin';
import { FAIRNESS_CASES, fairnessLoad } from './fairness.ts';
import type { FairnessRun } from './fairness.ts';

/** What a scenario sends, for one seed. */
export interface Load {
  readonly requests: readonly SimulatedRequest[];
  readonly stages?: readonly Stage[];
  /** Stage of each request; -1: not measured. */
  readonly stageOf?: Int16Array;
}

/** A load in front of a fleet: everything of a run but policy and seed. */
export interface Scenario {
  readonly engines: readonly EngineSetup[];
  readonly options?: Partial<TwinOptions>;
  load(seed: number): Load | Promise<Load>;
}

export interface ScenarioSettings {
  /** Folder of the traces, with one folder per set. */
  readonly traces: string;
  /** Short forms, for a check that everything runs. */
  readonly smoke: boolean;
}

/** A trace that a scenario wants and that is not there. */
export class MissingTrace extends Error {}

const QWEN3 = PROFILES['qwen3-32b-tp2-h100'];
const LLAMA_70B = PROFILES['llama-3.1-70b-tp4-h100'];
const BARE = bareEngine(QWEN3);
/** vLLM's budget of a step: prefills go in chunks of it. */
const CHUNK_TOKENS = 8192;
/**
 * The default engine of Dynamo's simulator, its polynomials as far as step constants can say them: n prompt tokens in a
 * step take 16.5 + 0.01518 n + 4.21e-7 n^2 ms whatever their context is (here 5.74 instead of 16.5, and the square at a
 * full chunk), a decode step 5.74 + 54 u - 25.7 u^2 ms at a share u of the KV cache (here without the square, which is
 * small below a third), 16,384 blocks of 64 tokens.
 */
const DYNAMO_MOCKER: EngineProfile = {
  ...BARE,
  id: 'dynamo-mocker',
  title: "default engine of Dynamo's simulator",
  step: {
    ...BARE.step,
    t0Ms: 5.74,
    twMs: 0,
    aMsPerToken: 0.01518 + 4.21e-7 * CHUNK_TOKENS,
    kAttMs: 0,
    kKvMs: 54 / (16_384 * 64),
    kSeqMs: 0,
  },
  kvTokens: 16_384 * 64,
  blockSize: 64,
};
const KV = { '307k': 307_328, '1M': 1_000_448, '3M': 3_000_320 } as const;
export type KvSize = keyof typeof KV;

const fleet = (count: number, setup: EngineSetup): EngineSetup[] => Array.from({ length: count }, () => setup);
const EIGHT = fleet(8, { profile: BARE });
/** Engines 5 to 8 compute and read memory half as fast. */
const UNEQUAL = EIGHT.map((setup, row) => (row < 4 ? setup : { ...setup, slowdown: 2, variant: 'slow' }));
const FILES = {
  conversation: 'mooncake-fast25/conversation_trace.jsonl',
  azureCode: 'azure-llm-2023/AzureLLMInferenceTrace_code.csv',
  shareGpt: 'sharegpt-tokens/sharegpt-qwen3-32b-300-sps10.jsonl',
} as const;

const WARM_UP_S = 100;
const MEASURED_S = 400;
/** When an engine dies or joins, and when it returns. */
const CHANGE_MS = 200_000;
const RETURN_MS = 260_000;

/** Ends an id whose engines drop what they put out, where vLLM keeps it in the prefix cache. */
export const OUTPUT_NOT_CACHED = ':output-not-cached';

/** The scenario called `id`; ids are `kind:argument:...`, as the parts of the benchmark spell them. */
export function scenarioOf(id: string, settings: ScenarioSettings): Scenario {
  if (!id.endsWith(OUTPUT_NOT_CACHED)) return namedScenario(id, settings);
  const scenario = namedScenario(id.slice(0, -OUTPUT_NOT_CACHED.length), settings);
  const engines = scenario.engines.map((setup) => ({ ...setup, profile: { ...setup.profile, cachesOutput: false } }));
  return { ...scenario, engines };
}

function namedScenario(id: string, settings: ScenarioSettings): Scenario {
  const [kind, ...args] = id.split(':');
  const { smoke } = settings;
  const schedule = (qps: number, seed: number) => ({
    qps,
    seed,
    warmUpS: smoke ? 5 : WARM_UP_S,
    measuredS: smoke ? 10 : MEASURED_S,
  });
  const steady = (make: (qps: number, seed: number) => SimulatedRequest[], rest: Partial<Scenario> = {}): Scenario => ({
    engines: EIGHT,
    load: (seed) => ({ requests: make(Number(args[0]), seed) }),
    ...rest,
    options: { warmUpMs: 1000 * (smoke ? 5 : WARM_UP_S), ...rest.options },
  });
  const unique = (qps: number, seed: number): SimulatedRequest[] =>
    b2bWorkload({ ...schedule(qps, seed), verbatim: false });
  const trace = (file: string, speed: number, engines: readonly EngineSetup[]): Scenario => ({
    engines,
    load: (seed) => playedTrace(`${settings.traces}/${file}`, speed, seed, engines[0]!, smoke ? 120 : Infinity),
  });
  switch (kind) {
    case 'ladder':
      return ladder(args[0] as keyof typeof LADDERS, smoke);
    case 'verbatim':
      return steady((qps, seed) => b2bWorkload({ ...schedule(qps, seed), verbatim: true }));
    case 'unique':
      return steady(unique);
    case 'unequal':
      return steady(unique, { engines: UNEQUAL });
    case 'reasoning':
      return steady((qps, seed) => reasoningWorkload(schedule(qps, seed)));
    case 'chat':
      return steady((qps, seed) => chatWorkload(schedule(qps, seed)));
    case 'agents':
      return steady((qps, seed) => codingAgentWorkload(schedule(qps, seed)));
    case 'documents':
      return steady((qps, seed) => documentQaWorkload(schedule(qps, seed)));
    case 'first-block':
      return steady((qps, seed) => sharedFirstBlockWorkload(schedule(qps, seed)));
    case 'hot-prefix':
      return steady((qps, seed) => hotPrefixWorkload(schedule(qps, seed)));
    case 'cold':
      return steady(unique, { options: { warmUpMs: 0, latency: 'learned' } });
    case 'kill':
      return steady(unique, {
        options: {
          failures: [
            { atMs: smoke ? 6000 : CHANGE_MS, engine: 0, kind: 'kill' },
            { atMs: smoke ? 9000 : RETURN_MS, engine: 0, kind: 'return' },
          ],
        },
      });
    case 'join':
      return steady(unique, { engines: [...fleet(7, EIGHT[0]!), { ...EIGHT[0]!, joinsMs: smoke ? 6000 : CHANGE_MS }] });
    case 'fairness':
      return {
        engines: EIGHT,
        options: { warmUpMs: 1000 * (smoke ? 5 : WARM_UP_S) },
        load: (seed) => ({
          requests: fairnessLoad(FAIRNESS_CASES[args[0]!]!, args[1] as FairnessRun, schedule(0, seed)),
        }),
      };
    case 'lag':
      return steady(unique, { options: { eventLagMs: Number(args[1]) } });
    case 'lost':
      return steady(unique, { options: { lostEventShare: Number(args[1]) } });
    case 'routers':
      return steady(unique, {
        options: { routers: { count: Number(args[1]), shared: args[2] as 'none' | 'ledgers' } },
      });
    case 'conversation':
      return trace(FILES.conversation, Number(args[0]), fleet(8, { profile: BARE, kvTokens: KV[args[1] as KvSize] }));
    case 'azure-code':
      return trace(FILES.azureCode, Number(args[0]), EIGHT);
    case 'sharegpt':
      return trace(FILES.shareGpt, Number(args[0]), EIGHT);
    case 'dynamo':
      return trace(FILES.conversation, 1, fleet(8, { profile: DYNAMO_MOCKER }));
    default:
      throw new RangeError(`no scenario is called '${id}'`);
  }
}

function ladder(name: keyof typeof LADDERS, smoke: boolean): Scenario {
  const whole = LADDERS[name];
  const short: Ladder = {
    ...whole,
    warmUp: null,
    stages: [
      { qps: 3, seconds: 5 },
      { qps: 20, seconds: 2 },
    ],
  };
  const engines = name === 'llama-70b' ? fleet(4, { profile: LLAMA_70B }) : fleet(8, { profile: QWEN3 });
  return { engines, load: (seed) => ladderLoad(smoke ? short : whole, seed) };
}

async function playedTrace(
  file: string,
  speed: number,
  seed: number,
  engine: EngineSetup,
  limit: number,
): Promise<Load> {
  const trace = await loadTrace(file, 'auto', limit).catch((error: Error) => {
    throw error.message.includes('ENOENT') ? new MissingTrace(file) : error;
  });
  return { requests: playTrace(trace, { speed, seed, kvTokens: engine.kvTokens ?? engine.profile.kvTokens }) };
}
