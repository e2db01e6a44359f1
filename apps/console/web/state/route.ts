import { signal } from '@preact/signals';

export const VIEWS = ['fleet', 'requests', 'latency', 'index', 'config', 'traces'] as const;
export type View = (typeof VIEWS)[number];

/** Where the reader is: the part of the address after `#`. */
export interface Route {
  readonly view: View;
  /** Worker, decision or trace that is looked at. */
  readonly id: string | null;
}

export function parseRoute(hash: string): Route {
  const [view = '', id] = hash.replace(/^#\/?/, '').split('/');
  const known = VIEWS.find((each) => each === view) ?? 'fleet';
  return { view: known, id: id === undefined || id === '' ? null : decodeURIComponent(id) };
}

export const hrefOf = (view: View, id: string | null = null): string =>
  id === null ? `#/${view}` : `#/${view}/${encodeURIComponent(id)}`;

export const route = signal<Route>(parseRoute(location.hash));

export function startRouting(): void {
  addEventListener('hashchange', () => {
    route.value = parseRoute(location.hash);
  });
}

/** @param replace moving through a list leaves no trail in the history */
export function goTo(view: View, id: string | null = null, replace = false): void {
  const href = hrefOf(view, id);
  if (replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  route.value = { view, id };
}
