import type { ConfigView, DecisionRecord, Decisions, SiblingsView } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { slowestId } from '../requests/slowest.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { explainPage } from './page.ts';

export interface ExplainOptions {
  readonly admin: string;
  readonly all: boolean;
  readonly token: string | null;
  readonly json: boolean;
}

/** Decisions of one request that are looked up in either direction. */
const LONGEST_CHAIN = 16;

/**
 * Prints why a decision fell as it did.
 * @param id of a decision, or `last`, or `slowest`: the longest to its first token that is still known
 * @throws AdminError when the router cannot be asked, or does not know the decision
 */
export async function explain(id: string, options: ExplainOptions, speaker: Speaker, nowMs: number): Promise<void> {
  const client = await AdminClient.connect(options.admin, options.token);
  const decision = await decisionNamed(client, id);
  if (options.json) {
    speaker.out.write(`${JSON.stringify(decision, null, 2)}\n`);
    return;
  }
  const chain = await chainOf(client, decision);
  const styles = stylesOf(speaker);
  speaker.out.write(explainPage(decision, chain, { width: widthOf(speaker), all: options.all, styles, nowMs }));
}

const get = (client: AdminClient, id: string): Promise<DecisionRecord> =>
  client.get<DecisionRecord>('router', `/decisions/${encodeURIComponent(id)}`);

function decisionNamed(client: AdminClient, id: string): Promise<DecisionRecord> {
  if (id === 'last') return lastDecision(client);
  return id === 'slowest' ? slowestDecision(client) : decisionOf(client, id);
}

async function lastDecision(client: AdminClient): Promise<DecisionRecord> {
  const { decisions } = await client.get<Decisions>('router', '/decisions?limit=1');
  const [last] = decisions;
  if (last === undefined) throw new AdminError('this router has made no decision yet: send it a request');
  return last;
}

const slowestDecision = async (client: AdminClient): Promise<DecisionRecord> => get(client, await slowestId(client));

async function decisionOf(client: AdminClient, id: string): Promise<DecisionRecord> {
  try {
    return await get(client, id);
  } catch (error) {
    if (!(error instanceof AdminError) || error.status !== 404) throw error;
    throw new AdminError(await whyUnknown(client, id), 404);
  }
}

async function whyUnknown(client: AdminClient, id: string): Promise<string> {
  const [{ settings }, { router }] = await Promise.all([
    client.get<ConfigView>('router', '/config'),
    client.get<SiblingsView>('router', '/siblings'),
  ]);
  const why = id.startsWith(`${router}-`)
    ? `it keeps its last ${settings.find(({ name }) => name === 'ROUTER_DECISIONS')?.value} decisions (ROUTER_DECISIONS)`
    : `its ids begin with ${router}-: another router made it, or this one before its last start`;
  return `the router at ${client.origin} has no decision '${id}': ${why}`;
}

/** What went before and after, oldest first, as far as the router still knows it. */
async function chainOf(client: AdminClient, decision: DecisionRecord): Promise<DecisionRecord[]> {
  const walk = async (next: (of: DecisionRecord) => string | null): Promise<DecisionRecord[]> => {
    const found: DecisionRecord[] = [];
    for (let id = next(decision); id !== null && found.length < LONGEST_CHAIN;) {
      const other = await get(client, id).catch((error: unknown) => {
        if (error instanceof AdminError && error.status === 404) return null;
        throw error;
      });
      if (other === null) break;
      found.push(other);
      id = next(other);
    }
    return found;
  };
  const before = await walk(({ movedFrom, retryOf }) => movedFrom ?? retryOf);
  const after = await walk(({ followedBy }) => followedBy);
  return [...before.reverse(), decision, ...after];
}
