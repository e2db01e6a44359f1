import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { getJson } from '../net/admin.ts';

/** A share of something as a bar with its number. */
export function Meter({ share, text, tone = '' }: { share: number; text: string; tone?: string }) {
  return (
    <span class="meter">
      <span class="meter-track">
        <span class={`meter-fill ${tone}`} style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
      </span>
      <span class="meter-text">{text}</span>
    </span>
  );
}

export const fillTone = (share: number): string => (share >= 0.95 ? 'bad' : share >= 0.85 ? 'warn' : '');

export function Panel(props: {
  title?: ComponentChildren;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  return (
    <section class={`panel ${props.class ?? ''}`}>
      {props.title !== undefined && (
        <header class="panel-head">
          <h2>{props.title}</h2>
          {props.note !== undefined && <span class="note">{props.note}</span>}
          {props.tools !== undefined && <div class="tools">{props.tools}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <strong>{title}</strong>
    {children !== undefined && <p>{children}</p>}
  </div>
);

/** One of several, as a row of buttons. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (readonly [value: T, label: string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, label]) => (
        <button type="button" aria-pressed={value === props.value} onClick={() => props.onChange(value)} key={value}>
          {label}
        </button>
      ))}
    </div>
  );
}

export function Search({ value, onInput, label }: { value: string; onInput: (text: string) => void; label: string }) {
  return (
    <label class="search">
      <input
        type="search"
        placeholder={label}
        aria-label={label}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <kbd>/</kbd>
    </label>
  );
}

/** A curve without axes. */
export function Spark({ values }: { values: readonly (number | null)[] }) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return <svg class="spark" aria-hidden="true" />;
  const most = Math.max(...known, 1e-9);
  const step = 100 / (values.length - 1);
  let path = '';
  values.forEach((value, i) => {
    if (value === null) return;
    const before = i === 0 ? null : values[i - 1];
    path += `${before == null ? 'M' : 'L'}${(i * step).toFixed(1)} ${(23 - (22 * value) / most).toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

export type Loaded<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'value'; readonly value: T }
  | { readonly kind: 'error'; readonly message: string };

/** The answer of an admin API, asked for again every `everyMs` while the view is there. */
export function usePolled<T>(path: string, everyMs: number, also: readonly number[] = []): Loaded<T> {
  return usePolling(() => getJson<T>(path, also), path, everyMs);
}

/** The same of several paths at once: the answers of those that answer, an error when none does. */
export function usePolledAll<T>(paths: readonly string[], everyMs: number): Loaded<readonly T[]> {
  return usePolling(() => allThatAnswer<T>(paths), paths.join(), everyMs);
}

async function allThatAnswer<T>(paths: readonly string[]): Promise<readonly T[]> {
  const answers = await Promise.allSettled(paths.map((path) => getJson<T>(path)));
  const values = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (values.length === 0 && failed !== undefined) throw failed.reason;
  return values;
}

/** @param key another one begins anew */
function usePolling<T>(ask: () => Promise<T>, key: string, everyMs: number): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ kind: 'loading' });
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isHere = true;
    const load = async (): Promise<void> => {
      const next = await ask().then(
        (value): Loaded<T> => ({ kind: 'value', value }),
        (error: unknown): Loaded<T> => ({ kind: 'error', message: (error as Error).message }),
      );
      if (!isHere) return;
      setLoaded(next);
      timer = setTimeout(() => void load(), everyMs);
    };
    void load();
    return () => {
      isHere = false;
      clearTimeout(timer);
    };
  }, [key, everyMs]);
  return loaded;
}
