import { signal } from '@preact/signals';
import { goTo, route } from './state/route.ts';
import type { View } from './state/route.ts';
import { paused } from './state/store.ts';
import { nextTheme } from './state/theme.ts';

/** What the view on the screen does with keys of lists. */
export interface ListKeys {
  /** Moves the selection. */
  move(by: number): void;
}

export const helpShown = signal(false);
let list: ListKeys | null = null;

/** Makes a view the one that j and k go to; returns how to end that. */
export function useListKeys(keys: ListKeys): () => void {
  list = keys;
  return () => {
    if (list === keys) list = null;
  };
}

export const VIEW_KEYS: Readonly<Record<string, View>> = {
  f: 'fleet',
  r: 'requests',
  l: 'latency',
  i: 'index',
  c: 'config',
  t: 'traces',
};

/** For the help. */
export const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ['j  k', 'next, previous in the list'],
  ['/', 'filter'],
  ['Esc', 'leave the filter, close what is open'],
  ['g f', 'fleet'],
  ['g r', 'requests'],
  ['g l', 'latency'],
  ['g i', 'index and events'],
  ['g c', 'configuration'],
  ['g t', 'traces'],
  ['p', 'hold the list of requests still'],
  ['t', 'theme: as the system, light, dark'],
  ['?', 'this help'],
];

const CHORD_MS = 1200;

export function startKeyboard(): void {
  let chordAtMs = -Infinity;
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (event.key === 'Escape') {
      if (typing) (event.target as HTMLElement).blur();
      else if (helpShown.value) helpShown.value = false;
      else if (route.value.id !== null) goTo(route.value.view);
      return;
    }
    if (typing) return;
    if (event.timeStamp - chordAtMs < CHORD_MS) {
      chordAtMs = -Infinity;
      const view = VIEW_KEYS[event.key];
      if (view !== undefined) goTo(view);
      return;
    }
    if (event.key === 'g') chordAtMs = event.timeStamp;
    else if (press(event.key)) event.preventDefault();
  });
}

/** Returns whether the key means something. */
function press(key: string): boolean {
  switch (key) {
    case 'j':
    case 'ArrowDown':
      list?.move(1);
      return list !== null;
    case 'k':
    case 'ArrowUp':
      list?.move(-1);
      return list !== null;
    case '/':
      document.querySelector<HTMLInputElement>('input[type=search]')?.focus();
      return true;
    case '?':
      helpShown.value = !helpShown.value;
      return true;
    case 't':
      nextTheme();
      return true;
    case 'p':
      paused.value = !paused.value;
      return true;
    default:
      return false;
  }
}
