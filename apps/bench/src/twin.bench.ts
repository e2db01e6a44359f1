/**
 * What the twin costs: processor time of whole runs and of engine steps, and the memory of a large one. Every run has a
 * process of its own, so that memory and compiled code are its own.
 *
 *   node --conditions=@sluice/source apps/bench/src/twin.bench.ts [--smoke]
 *
 * Prints one JSON object. Traces are looked for in SLUICE_TRACES, or beside the repository; what needs one that is not
 * there is left out.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PROFILES } from '@sluice/engine-model';
import type { PolicyId } from '@sluice/routing';
import { loadTrace } from '@sluice/traces';
import { bareEngine, LADDERS, ladderLoad, playTrace, runTwin } from '@sluice/twin';
import type { SimulatedRequest, TwinOptions } from '@sluice/twin';
import type { Claim } from './part.ts';

interface RunSpec {
  readonly id: string;
  readonly load: 'b2b-ladder' | 'conversation';
  readonly policy: PolicyId;
  readonly index: 'exact' | 'production';
  readonly replicas: number;
  /** Tokens of a KV block. */
  readonly blockSize: number;
  /** The trace so many times at once, each time with text of its own. */
  readonly copies: number;
  /** Most requests of the load, or of each copy. */
  readonly most: number;
}

interface RunCost {
  readonly requests: number;
  readonly cpuS: number;
  readonly engineSteps: number;
  readonly cpuSPerMillionSteps: number;
  readonly peakRssGb: number;
  readonly ttftMeanMs: number | null;
  readonly virtualS: number;
}

const KV_TOKENS = 307_328;
const PROFILE = bareEngine(PROFILES['qwen3-32b-tp2-h100']);
const LADDER_POLICIES = ['random', 'least-request', 'weighted-3-2-2', 'expected-latency'] as const;
const PREFIX_POLICIES = ['weighted-3-2-2', 'expected-latency'] as const;
const CLAIM = { ladder: 5, conversation: 3, largeGb: 2 } as const;
/** Of the heap: without a limit it grows into whatever memory the machine has before it is collected. */
const HEAP_MIB = 1200;
const RUN = '--run';

const traces = process.env['SLUICE_TRACES'] ?? fileURLToPath(new URL('../../../../shared/traces', import.meta.url));
const CONVERSATION = `${traces}/mooncake-fast25/conversation_trace.jsonl`;

async function loadOf({ load, copies, most }: RunSpec): Promise<Pick<TwinOptions, 'requests' | 'stages'>> {
  if (load === 'b2b-ladder') {
    const { requests, stages } = ladderLoad(LADDERS.b2b, 1);
    return { requests: requests.slice(0, most), stages: stages.filter(({ firstRequest }) => firstRequest < most) };
  }
  const trace = await loadTrace(CONVERSATION, 'mooncake', most);
  const ids = 1 + trace.requests.reduce((top, { blocks }) => blocks.reduce((a, b) => Math.max(a, b), top), 0);
  const requests: SimulatedRequest[] = [];
  for (let copy = 0; copy < copies; copy++) {
    for (const request of playTrace(trace, { speed: 1, seed: copy + 1, kvTokens: KV_TOKENS })) {
      const { arrivalMs, blocks, blockTokens, promptTokens, outputTokens, session } = request;
      const own = blocks.map((block) => block + copy * ids);
      requests.push({ arrivalMs, blocks: own, blockTokens, promptTokens, outputTokens, session });
    }
  }
  return { requests: requests.sort((a, b) => a.arrivalMs - b.arrivalMs) };
}

/** The run itself, in this process. */
async function measure(spec: RunSpec): Promise<RunCost> {
  const load = await loadOf(spec);
  const engines = Array.from({ length: spec.replicas }, () => ({
    profile: PROFILE,
    kvTokens: KV_TOKENS,
    blockSize: spec.blockSize,
  }));
  const before = process.cpuUsage();
  const result = runTwin({ ...load, engines, policy: spec.policy, index: spec.index, seed: 1 });
  const { user, system } = process.cpuUsage(before);
  const cpuS = (user + system) / 1e6;
  return {
    requests: load.requests.length,
    cpuS,
    engineSteps: result.engineSteps,
    cpuSPerMillionSteps: cpuS / (result.engineSteps / 1e6),
    peakRssGb: (process.resourceUsage().maxRSS * 1024) / 1e9,
    ttftMeanMs: result.ttftMs.mean,
    virtualS: result.virtualMs / 1000,
  };
}

