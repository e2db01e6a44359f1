import { AdminClient, AdminError, isUnanswered } from './admin-client.ts';
import { stylesOf, widthOf } from './speaker.ts';
import type { Speaker } from './speaker.ts';
import { wrapped } from './text-table.ts';

/** Which routers are asked. */
export interface RoutersOptions {
  readonly admin: string;
  readonly token: string | null;
  /** This one alone of several behind a console. */
  readonly router?: string;
}

/** What one router answered. */
export interface Told<T> {
  readonly router: string;
  readonly answer: T;
}

/**
 * The routers behind admin APIs: as a rule one, or those that a console stands in front of. One that does not answer is
 * left out and not asked again; only when none does is that a failure.
 */
export class Routers {
  /** Why those that were left out do not answer, by name. */
  readonly lost = new Map<string, string>();
  /** Names of those that are asked. */
  readonly names: readonly string[];
  readonly #clients: ReadonlyMap<string, AdminClient>;

  /** @param only asks this one alone. @throws AdminError when there is none, or none of that name */
  constructor(clients: readonly AdminClient[], only: string | null = null) {
    const all = new Map(clients.flatMap((client) => client.routers.map((name) => [name, client] as const)));
    const here = clients.map(({ origin }) => origin).join(', ');
    if (all.size === 0) {
      const found = clients.flatMap(({ services }) => [...services.keys()]).join(', ');
      throw new AdminError(`${here} is the admin API of ${found}, not of a router`);
    }
    if (only !== null && !all.has(only)) {
      throw new AdminError(`${here} has no router '${only}': it has ${[...all.keys()].join(', ')}`);
    }
    this.#clients = all;
    this.names = only === null ? [...all.keys()] : [only];
  }

  /** @throws AdminError as the constructor, and when the address does not answer */
  static async connect({ admin, token, router }: RoutersOptions): Promise<Routers> {
    return new Routers([await AdminClient.connect(admin, token)], router);
  }

  /** Whether more than one is asked, so that answers should say whose they are. */
  get areSeveral(): boolean {
    return this.names.length > 1;
  }

  /** `GET path` of one router. @throws AdminError */
  get<T>(router: string, path: string): Promise<T> {
    return this.#clients.get(router)!.get<T>(router, path);
  }

  /** `GET path` of every router. @throws AdminError when one refuses, or none answers */
  ask<T>(path: string): Promise<Told<T>[]> {
    return this.#each(async (router) => [{ router, answer: await this.get<T>(router, path) }]);
  }

  /** The same of those that do not answer 404. @throws AdminError as {@link ask} */
  find<T>(path: string): Promise<Told<T>[]> {
    return this.#each(async (router) => {
      try {
        return [{ router, answer: await this.get<T>(router, path) }];
      } catch (error) {
        if (error instanceof AdminError && error.status === 404) return [];
        throw error;
      }
    });
  }

  async #each<T>(ask: (router: string) => Promise<Told<T>[]>): Promise<Told<T>[]> {
    const asked = this.names.filter((name) => !this.lost.has(name));
    const errors: AdminError[] = [];
    const told = await Promise.all(
      asked.map(async (router) => {
        try {
          return await ask(router);
        } catch (error) {
          if (!isUnanswered(error)) throw error;
          errors.push(error);
          this.lost.set(router, error.message);
          return [];
        }
      }),
    );
    if (errors.length === asked.length) throw errors[0]!;
    return told.flat();
  }
}

/** Says on stderr who was left out. Returns whether nobody was. */
export function tellLost(lost: ReadonlyMap<string, string>, speaker: Speaker): boolean {
  const { bad } = stylesOf(speaker);
  for (const [name, reason] of lost) {
    const lines = wrapped(`without ${name}: ${reason}`, widthOf(speaker), 2).map(bad);
    speaker.err.write(`${lines.join('\n')}\n`);
  }
  return lost.size === 0;
}
