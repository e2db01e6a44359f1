import type { RequestOrder, Requests, RequestSummary } from '@sluice/contracts';
import { AdminClient } from '../admin-client.ts';
import { count, decimal, duration, signed } from '../numbers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { textTable, wrapped } from '../text-table.ts';
import type { TextColumn } from '../text-table.ts';

export interface RequestsOptions {
  readonly admin: string;
  readonly token: string | null;
  readonly by: RequestOrder;
  readonly limit: number;
  readonly within?: number;
  readonly pool?: string;
  readonly worker?: string;
  readonly tenant?: string;
  readonly result?: string;
  readonly json: boolean;
}

/**
 * Prints the requests that the router still knows, by what was slow about them.
 * @throws AdminError when the router cannot be asked
 */
export async function printRequests(options: RequestsOptions, speaker: Speaker, nowMs: number): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const answer = await client.get<Requests>('router', `/requests?${queryOf(options)}`);
  const lines = options.json ? [JSON.stringify(answer, null, 2)] : requestLines(answer, options, speaker, nowMs);
  speaker.out.write(`${lines.join('\n')}\n`);
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

function requestLines(answer: Requests, { by }: RequestsOptions, speaker: Speaker, nowMs: number): string[] {
  const { requests, keptRequests, sinceMs } = answer;
  const width = widthOf(speaker);
  const styles = stylesOf(speaker);
  const ago = (ms: number): string => duration(Math.max(0, nowMs - ms));
  const kept =
    sinceMs === null
      ? 'This router has routed no request yet.'
      : `Of ${count(keptRequests)} ${keptRequests === 1 ? 'request' : 'requests'} that the router still knows (oldest ${ago(sinceMs)} old), ${ORDERS[by]}; times in ms, from the arrival.`;
  if (requests.length === 0) return wrapped(sinceMs === null ? kept : `${kept} None is as asked for.`, width, 2);
  const column = (
    head: string,
    textOf: (request: RequestSummary) => string,
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
    `Why: sluice explain ${requests[0]!.id}`,
  ];
}