function measureApart(spec: RunSpec): RunCost {
  process.stderr.write(`${spec.id}\n`);
  const node = [...process.execArgv, `--max-old-space-size=${HEAP_MIB}`, fileURLToPath(import.meta.url)];
  const run = spawnSync(process.execPath, [...node, RUN, JSON.stringify(spec)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.status !== 0) throw new Error(`${spec.id} ended with ${run.status ?? run.signal}`);
  return JSON.parse(run.stdout) as RunCost;
}

const rounded = (value: number): number => Number(value.toPrecision(3));

/** Each run with the claims that are made of it. */
function runsOf(smoke: boolean): { readonly spec: RunSpec; claims(cost: RunCost): Claim[] }[] {
  const most = smoke ? 200 : Number.MAX_SAFE_INTEGER;
  const base = { index: 'exact', replicas: 8, copies: 1, most } as const;
  const cpu = (spec: RunSpec, barS: number | null) => ({
    spec,
    claims: ({ cpuS, cpuSPerMillionSteps }: RunCost): Claim[] => [
      {
        id: `cpu-${spec.id}`,
        value: rounded(cpuS),
        unit: 's of CPU',
        ...(barS !== null && { bar: `<= ${barS}`, met: cpuS <= barS }),
      },
      { id: `step-${spec.id}`, value: rounded(cpuSPerMillionSteps), unit: 's of CPU per million engine steps' },
    ],
  });
  const ladders = LADDER_POLICIES.map((policy) =>
    cpu({ ...base, id: `b2b-ladder-${policy}`, load: 'b2b-ladder', policy, blockSize: 16 }, CLAIM.ladder),
  );
  const production = cpu(
    {
      ...base,
      id: 'b2b-ladder-production-index',
      load: 'b2b-ladder',
      policy: 'weighted-3-2-2',
      index: 'production',
      blockSize: 16,
    },
    null,
  );
  if (!existsSync(CONVERSATION)) {
    process.stderr.write(`left out, there is no ${CONVERSATION}\n`);
    return [...ladders, production];
  }
  const conversations = [64, 16].flatMap((blockSize) =>
    PREFIX_POLICIES.map((policy) =>
      cpu(
        { ...base, id: `conversation-${policy}-blocks-of-${blockSize}`, load: 'conversation', policy, blockSize },
        blockSize === 64 ? CLAIM.conversation : null,
      ),
    ),
  );
  const large: RunSpec = {
    ...base,
    id: '100-replicas-100-conversations-blocks-of-512',
    load: 'conversation',
    policy: 'expected-latency',
    replicas: 100,
    copies: smoke ? 3 : 100,
    blockSize: 512,
  };
  const memory = (cost: RunCost): Claim[] => [
    ...cpu(large, null).claims(cost),
    {
      id: `memory-${large.id}`,
      value: rounded(cost.peakRssGb),
      unit: 'GB at most (1e9 bytes)',
      bar: `< ${CLAIM.largeGb}`,
      met: cost.peakRssGb < CLAIM.largeGb,
    },
  ];
  return [...ladders, production, ...conversations, { spec: large, claims: memory }];
}

const given = process.argv.indexOf(RUN);
if (given >= 0) {
  console.log(JSON.stringify(await measure(JSON.parse(process.argv[given + 1]!) as RunSpec)));
} else {
  const smoke = process.argv.includes('--smoke');
  const claims: Claim[] = [];
  const data: Record<string, RunCost> = {};
  for (const { spec, claims: claimsOf } of runsOf(smoke)) {
    const cost = measureApart(spec);
    data[spec.id] = cost;
    // a short run measures nothing that a claim could be made of
    if (!smoke) claims.push(...claimsOf(cost));
  }
  console.log(JSON.stringify({ suite: 'twin', claims, data }, null, 2));
}
