import type { ComponentChildren } from 'preact';
import { count, duration, percent, short } from '../format.ts';
import { hrefOf } from '../state/route.ts';
import { live } from '../state/store.ts';
import { cachedTokensOf, conditionOf } from '../state/workers.ts';
import type { ToldOf } from '../state/workers.ts';
import { ConditionMark, PREFIXES } from './worker-parts.tsx';
import { EndingMark } from './request-parts.tsx';

const MOST_REQUESTS = 12;

/** One worker: what it is, how it is, and what it was sent last. */
export function WorkerPanel({ worker, onClose }: { worker: string; onClose: () => void }) {
  const { workers, requests } = live;
  const row = workers.row(worker);
  const spec = workers.list[row];
  if (spec === undefined) {
    return (
      <aside class="panel side">
        <Head worker={worker} onClose={onClose} />
        <p class="empty">It is not in the fleet.</p>
      </aside>
    );
  }
  const value = (column: Parameters<typeof workers.value>[0]): number => workers.value(column, row);
  const reason = workers.reasonOf(row);
  const told = workers.toldOf(row);
  const silentS = value('silentS');
  const capacity = value('kvCapacityTokens');
  const sent = requests.list.filter((request) => request.worker === worker).slice(0, MOST_REQUESTS);
  return (
    <aside class="panel side" aria-label={`Worker ${worker}`}>
      <Head worker={worker} onClose={onClose} />
      <div class="side-body">
        <ConditionMark condition={conditionOf(workers, row)} />
        {reason !== null && told.length === 0 && <p class="reason">{reason}</p>}
        {silentS > 0 && <p class="reason">Its engine was last read {count(silentS)} s ago.</p>}
        <dl class="facts">
          <Fact name="Engine">{spec.url}</Fact>
          {spec.dpRank !== null && <Fact name="Rank">{spec.dpRank}</Fact>}
          <Fact name="Pool">{spec.pool}</Fact>
          <Fact name="Role">{spec.role}</Fact>
          <Fact name="Variant">{spec.variant}</Fact>
        </dl>
        {told.length > 0 && <ToldBy told={told} />}
        <h3>Load</h3>
        <dl class="facts">
          <Fact name="In flight">
            {count(value('inflightRequests'))}
            {value('siblingRequests') > 0 && ` (${count(value('siblingRequests'))} by other routers)`}
          </Fact>
          <Fact name="Held for it">{count(value('heldRequests'))}</Fact>
          <Fact name="Queued prompt tokens">{count(value('queuedPrefillTokens'))}</Fact>
          <Fact name="Running, by the engine">{count(value('runningRequests'))}</Fact>
          <Fact name="Waiting, by the engine">{count(value('waitingRequests'))}</Fact>
        </dl>
        <h3>KV cache</h3>
        <dl class="facts">
          <Fact name="In use">
            {percent(value('kvUsage'))} of {short(capacity)} tokens
          </Fact>
          <Fact name="Cached tokens">{count(cachedTokensOf(workers, row))}</Fact>
          <Fact name="Known">{PREFIXES[value('prefixes')]}</Fact>
        </dl>
        <h3>Last requests</h3>
        {sent.length === 0 && <p class="soft">None that this page has seen.</p>}
        {sent.map((request) => (
          <a class="sent" href={hrefOf('requests', request.id)} key={request.id}>
            <EndingMark ending={requests.endingOf(request)} />
            <span class="mono">{request.id}</span>
            <span class="number">{duration(request.outcome?.ttftMs ?? null)}</span>
          </a>
        ))}
      </div>
    </aside>
  );
}

const Head = ({ worker, onClose }: { worker: string; onClose: () => void }) => (
  <header class="panel-head">
    <h2>{worker}</h2>
    <div class="tools">
      <button type="button" class="plain" onClick={onClose} aria-label="Close" title="Close (Esc)">
        ✕
      </button>
    </div>
  </header>
);

/** The worker as each router sees it. */
const ToldBy = ({ told }: { told: readonly ToldOf[] }) => (
  <>
    <h3>By router</h3>
    {told.map(({ router, workers, row, reason }) => (
      <div class="told" key={router}>
        <span class="name">{router}</span>
        <ConditionMark condition={conditionOf(workers, row)} />
        <span class="number" title="Requests that it has sent there itself">
          {count(workers.value('inflightRequests', row) - workers.value('siblingRequests', row))} in flight
        </span>
        {reason !== null && <p class="reason">{reason}</p>}
      </div>
    ))}
  </>
);

export const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
);
