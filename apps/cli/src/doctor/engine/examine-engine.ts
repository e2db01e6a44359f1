import type { PromptKit } from '@sluice/prompt';
import type { WorkerSpec } from '@sluice/model';
import type { Examined, Finding } from '../finding.ts';
import { subjectOf } from '../fleet-engine.ts';
import type { FleetEngine } from '../fleet-engine.ts';
import { askEngine } from './ask-engine.ts';
import type { Access, EngineFacts } from './ask-engine.ts';
import { declaredFindings, listenedFindings, skewOf } from './event-findings.ts';
import { factFindings, probeFindings, unansweredFindings } from './http-findings.ts';
import { listenToEvents } from './listen-events.ts';
import type { EventTraces } from './listen-events.ts';
import { probeChat, sendProbe } from './probe-request.ts';
import type { ProbeAnswer, ProbeChat } from './probe-request.ts';
import { tokenizerFindings } from './tokenizer-findings.ts';

export interface EngineOptions {
  readonly access: Access;
  /** Whether engines are sent chats of one token; without, only what they say of themselves is examined. */
  readonly probe: boolean;
  /** The fleet was made from what engines declare, not read from a file. */
  readonly derived: boolean;
  /** Makes chats that no cache knows. */
  readonly nonce: string;
}

export interface ExaminedEngine {
  readonly engine: FleetEngine;
  readonly facts: EngineFacts | null;
  readonly examined: Examined;
  readonly findings: readonly Finding[];
}

/** Asks an engine, sends it two chats a rank while listening to its events, and judges. */
export async function examineEngine(
  engine: FleetEngine,
  kit: PromptKit | null,
  options: EngineOptions,
): Promise<ExaminedEngine> {
  const subject = subjectOf(engine);
  const facts = await askEngine(engine.url, options.access);
  if (facts.kind !== 'facts') {
    const examined = { subject, summary: engine.url };
    return { engine, facts: null, examined, findings: unansweredFindings(subject, engine.url, facts) };
  }
  const model = engine.pool.models.find((name) => facts.models.some(({ id }) => id === name));
  const isOff = facts.cacheConfig?.['enable_prefix_caching'] === 'False';
  const ranks = await Promise.all(
    engine.workers.map((worker) =>
      examineRank(worker, engine, facts, model ?? null, { ...options, nonce: `${options.nonce}-${worker.id}` }),
    ),
  );
  const [first] = ranks;
  const tokenizer =
    kit === null || model === undefined || engine.pool.tokenizer === null
      ? []
      : await tokenizerFindings(
          kit,
          engine.pool.tokenizer,
          subject,
          { url: engine.url, model },
          first!.chat,
          first!.firstTokens,
          options.access,
        );
  const rankFindings = ranks.flatMap(({ findings }) => findings);
  // Without a prefix cache there are no events either: one mistake, one finding.
  const telling = isOff ? rankFindings.filter(({ code }) => code !== 'events-silent') : rankFindings;
  return {
    engine,
    facts,
    examined: { subject, summary: summaryOf(engine, facts, ranks) },
    findings: [...factFindings(engine, facts), ...telling, ...tokenizer],
  };
}

interface RankResult {
  readonly findings: readonly Finding[];
  readonly traces: EventTraces | null;
  readonly probe: ProbeAnswer | null;
  readonly chat: ProbeChat;
  /** Token ids of the first block that the chat made, as the events have them. */
  readonly firstTokens: Uint32Array | null;
}

async function examineRank(
  worker: WorkerSpec,
  engine: FleetEngine,
  facts: EngineFacts,
  model: string | null,
  { access, probe, derived, nonce }: EngineOptions,
): Promise<RankResult> {
  const subject = worker.dpRank === null ? subjectOf(engine) : `${subjectOf(engine)} rank ${worker.dpRank}`;
  const chat = probeChat(nonce);
  const declared = declaredFindings(worker, subject, facts, derived);
  // An engine with ranks that the fleet does not know chooses one by itself, and for every chat anew.
  const rank = worker.dpRank ?? ((facts.ranks ?? 1) > 1 ? 0 : null);
  let first: ProbeAnswer | null = null;
  const ask = async (): Promise<boolean> => {
    if (!probe || model === null) return false;
    first = await sendProbe(engine.url, model, chat, rank, access);
    return first.kind === 'answered';
  };
  // What is known to be wrong about the addresses need not be tried.
  const listens =
    worker.kvEvents !== null && facts.events !== 'off' && !declared.some(({ severity }) => severity === 'error');
  const traces = listens ? await listenToEvents(worker.kvEvents!, ask, access.timeoutMs) : null;
  if (first === null) await ask();
  const answered = first as ProbeAnswer | null;
  const second = answered?.kind === 'answered' ? await sendProbe(engine.url, model!, chat, rank, access) : answered;
  const blockTokens = Number(facts.cacheConfig?.['block_size']) || null;
  const isOff = facts.cacheConfig?.['enable_prefix_caching'] === 'False';
  return {
    findings: [
      ...declared,
      ...(traces === null ? [] : listenedFindings(worker, subject, facts, traces, answered)),
      ...(answered === null ? [] : probeFindings(subject, answered, second!, blockTokens, isOff)),
    ],
    traces,
    probe: answered,
    chat,
    firstTokens: traces === null || answered === null ? null : firstTokensIn(traces, answered),
  };
}

/** Tokens of the first root block that was announced after the probe was sent. */
function firstTokensIn({ batches }: EventTraces, probe: ProbeAnswer): Uint32Array | null {
  if (probe.kind !== 'answered') return null;
  for (const { batch, heardAtMs } of batches) {
    if (heardAtMs < probe.sentAtMs) continue;
    for (const event of batch.events) {
      if (event.kind === 'stored' && event.parent === null && event.tokenIds.length > 0) return event.tokenIds;
    }
  }
  return null;
}

function summaryOf(engine: FleetEngine, facts: EngineFacts, ranks: readonly RankResult[]): string {
  const { version, cacheConfig } = facts;
  const parts = [engine.url, version === null ? 'version unknown' : `version ${version}`];
  if (ranks.length > 1) parts.push(`${ranks.length} ranks`);
  const block = cacheConfig?.['block_size'];
  if (block !== undefined) parts.push(`blocks of ${block} tokens`);
  const heard = ranks.filter(({ traces }) => (traces?.batches.length ?? 0) > 0).length;
  if (heard > 0) parts.push(ranks.length === 1 ? 'events heard' : `events heard of ${heard}`);
  if (ranks.some(({ traces }) => traces?.replay?.complete === true)) parts.push('replay answers');
  const cached = ranks[0]?.traces ? skewOf(ranks[0].traces, ranks[0].probe) : null;
  if (cached !== null && Math.abs(cached) < 1) parts.push('clocks agree');
  return parts.join(', ');
}
