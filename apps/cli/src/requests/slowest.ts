import type { Requests } from '@sluice/contracts';
import { AdminError } from '../admin-client.ts';
import type { Routers } from '../routers.ts';

/**
 * The request that was longest to its first token of those that the routers still know: its router and its decision id.
 * @throws AdminError when none of them showed its first token
 */
export async function slowestOf(routers: Routers): Promise<{ router: string; id: string }> {
  const told = await routers.ask<Requests>('/requests?by=ttft&limit=1');
  const [slowest] = told
    .flatMap(({ router, answer }) => answer.requests.map(({ id, ttftMs }) => ({ router, id, ttftMs })))
    .sort((a, b) => b.ttftMs! - a.ttftMs!);
  if (slowest === undefined) {
    const who = routers.areSeveral ? 'these routers know' : 'this router knows';
    throw new AdminError(`${who} of no streamed answer: try sluice requests --by e2e`);
  }
  return slowest;
}
