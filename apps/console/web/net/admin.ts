import { signal } from '@preact/signals';

const STORED = 'sluice.token';

/** The admin token of this tab, or an empty string. Gone when the tab is. */
export const token = signal(sessionStorage.getItem(STORED) ?? '');
/** Whether the admin API asked for a token, or refused the one it was given. */
export const tokenWanted = signal(false);

export function setToken(text: string): void {
  token.value = text;
  tokenWanted.value = false;
  if (text === '') sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, text);
}

/** An answer of an admin API that is not 200, or none. */
export class AdminError extends Error {
  readonly status: number | null;

  constructor(message: string, status: number | null) {
    super(message);
    this.status = status;
  }
}

/** GET of an admin API; `path` begins with the service. @throws AdminError unless it answers 200 or one of `also` */
export async function ask(path: string, init: RequestInit = {}, also: readonly number[] = []): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token.value !== '') headers.set('authorization', `Bearer ${token.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: 'no-store' });
  } catch (error) {
    throw new AdminError(`no answer: ${(error as Error).message}`, null);
  }
  if (response.status === 401 || response.status === 403) tokenWanted.value = true;
  if (response.ok || also.includes(response.status)) return response;
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  throw new AdminError(body?.error?.message ?? `answered ${response.status}`, response.status);
}

export async function getJson<T>(path: string, also: readonly number[] = []): Promise<T> {
  return (await (await ask(path, {}, also)).json()) as T;
}
