import { useEffect } from 'preact/hooks';
import { count, percent, short } from '../format.ts';
import { useListKeys } from '../keyboard.ts';
import { fillTone, Meter } from '../parts/small.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { goTo, route } from '../state/route.ts';
import { live } from '../state/store.ts';
import { cachedTokensOf, conditionOf, loadOf } from '../state/workers.ts';
import type { SortKey } from '../state/workers.ts';
import { ConditionMark, PREFIXES } from './worker-parts.tsx';

const HEADS: readonly (readonly [key: SortKey, label: string, isNumber: boolean, title: string])[] = [
  ['worker', 'Worker', false, 'Engine and rank'],
  ['role', 'Role', false, 'Which leg of a request it serves'],
  ['condition', 'State', false, 'Whether it takes requests'],
  ['load', 'Load', false, "Requests that it has, by the routers' ledgers or by the engine, whichever is more"],
  ['heldRequests', 'Held', true, 'Requests that the router holds until it has room'],
  ['queuedPrefillTokens', 'Queued tok', true, 'Uncached prompt tokens that wait for their prefill'],
  ['decodesRunning', 'Decodes', true, 'Requests past their first token'],
  ['waitingRequests', 'Waiting', true, 'By the engine itself'],
  ['kvUsage', 'KV use', false, 'Of its KV cache'],
  ['cachedTokens', 'Cached tok', true, 'In its cache, as far as the index knows'],
  ['prefixes', 'Prefixes', false, 'How what it holds is known'],
];
const ROW = 32;

interface WorkerTableProps {
  readonly rows: readonly number[];
  readonly selected: string | null;
  readonly sort: { readonly key: SortKey; readonly descending: boolean };
  readonly onSort: (key: SortKey) => void;
}

/** Every worker with its numbers; as many rows are in the page as are in sight. */
export function WorkerTable({ rows, selected, sort, onSort }: WorkerTableProps) {
  const { workers } = live;
  const at = selected === null ? -1 : rows.indexOf(workers.row(selected));
  useEffect(() =>
    useListKeys({
      move: (by) => {
        // where the reader is now: a key may come before the page is drawn for the last one
        const from = route.value.id;
        const at = from === null ? -1 : rows.indexOf(workers.row(from));
        const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
        if (row !== undefined) goTo('fleet', workers.list[row]!.worker, from !== null);
      },
    }),
  );
  const most = Math.max(8, ...rows.map((row) => loadOf(workers, row)));
  const head = (
    <div class="row head worker-row" role="row">
      {HEADS.map(([key, label, isNumber, title]) => (
        <button
          type="button"
          class={isNumber ? 'number' : ''}
          title={title}
          aria-sort={key !== sort.key ? undefined : sort.descending ? 'descending' : 'ascending'}
          onClick={() => onSort(key)}
          key={key}
        >
          {label}
          {key === sort.key && <span class="arrow">{sort.descending ? '↓' : '↑'}</span>}
        </button>
      ))}
    </div>
  );
  const renderRow = (index: number) => {
    const row = rows[index]!;
    const { worker, role, variant } = workers.list[row]!;
    const value = (column: Parameters<typeof workers.value>[0]): number => workers.value(column, row);
    const condition = conditionOf(workers, row);
    const isRead = value('silentS') !== -1;
    return (
      <div
        class="row worker-row"
        role="row"
        aria-selected={worker === selected}
        onClick={() => goTo('fleet', worker)}
        key={worker}
      >
        <span class="name" title={worker}>
          {worker}
        </span>
        <span class="soft" title={variant}>
          {role}
        </span>
        <ConditionMark condition={condition} />
        <Meter share={loadOf(workers, row) / most} text={count(loadOf(workers, row))} />
        <span class="number">{zeroAsDot(value('heldRequests'))}</span>
        <span class="number">{zeroAsDot(value('queuedPrefillTokens'))}</span>
        <span class="number">{zeroAsDot(value('decodesRunning'))}</span>
        <span class="number">{zeroAsDot(value('waitingRequests'))}</span>
        {isRead ? (
          <Meter share={value('kvUsage')} text={percent(value('kvUsage'))} tone={fillTone(value('kvUsage'))} />
        ) : (
          <span class="number">–</span>
        )}
        <span class="number">{short(cachedTokensOf(workers, row))}</span>
        <span class="soft">{PREFIXES[value('prefixes')]}</span>
      </div>
    );
  };
  return (
    <VirtualList
      class="workers"
      label="Workers"
      count={rows.length}
      rowHeight={ROW}
      renderRow={renderRow}
      selected={at}
      head={head}
    />
  );
}

const zeroAsDot = (value: number) => (value === 0 ? <span class="faint">·</span> : short(value));
