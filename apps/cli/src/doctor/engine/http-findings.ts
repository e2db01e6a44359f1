import { finding } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { subjectOf } from '../fleet-engine.ts';
import type { FleetEngine } from '../fleet-engine.ts';
import type { EngineAnswer, EngineFacts } from './ask-engine.ts';
import type { ProbeAnswer } from './probe-request.ts';

/** A block that most prompts do not fill holds nothing of them. */
const LARGE_BLOCK_TOKENS = 128;

/** What is wrong with how an engine answers, or does not. */
export function unansweredFindings(
  subject: string,
  url: string,
  answer: Exclude<EngineAnswer, EngineFacts>,
): Finding[] {
  switch (answer.kind) {
    case 'unreachable': {
      const fix = `is the engine running, and its address right? curl ${url}/v1/models; vLLM in a container needs --host 0.0.0.0 and the port published`;
      return [finding('engine-unreachable', subject, `${url} does not answer: ${answer.reason}`, fix)];
    }
    case 'unauthorized': {
      const fix =
        'give doctor the key of vLLM --api-key as --api-key KEY; clients of Sluice send it, Sluice passes it on';
      return [finding('engine-unauthorized', subject, `${url} wants a key that it was not given`, fix)];
    }
    case 'not-openai': {
      const fix =
        'give the origin of the engine itself, http://HOST:PORT of `vllm serve`, not of a proxy with paths of its own';
      return [finding('engine-not-openai', subject, `${url} is no OpenAI server: ${answer.reason}`, fix)];
    }
    case 'router': {
      const fix = 'name the engines behind it; what a running Sluice knows of them: --admin and its admin port';
      return [finding('engine-is-router', subject, `${url} is a router of Sluice, not an engine`, fix)];
    }
  }
}

/** What is wrong with what an engine says of itself. */
export function factFindings(engine: FleetEngine, facts: EngineFacts): Finding[] {
  return [
    ...modelFindings(engine, facts),
    ...rankFindings(engine, facts),
    ...cacheFindings(engine, facts),
    ...(facts.ranks === null
      ? [
          finding(
            'metrics-missing',
            subjectOf(engine),
            'has no load on /metrics: queues and KV use behind it are only known from what is routed there',
            'start vLLM without --disable-log-stats, SGLang with --enable-metrics',
          ),
        ]
      : []),
  ];
}

function modelFindings(engine: FleetEngine, { models }: EngineFacts): Finding[] {
  const subject = subjectOf(engine);
  const { pool } = engine;
  const served = new Map(models.map((model) => [model.id, model]));
  const names = [...served.keys()].join(', ');
  return pool.models.flatMap((name): Finding[] => {
    const model = served.get(name);
    const isAdapter = pool.loras.includes(name);
    if (model === undefined && isAdapter) {
      const fix = `start vLLM with --enable-lora --lora-modules ${name}=PATH, or take it out of loras`;
      return [finding('adapter-not-served', subject, `does not serve the adapter '${name}'; it serves ${names}`, fix)];
    }
    if (model === undefined) {
      const fix = `start vLLM with --served-model-name ${pool.models.join(' ')}, or put one of ${names} into models`;
      return [finding('model-not-served', subject, `does not serve '${name}'; it serves ${names}`, fix)];
    }
    if (model.parent !== null && !isAdapter) {
      const fix = `add it to loras of pool ${pool.id}`;
      const what = `serves '${name}' as an adapter of ${model.parent}, the fleet as a base model: their caches would be taken for one`;
      return [finding('adapter-as-model', subject, what, fix)];
    }
    return [];
  });
}

function rankFindings(engine: FleetEngine, { ranks, events }: EngineFacts): Finding[] {
  const declared = events instanceof Map ? events.size : 0;
  const there = Math.max(ranks ?? 0, declared);
  const listed = engine.workers.length;
  if (there === 0 || there === listed) return [];
  const subject = subjectOf(engine);
  const fix = `ranks: ${there} for this engine in the fleet file`;
  if (there > listed) {
    const what = `has ${there} data-parallel ranks, of which the fleet lists ${listed}: the cache of the others is not seen`;
    return [finding('ranks-unlisted', subject, what, fix)];
  }
  const what = `has ${there} data-parallel rank${there === 1 ? '' : 's'}, the fleet lists ${listed}: requests for the others fail`;
  return [finding('ranks-absent', subject, what, `${fix}, or start vLLM with --data-parallel-size ${listed}`)];
}

function cacheFindings(engine: FleetEngine, { cacheConfig }: EngineFacts): Finding[] {
  if (cacheConfig === null) return [];
  const subject = subjectOf(engine);
  if (cacheConfig['enable_prefix_caching'] === 'False') return [prefixCachingOff(subject, 'its metrics say so')];
  const blockTokens = Number(cacheConfig['block_size']);
  if (!(blockTokens > LARGE_BLOCK_TOKENS)) return [];
  const what = `caches in blocks of ${blockTokens} tokens: shorter prefixes are never reused`;
  return [
    finding(
      'block-size-large',
      subject,
      what,
      'start vLLM with --block-size 16 (or what the attention backend allows)',
    ),
  ];
}

const prefixCachingOff = (subject: string, how: string): Finding =>
  finding(
    'prefix-caching-off',
    subject,
    `computes every prompt as a whole: prefix caching is off (${how})`,
    'start vLLM with --enable-prefix-caching and without --no-enable-prefix-caching; SGLang without --disable-radix-cache',
  );

/** What two equal chats, one after the other, tell. `blockTokens` null: not known. */
export function probeFindings(
  subject: string,
  first: ProbeAnswer,
  second: ProbeAnswer,
  blockTokens: number | null,
  knownOff: boolean,
): Finding[] {
  const failed = [first, second].find((answer) => answer.kind === 'failed');
  if (failed !== undefined) {
    const what = `does not answer a chat of one token: ${failed.reason}`;
    return [
      finding(
        'engine-request-fails',
        subject,
        what,
        'its log says why; a model without chat template needs --chat-template FILE',
      ),
    ];
  }
  if (second.kind === 'failed') return [];
  if (second.cachedTokens === null) {
    return [
      finding(
        'usage-details-off',
        subject,
        'says nothing of cached tokens in its answers: what was predicted cannot be held against what happened',
        'start vLLM with --enable-prompt-tokens-details, SGLang with --enable-cache-report',
      ),
    ];
  }
  const whole = blockTokens === null || second.promptTokens > 2 * blockTokens;
  return second.cachedTokens === 0 && whole && !knownOff
    ? [prefixCachingOff(subject, 'the same chat twice found nothing')]
    : [];
}
