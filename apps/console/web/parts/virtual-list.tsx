import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface VirtualListProps {
  readonly count: number;
  readonly rowHeight: number;
  readonly renderRow: (index: number) => ComponentChildren;
  /** Kept in sight when it changes. */
  readonly selected?: number;
  readonly head?: ComponentChildren;
  readonly class?: string;
  readonly label: string;
}

/** Rows beyond either edge, so that a quick wheel meets no gap. */
const BEYOND = 8;

/** A scrolling list of any length that holds only the rows in sight. */
export function VirtualList({ count, rowHeight, renderRow, selected, head, label, ...props }: VirtualListProps) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const read = (): void => {
    const { scrollTop, clientHeight } = box.current!;
    setView((before) =>
      before.top === scrollTop && before.height === clientHeight ? before : { top: scrollTop, height: clientHeight },
    );
  };
  useLayoutEffect(() => {
    const observer = new ResizeObserver(read);
    observer.observe(box.current!);
    read();
    return () => observer.disconnect();
  }, []);
  useLayoutEffect(() => {
    if (selected === undefined || selected < 0) return;
    const element = box.current!;
    const headHeight = (element.firstElementChild as HTMLElement | null)?.dataset['head'] === undefined ? 0 : 32;
    const top = selected * rowHeight;
    const seen = element.clientHeight - headHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + seen) element.scrollTop = top + rowHeight - seen;
  }, [selected]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - BEYOND);
  const last = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + BEYOND);
  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index++) rows.push(renderRow(index));
  return (
    <div
      class={`scroll ${props.class ?? ''}`}
      ref={box}
      onScroll={read}
      role="grid"
      aria-label={label}
      aria-rowcount={count}
    >
      {head !== undefined && (
        <div class="list-head" data-head>
          {head}
        </div>
      )}
      <div class="list-body" style={{ height: `${count * rowHeight}px` }}>
        <div style={{ transform: `translateY(${first * rowHeight}px)` }}>{rows}</div>
      </div>
    </div>
  );
}
