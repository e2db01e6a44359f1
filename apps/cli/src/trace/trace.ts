import type { Trace, Traces, TraceSpan } from '@sluice/contracts';
import { AdminClient, AdminError, isUnanswered } from '../admin-client.ts';
import { slowestOf } from '../requests/slowest.ts';
import { Routers, tellLost } from '../routers.ts';
import type { Speaker } from '../speaker.ts';
import { traceLines } from './waterfall.ts';

export interface TraceOptions {
  /** Admin APIs to ask, each of one service or of several. */
  readonly admin: readonly string[];
  readonly token: string | null;
  readonly json: boolean;
}

/** Traces of a router that are looked through for the last request. */
const LATEST = 50;
const TRACE_ID = /^[0-9a-f]{32}$/;
const OFF =
  'tracing is off there: sluice config set ROUTER_TRACE_SAMPLE=1 traces every request from now on (docs/tracing.md)';

/**
 * Prints what every service still keeps of a trace. Returns whether all services answered.
 * @param id of a trace or a decision, or `last`, or `slowest`: the longest to its first token that is still known
 * @throws AdminError when an admin API cannot be used or nobody keeps the trace
 */
export async function printTrace(id: string, options: TraceOptions, speaker: Speaker): Promise<boolean> {
  const clients = await Promise.all(options.admin.map((admin) => AdminClient.connect(admin, options.token)));
  const traceId = TRACE_ID.test(id) ? id : await traceIdOf(id, clients);
  const lost = new Map<string, string>();
  const spans = await spansOf(traceId, clients, lost);
  if (spans.length === 0) {
    const unasked = [...lost].map(([service, reason]) => `. ${service} was not asked: ${reason}`).join('');
    throw new AdminError(`no service keeps a span of trace '${traceId}', or not any longer${unasked}`);
  }
  const lines = options.json ? [JSON.stringify({ traceId, spans }, null, 2)] : traceLines(traceId, spans, speaker);
  speaker.out.write(`${lines.join('\n')}\n`);
  return tellLost(lost, speaker);
}

/** Of a decision's request, or of the last one: the router that decided knows. */
async function traceIdOf(asked: string, clients: readonly AdminClient[]): Promise<string> {
  const routers = new Routers(clients);
  const id = asked === 'slowest' ? (await slowestOf(routers)).id : asked;
  const query = id === 'last' ? `limit=${LATEST}` : `limit=1&decision=${encodeURIComponent(id)}`;
  const told = await routers.ask<Traces>(`/traces?${query}`);
  const [latest] = told
    .flatMap(({ answer }) => answer.traces)
    // Engines may send a router their spans of requests that another one routed.
    .filter(({ decisionId }) => decisionId !== null)
    .sort((a, b) => b.startMs - a.startMs);
  if (latest !== undefined) return latest.traceId;
  if (!told.some(({ answer }) => answer.enabled)) throw new AdminError(OFF);
  if (id === 'last') throw new AdminError('no request has been sampled yet');
  const who = routers.areSeveral ? `none of ${routers.names.join(', ')} keeps a` : 'the router keeps no';
  throw new AdminError(`${who} trace of decision '${id}': its request was not sampled, or is long ago`);
}

/**
 * Of every service, each span once, in the order of their start.
 * @param lost takes in those that do not answer
 */
async function spansOf(
  traceId: string,
  clients: readonly AdminClient[],
  lost: Map<string, string>,
): Promise<TraceSpan[]> {
  const asked = clients.flatMap((client) =>
    [...client.services.keys()].map((service) => keptBy(client, service, traceId, lost)),
  );
  const spans = new Map<string, TraceSpan>();
  for (const kept of await Promise.all(asked)) for (const span of kept) spans.set(span.spanId, span);
  return [...spans.values()].sort((a, b) => a.startMs - b.startMs);
}

async function keptBy(
  client: AdminClient,
  service: string,
  traceId: string,
  lost: Map<string, string>,
): Promise<readonly TraceSpan[]> {
  try {
    return (await client.get<Trace>(service, `/traces/${traceId}`)).spans;
  } catch (error) {
    if (error instanceof AdminError && error.status === 404) return [];
    if (!isUnanswered(error)) throw error;
    lost.set(service, error.message);
    return [];
  }
}
