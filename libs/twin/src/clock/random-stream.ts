import type { Rng } from '@sluice/model';
import { seededRng } from '@sluice/numerics';

/** What draws at random besides the policies, each from a stream of its own, so that none shifts another's numbers. */
export type Drawer = 'spread over routers' | 'policy of a further router' | 'lost events' | 'jitter';

/** The stream of number `index` of the drawers of a kind. FNV-1a over the name and both numbers. */
export function randomStream(seed: number, drawer: Drawer, index = 0): Rng {
  let hash = 0x811c9dc5;
  for (const char of `${drawer}/${index}/${seed}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return seededRng(hash);
}
