import type { RequestOrder, Requests } from '@sluice/contracts';
import { count, decimal, duration, signed } from '../numbers.ts';
import { Routers, tellLost } from '../routers.ts';
import type { RoutersOptions } from '../routers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';
import { requestsOfRouters } from './requests-of-routers.ts';
import type { ToldRequest } from './requests-of-routers.ts';

export interface RequestsOptions extends RoutersOptions {
  readonly by: RequestOrder;
  readonly limit: number;
  readonly within?: number;
  readonly pool?: string;
  readonly worker?: string;
  readonly tenant?: string;
  readonly result?: string;
  readonly json: boolean;
  /** Option of a further command to the same address, or nothing. */
  readonly sameAdmin: string;
}

/**
 * Prints the requests that the routers still know, by what was slow about them. Returns whether all routers answered.
 * @throws AdminError when none does
 */
export async function printRequests(options: RequestsOptions, speaker: Speaker, nowMs: number): Promise<boolean> {
  const routers = await Routers.connect(options);
  const told = await routers.ask<Requests>(`/requests?${queryOf(options)}`);
  const answer = routers.areSeveral ? requestsOfRouters(told, options) : told[0]!.answer;
  const lines = options.json
    ? [JSON.stringify(answer, null, 2)]
    : [
        ...requestLines(answer, { ...options, areSeveral: routers.areSeveral }, speaker, nowMs),
        ...(await failedLines(routers, options, widthOf(speaker))),
      ];
  speaker.out.write(`${lines.join('\n')}\n`);
  return tellLost(routers.lost, speaker);
}

/** Results of requests that came to nothing by no doing of their clients. */
const FAILED = ['upstream-error', 'overload', 'no-worker'];
/** More than are counted. */
const MANY = 10_000;

/** What failed is seldom among the slowest: how many did, and the command that lists them. */
async function failedLines(routers: Routers, options: RequestsOptions, width: number): Promise<string[]> {
  if (options.by === 'newest' || options.result !== undefined) return [];
  const lines: string[] = [];
  for (const result of FAILED) {
    const failed = { ...options, by: 'newest', limit: MANY, result } as const;
    const told = await routers.ask<Requests>(`/requests?${queryOf(failed)}`);
    const found = told.reduce((sum, { answer }) => sum + answer.requests.length, 0);
    if (found === 0) continue;
    lines.push(...wrapped(`${count(found)} failed: sluice requests --by newest ${filtersOf(failed)}`, width, 2));
  }
  return lines;
}

/** The options that leave the same requests. */
function filtersOf({ within, pool, worker, tenant, result, router, sameAdmin }: RequestsOptions): string {
  const given = Object.entries({ within, pool, worker, tenant, result, router });
  const options = given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`]));
  return `${options.join(' ')}${sameAdmin}`;
}

function queryOf({ by, limit, within, pool, worker, tenant, result }: RequestsOptions): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ by, limit, within, pool, worker, tenant, result })) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}

const ORDERS: Record<RequestOrder, string> = {
  newest: 'newest first',
  ttft: 'longest time to the first token first',
  tpot: 'longest time per token first',
  e2e: 'longest first',
  queued: 'longest in the router first',
  error: 'worst predicted first',
  regret: 'largest regret first',
};

interface ListOptions {
  readonly sameAdmin: string;
  readonly by: RequestOrder;
  readonly areSeveral: boolean;
}

function requestLines(
  answer: Requests,
  { by, areSeveral, sameAdmin }: ListOptions,
  speaker: Speaker,
  nowMs: number,
): string[] {
  const { requests, keptRequests, sinceMs }: { readonly requests: readonly ToldRequest[] } & Requests = answer;
  const width = widthOf(speaker);
  const styles = stylesOf(speaker);
  const ago = (ms: number): string => duration(Math.max(0, nowMs - ms));
  const kept =
    sinceMs === null
      ? `${areSeveral ? 'These routers have' : 'This router has'} routed no request yet.`
      : `Of ${count(keptRequests)} ${keptRequests === 1 ? 'request' : 'requests'} that the ${areSeveral ? 'routers still know' : 'router still knows'} (oldest ${ago(sinceMs)} old), ${ORDERS[by]}; times in ms, from the arrival.`;
  if (requests.length === 0) return wrapped(sinceMs === null ? kept : `${kept} None is as asked for.`, width, 2);
  const column = (
    head: string,
    textOf: (request: ToldRequest) => string,
    align: TextColumn['align'] = 'right',
  ): TextColumn => ({ head, cells: requests.map(textOf), align });
  const table = textTable(
    [
      column('decision', ({ id }) => id, 'left'),
      column('age', ({ atMs }) => ago(atMs)),
      column('worker', ({ worker }) => worker, 'left'),
      column('prompt', ({ promptTokens }) => count(promptTokens)),
      column('cached', ({ cachedTokens }) => count(cachedTokens)),
      column('queued', ({ queuedMs }) => decimal(queuedMs)),
      column('TTFT', ({ ttftMs }) => decimal(ttftMs)),
      column('error', ({ ttftErrorMs }) => signed(ttftErrorMs)),
      ...(by === 'regret' ? [column('regret', ({ ttftRegretMs }) => signed(ttftRegretMs))] : []),
      column('TPOT', ({ tpotMs }) => decimal(tpotMs)),
      column('E2E', ({ e2eMs }) => decimal(e2eMs)),
      // Last, so that in 80 columns it is what goes below.
      ...(areSeveral ? [column('router', ({ router }) => router ?? '-', 'left')] : []),
    ],
    width,
  );
  const notable = requests
    .filter(({ result }) => result !== 'completed')
    .map(({ id, result, status }) => `${id}: ${result ?? 'running'}${status === null ? '' : ` ${status}`}`);
  return [
    ...wrapped(kept, width, 2),
    '',
    styles.bold(table[0]!),
    ...table.slice(1),
    ...(notable.length === 0 ? [] : ['', ...notable.map(styles.bad)]),
    '',
    `Why: sluice explain ${requests[0]!.id}${sameAdmin}`,
  ];
}
