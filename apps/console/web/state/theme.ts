import { signal } from '@preact/signals';

export type ThemeChoice = 'system' | 'light' | 'dark';
const STORED = 'sluice.theme';
const NEXT: Readonly<Record<ThemeChoice, ThemeChoice>> = { system: 'light', light: 'dark', dark: 'system' };
const system = matchMedia('(prefers-color-scheme: dark)');

function stored(): ThemeChoice {
  const text = localStorage.getItem(STORED);
  return text === 'light' || text === 'dark' ? text : 'system';
}

export const themeChoice = signal<ThemeChoice>(stored());
/** The theme in force; what is drawn on a canvas is drawn anew when it changes. */
export const theme = signal<'light' | 'dark'>('light');

function apply(): void {
  const choice = themeChoice.value;
  theme.value = choice === 'system' ? (system.matches ? 'dark' : 'light') : choice;
  document.documentElement.dataset['theme'] = theme.value;
}

export function startTheme(): void {
  system.addEventListener('change', apply);
  apply();
}

export function nextTheme(): void {
  themeChoice.value = NEXT[themeChoice.value];
  if (themeChoice.value === 'system') localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, themeChoice.value);
  apply();
}

/** A colour of the style sheet, as a canvas needs it. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
