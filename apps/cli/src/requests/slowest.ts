import type { Requests } from '@sluice/contracts';
import { AdminError } from '../admin-client.ts';
import type { AdminClient } from '../admin-client.ts';

/**
 * Decision id of the request that was longest to its first token, of those that the router still knows.
 * @throws AdminError when none of them showed its first token
 */
export async function slowestId(client: AdminClient): Promise<string> {
  const { requests } = await client.get<Requests>('router', '/requests?by=ttft&limit=1');
  const [slowest] = requests;
  if (slowest === undefined)
    throw new AdminError('this router knows of no streamed answer: try sluice requests --by e2e');
  return slowest.id;
}
