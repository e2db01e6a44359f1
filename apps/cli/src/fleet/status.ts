import type { ServiceStatus } from '@sluice/contracts';
import { AdminClient, AdminError } from '../admin-client.ts';
import { stylesOf, widthOf } from '../speaker.ts';
import type { Speaker } from '../speaker.ts';
import { wrapped } from '../text-table.ts';

export interface StatusOptions {
  /** Admin APIs to ask, each of one service or of several. */
  readonly admin: readonly string[];
  readonly token: string | null;
  readonly json: boolean;
}

/** An admin API and what it says, or why it says nothing. */
interface Asked {
  readonly admin: string;
  readonly services: Readonly<Record<string, ServiceStatus>>;
  readonly error: string | null;
}

/** Prints the state of every service with its checks. Returns whether all of them are ready. */
export async function printStatus(options: StatusOptions, speaker: Speaker): Promise<boolean> {
  const asked = await Promise.all(options.admin.map((admin) => ask(admin, options.token)));
  const ready = asked.every(
    ({ error, services }) => error === null && Object.values(services).every((service) => service.ready),
  );
  if (options.json) speaker.out.write(`${JSON.stringify({ ready, admins: asked }, null, 2)}\n`);
  else speaker.out.write(`${asked.flatMap((each) => statusLines(each, speaker)).join('\n')}\n`);
  return ready;
}

async function ask(admin: string, token: string | null): Promise<Asked> {
  try {
    const { services } = await AdminClient.connect(admin, token);
    return { admin, services: Object.fromEntries(services), error: null };
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return { admin, services: {}, error: error.message };
  }
}

function statusLines({ services, error }: Asked, speaker: Speaker): string[] {
  const { bold, faint, bad } = stylesOf(speaker);
  const width = widthOf(speaker);
  if (error !== null) return wrapped(error, width, 2).map(bad);
  return Object.entries(services).flatMap(([name, { ready, checks }]) => {
    const named = Object.entries(checks);
    const margin = Math.max(0, ...named.map(([check]) => check.length));
    const lines = named.flatMap(([check, { ok, detail }]) => {
      const text = `  ${ok ? 'ok ' : 'BAD'}  ${check.padEnd(margin)}  ${detail}`;
      return wrapped(text, width, margin + 9).map(ok ? faint : bad);
    });
    return [bold(`${name}: ${ready ? 'ready' : 'not ready'}`), ...lines];
  });
}
