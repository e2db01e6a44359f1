import { count, percent, short } from '../format.ts';
import { fillTone, Meter } from '../parts/small.tsx';
import { hrefOf } from '../state/route.ts';
import { live } from '../state/store.ts';
import { cachedTokensOf, conditionOf, loadOf } from '../state/workers.ts';
import { ConditionMark } from './worker-parts.tsx';

/** A few workers, each on a card. */
export function FleetTiles({ rows, selected }: { rows: readonly number[]; selected: string | null }) {
  const { workers } = live;
  const most = Math.max(8, ...rows.map((row) => loadOf(workers, row)));
  return (
    <div class="tiles">
      {rows.map((row) => {
        const { worker, role } = workers.list[row]!;
        const load = loadOf(workers, row);
        const kv = workers.value('kvUsage', row);
        const condition = conditionOf(workers, row);
        return (
          <a class={`tile ${condition}`} href={hrefOf('fleet', worker)} aria-current={worker === selected} key={worker}>
            <div class="tile-head">
              <strong>{worker}</strong>
              <ConditionMark condition={condition} />
            </div>
            <dl>
              <dt>Load</dt>
              <dd>
                <Meter share={load / most} text={count(load)} />
              </dd>
              <dt>KV</dt>
              <dd>
                <Meter share={kv} text={percent(kv)} tone={fillTone(kv)} />
              </dd>
            </dl>
            <div class="tile-foot">
              {role} · {short(cachedTokensOf(workers, row))} tokens cached ·{' '}
              {count(workers.value('waitingRequests', row))} waiting
            </div>
          </a>
        );
      })}
    </div>
  );
}
