import type { ConfigView, DecisionRecord, Decisions, SiblingsView } from '@sluice/contracts';
import { AdminError } from '../admin-client.ts';
import { slowestOf } from '../requests/slowest.ts';
import { Routers, tellLost } from '../routers.ts';
import type { RoutersOptions, Told } from '../routers.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { explainPage } from './page.ts';

export interface ExplainOptions extends RoutersOptions {
  /** Option of a further command to the same address, or nothing. */
  readonly sameAdmin: string;
  readonly all: boolean;
  readonly json: boolean;
}

/** Decisions of one request that are looked up in either direction. */
const LONGEST_CHAIN = 16;

/**
 * Prints why a decision fell as it did, asking the router that made it.
 * @param id of a decision, or `last`, or `slowest`: the longest to its first token that is still known
 * @throws AdminError when no router can be asked, or none knows the decision
 */
export async function explain(id: string, options: ExplainOptions, speaker: Speaker, nowMs: number): Promise<void> {
  const routers = await Routers.connect(options);
  const { router, answer: decision } = await decisionNamed(routers, id);
  const by = routers.areSeveral ? router : null;
  if (options.json) {
    const shown = by === null ? decision : { router: by, ...decision };
    speaker.out.write(`${JSON.stringify(shown, null, 2)}\n`);
  } else {
    const chain = await chainOf((other) => get(routers, router, other), decision);
    const styles = stylesOf(speaker);
    const page = { width: widthOf(speaker), all: options.all, styles, nowMs, router: by, sameAdmin: options.sameAdmin };
    speaker.out.write(explainPage(decision, chain, page));
  }
  tellLost(routers.lost, speaker);
}

const pathOf = (id: string): string => `/decisions/${encodeURIComponent(id)}`;

const get = (routers: Routers, router: string, id: string): Promise<DecisionRecord> =>
  routers.get<DecisionRecord>(router, pathOf(id));

function decisionNamed(routers: Routers, id: string): Promise<Told<DecisionRecord>> {
  if (id === 'last') return lastDecision(routers);
  return id === 'slowest' ? slowestDecision(routers) : decisionOf(routers, id);
}

async function lastDecision(routers: Routers): Promise<Told<DecisionRecord>> {
  const told = await routers.ask<Decisions>('/decisions?limit=1');
  const [last] = told
    .flatMap(({ router, answer }) => answer.decisions.map((decision) => ({ router, answer: decision })))
    .sort((a, b) => b.answer.atMs - a.answer.atMs);
  if (last !== undefined) return last;
  const who = routers.areSeveral ? 'these routers have' : 'this router has';
  throw new AdminError(`${who} made no decision yet: send a request`);
}

async function slowestDecision(routers: Routers): Promise<Told<DecisionRecord>> {
  const { router, id } = await slowestOf(routers);
  return { router, answer: await get(routers, router, id) };
}

async function decisionOf(routers: Routers, id: string): Promise<Told<DecisionRecord>> {
  const [found] = await routers.find<DecisionRecord>(pathOf(id));
  if (found === undefined) throw new AdminError(await whyUnknown(routers, id), 404);
  return found;
}

/** Ids begin with the name of their router's life: that tells one which is gone from one that others have. */
async function whyUnknown(routers: Routers, id: string): Promise<string> {
  const lives = await routers.ask<SiblingsView>('/siblings');
  const maker = lives.find(({ answer }) => id.startsWith(`${answer.router}-`));
  const who = routers.areSeveral ? `none of ${routers.names.join(', ')} has decision` : 'the router has no decision';
  if (maker !== undefined) {
    const { settings } = await routers.get<ConfigView>(maker.router, '/config');
    const kept = settings.find(({ name }) => name === 'ROUTER_DECISIONS')?.value;
    const it = routers.areSeveral ? `${maker.router} made it and` : 'it';
    return `${who} '${id}': ${it} keeps its last ${kept} decisions (ROUTER_DECISIONS)`;
  }
  const lost = [...routers.lost].map(([router, reason]) => `. ${router} was not asked: ${reason}`).join('');
  if (!routers.areSeveral) {
    const own = lives[0]!.answer.router;
    return `${who} '${id}': its ids begin with ${own}-: another router made it, or this one before its last start`;
  }
  const own = lives.map(({ router, answer }) => `those of ${router} with ${answer.router}-`).join(', ');
  return `${who} '${id}': ids begin otherwise, ${own}: another router made it, or one of these before its last start${lost}`;
}

/** What went before and after, oldest first, as far as its router still knows it. */
async function chainOf(
  get: (id: string) => Promise<DecisionRecord>,
  decision: DecisionRecord,
): Promise<DecisionRecord[]> {
  const walk = async (next: (of: DecisionRecord) => string | null): Promise<DecisionRecord[]> => {
    const found: DecisionRecord[] = [];
    for (let id = next(decision); id !== null && found.length < LONGEST_CHAIN;) {
      const other = await get(id).catch((error: unknown) => {
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
