import type { DecisionRecord } from '@sluice/contracts';
import { useEffect, useState } from 'preact/hooks';
import { clock, count, duration } from '../format.ts';
import { AdminError, getJson } from '../net/admin.ts';
import { Empty } from '../parts/small.tsx';
import { hrefOf } from '../state/route.ts';
import { routers } from '../state/services.ts';
import { live, revision } from '../state/store.ts';
import { chainOf, triedBefore } from '../why/chain.ts';
import { verdictOf } from '../why/verdict.ts';
import { Candidates } from './candidates.tsx';
import { Fact } from './worker-panel.tsx';
import { Happened } from './happened.tsx';

interface Found {
  readonly router: string;
  readonly decision: DecisionRecord;
  readonly chain: readonly DecisionRecord[];
}

async function decisionOf(router: string, id: string): Promise<DecisionRecord | null> {
  try {
    return await getJson<DecisionRecord>(`${router}/decisions/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error instanceof AdminError && error.status === 404) return null;
    throw error;
  }
}

/** The router that decided knows why: the one that told of it, or, from an address that was passed on, whichever has it. */
async function find(id: string): Promise<Pick<Found, 'router' | 'decision'> | null> {
  const told = live.requests.get(id)?.router;
  let failed: unknown = null;
  for (const router of told === undefined ? routers : [told]) {
    try {
      const decision = await decisionOf(router, id);
      if (decision !== null) return { router, decision };
    } catch (error) {
      failed = error;
    }
  }
  if (failed !== null) throw failed;
  return null;
}

/** Why a request went where it went: the candidates, what they would have cost, and what happened. */
export function WhyView({ id }: { id: string }) {
  void revision.value;
  const [found, setFound] = useState<Found | 'missing' | Error | null>(null);
  const told = live.requests.get(id);
  // It is read again when the stream says that it ended or was repeated.
  const version = `${told?.outcome?.result ?? ''}|${told?.followedBy ?? ''}`;
  useEffect(() => {
    let isHere = true;
    const load = async (): Promise<void> => {
      const known = await find(id);
      if (!isHere) return;
      if (known === null) return setFound('missing');
      const { router, decision } = known;
      const chain = await chainOf(decision, (other) => decisionOf(router, other));
      if (isHere) setFound({ router, decision, chain });
    };
    load().catch((error: unknown) => isHere && setFound(error as Error));
    return () => {
      isHere = false;
    };
  }, [id, version]);
  if (found === null) return <section class="panel why" aria-busy="true" />;
  if (found === 'missing') {
    return (
      <section class="panel why">
        <Empty title={`Decision ${id} is not, or no longer, in a router's log.`}>
          A router's log keeps its last ROUTER_DECISIONS decisions.
        </Empty>
      </section>
    );
  }
  if (found instanceof Error) {
    return (
      <section class="panel why">
        <Empty title="The router could not be asked.">{found.message}</Empty>
      </section>
    );
  }
  return <Why {...found} />;
}

function Why({ router, decision, chain }: Found) {
  const { id, atMs, traceId, model, pool, policy, basis, level, promptTokens, expectedOutputTokens, exactPrompt } =
    decision;
  const kept = decision.candidates.filter(({ keptForOthers }) => keptForOthers).length;
  return (
    <section class="panel why" aria-label={`Decision ${id}`}>
      <header class="why-head">
        <div>
          <h2>Why {decision.worker}?</h2>
          <p class="verdict">{verdictOf(decision)}</p>
        </div>
        <div class="why-links">
          <span class="mono soft">{id}</span>
          {traceId !== null && <a href={hrefOf('traces', traceId)}>Trace</a>}
        </div>
      </header>
      {chain.length > 1 && <Chain chain={chain} current={id} />}
      <dl class="facts across">
        <Fact name="Decided">
          {clock(atMs, true)}
          {routers.length > 1 && ` by ${router}`}
        </Fact>
        <Fact name="Model">{model ?? pool}</Fact>
        <Fact name="Policy">{basis === policy ? policy : `${policy}, degraded to ${basis}`}</Fact>
        <Fact name="Prompt">
          {count(Math.round(promptTokens))} tokens{exactPrompt ? '' : ', estimated'}
        </Fact>
        <Fact name="Answer expected">{count(Math.round(expectedOutputTokens))} tokens</Fact>
        <Fact name="Tenant">
          {level.tenant === '' ? 'none named' : level.tenant}
          {level.priority !== 0 && `, priority ${level.priority}`}
        </Fact>
        {kept > 0 && (
          <Fact name="Kept for others">
            {count(kept)} of {count(decision.candidates.length)} workers, as the tenant floods
          </Fact>
        )}
        {level.ttftSloMs !== null && <Fact name="TTFT wanted">{duration(level.ttftSloMs)}</Fact>}
        {level.tpotSloMs !== null && <Fact name="TPOT wanted">{duration(level.tpotSloMs)}</Fact>}
        {level.deadlineMs !== null && <Fact name="Deadline">{duration(level.deadlineMs)}</Fact>}
      </dl>
      <Happened decision={decision} />
      <Candidates decision={decision} tried={triedBefore(decision, chain)} key={id} />
      {decision.shadows.length > 0 && <Shadows decision={decision} />}
    </section>
  );
}

/** The decisions of one request, where there are several. */
const Chain = ({ chain, current }: { chain: readonly DecisionRecord[]; current: string }) => (
  <ol class="chain" aria-label="Decisions of this request">
    {chain.map(({ id, worker, outcome, movedFrom }, i) => (
      <li key={id}>
        {i > 0 && <span class="soft">{movedFrom === null ? 'retried on' : 'moved to'}</span>}
        <a href={hrefOf('requests', id)} aria-current={id === current}>
          {worker}
        </a>
        {outcome !== null && outcome.result !== 'completed' && (
          <span class="bad">{outcome.cause ?? outcome.result}</span>
        )}
      </li>
    ))}
  </ol>
);

const Shadows = ({ decision }: { decision: DecisionRecord }) => (
  <div class="block">
    <h3>Other policies</h3>
    <table class="plain-table">
      <thead>
        <tr>
          <th>Policy</th>
          <th>Its worker</th>
          <th class="number">TTFT there</th>
          <th class="number">Against ours</th>
        </tr>
      </thead>
      <tbody>
        {decision.shadows.map(({ policy, worker, agrees, ttftMs, ttftRegretMs }) => (
          <tr key={policy}>
            <td>{policy}</td>
            <td>{agrees ? 'the same' : (worker ?? 'none')}</td>
            <td class="number">{duration(ttftMs)}</td>
            <td class="number">
              {ttftRegretMs === null || agrees
                ? '–'
                : `${ttftRegretMs > 0 ? '+' : '−'}${duration(Math.abs(ttftRegretMs))}`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
);
