import type {
  DecisionCandidate,
  DecisionOutcome,
  DecisionRecord,
  LiveRequest,
  RequestSummary,
} from '@sluice/contracts';
import { SIGNALS } from './decision-entry.ts';
import type { DecisionEntry } from './decision-entry.ts';

/**
 * A decision with its candidates and all of their terms.
 * @param rows of the candidates that it is to have; default: all
 */
export function recordOf(
  entry: DecisionEntry,
  rows = Array.from({ length: entry.size }, (_, row) => row),
): DecisionRecord {
  return {
    id: entry.id,
    atMs: entry.atMs,
    ...entry.subject,
    basis: entry.basis,
    unit: entry.unit,
    promptTokens: entry.query.promptTokens,
    expectedOutputTokens: entry.query.expectedOutputTokens,
    worker: entry.worker,
    tieCost: entry.tieBound,
    followedBy: entry.followedBy,
    candidates: rows.map((row) => candidateOf(entry, row)),
    outcome: entry.outcome,
  };
}

type Signals = Record<(typeof SIGNALS)[number], number | null>;

function candidateOf(entry: DecisionEntry, row: number): DecisionCandidate {
  const signals = {} as Signals;
  for (let k = 0; k < SIGNALS.length; k++) signals[SIGNALS[k]!] = entry.signal(k, row);
  const terms: Record<string, number | null> = {};
  for (let k = 0; k < entry.termNames.length; k++) terms[entry.termNames[k]!] = entry.term(k, row);
  return {
    worker: entry.ids[row]!,
    ...signals,
    up: entry.isUp(row),
    keptForOthers: entry.isKept(row),
    cost: entry.cost(row),
    terms,
  };
}

/** Rows of the `most` cheapest candidates, cheapest first, and of the chosen one. */
export function cheapestRows(entry: DecisionEntry, most: number): number[] {
  const costOf = (row: number): number => entry.cost(row) ?? Infinity;
  const rows: number[] = [];
  for (let row = 0; row < entry.size; row++) {
    const cost = costOf(row);
    if (rows.length === most && cost >= costOf(rows[most - 1]!)) continue;
    let at = rows.length;
    while (at > 0 && costOf(rows[at - 1]!) > cost) at--;
    rows.splice(at, 0, row);
    if (rows.length > most) rows.pop();
  }
  if (!rows.includes(entry.row)) rows.push(entry.row);
  return rows;
}

/** The request of a decision, as lists of requests show it: times from its arrival. */
export function summaryOf(entry: DecisionEntry): RequestSummary {
  const { id, atMs, subject, query, row, outcome } = entry;
  const { queuedMs, ttftMs, e2eMs } = outcome ?? { queuedMs: null, ttftMs: null, e2eMs: null };
  const fromArrival = (ms: number | null): number | null => (ms === null || queuedMs === null ? null : queuedMs + ms);
  return {
    id,
    atMs,
    pool: subject.pool,
    model: subject.model,
    tenant: subject.level.tenant,
    worker: entry.worker,
    promptTokens: outcome?.promptTokens ?? query.promptTokens,
    cachedTokens: outcome?.cachedTokens ?? entry.cachedTokens(row),
    result: outcome?.result ?? null,
    status: outcome?.status ?? null,
    queuedMs,
    ttftMs: fromArrival(ttftMs),
    predictedTtftMs: entry.predictedTtftMs(row),
    ttftErrorMs: outcome?.ttftErrorMs ?? null,
    ttftRegretMs: outcome?.ttftRegretMs ?? null,
    tpotMs: outcome?.tpotMs ?? null,
    e2eMs: fromArrival(e2eMs),
  };
}

/** A decision without its candidates, for the live view. Numbers are rounded to what a page shows: it is sent often. */
export function liveOf(entry: DecisionEntry): LiveRequest {
  const { id, atMs, subject, query, row, followedBy, outcome } = entry;
  return {
    id,
    atMs: Math.round(atMs),
    pool: subject.pool,
    model: subject.model,
    policy: subject.policy,
    worker: entry.worker,
    promptTokens: Math.round(query.promptTokens),
    retryOf: subject.retryOf,
    movedFrom: subject.movedFrom,
    followedBy,
    cachedTokens: entry.cachedTokens(row),
    predictedTtftMs: tenths(entry.predictedTtftMs(row)),
    outcome: outcome === null ? null : liveOutcome(outcome),
  };
}

function liveOutcome(outcome: DecisionOutcome): LiveRequest['outcome'] {
  const { result, status, cachedTokens, outputTokens, ttftMs, tpotMs, e2eMs, heldMs } = outcome;
  return {
    result,
    status,
    cachedTokens,
    outputTokens,
    ttftMs: tenths(ttftMs),
    tpotMs: tpotMs === null ? null : Math.round(tpotMs * 1000) / 1000,
    e2eMs: Math.round(e2eMs),
    heldMs: Math.round(heldMs),
  };
}

const tenths = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 10) / 10);
