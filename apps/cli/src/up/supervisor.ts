import type { Child } from '@sluice/process';

/**
 * What the end of a child means: a service is started again if it can be, else nothing works without it; engines and
 * servers are not, so that what the system does without one can be tried; a page is missed by nobody else.
 */
export type ChildKind = 'page' | 'service' | 'engine' | 'server';

/** How often it is looked whether npm is still there. */
const NPM_LOOK_MS = 500;

/** A service that ends so often within so long will not come to stay. */
const MOST_ENDS = 3;
const ENDS_WITHIN_MS = 60_000;
/** Before the first start again; twice as long before the next. */
const FIRST_PAUSE_MS = 500;

interface Entry {
  child: Child;
  readonly kind: ChildKind;
  /** Starts it once more; null: its end is final. */
  readonly again: (() => Child) | null;
  /** When it ended of late, by performance.now(). */
  endedAtMs: readonly number[];
}

/** Owns the children: shows their output, starts services that end again, stops all in the reverse order of their start. */
export class Supervisor {
  readonly #print: (line: string) => void;
  readonly #verbose: boolean;
  readonly #children: Entry[] = [];
  readonly #stopped: Promise<number>;
  #stop: (code: number) => void = () => {};
  #started = false;
  stopping = false;

  constructor(print: (line: string) => void, verbose: boolean) {
    this.#print = print;
    this.#verbose = verbose;
    this.#stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
  }

  /** Shows a child's line: warnings and errors always, everything when verbose. */
  readonly onLine = (name: string, line: string, stream: 'stdout' | 'stderr'): void => {
    // Services log JSON at the chosen level; engines and servers talk on both streams.
    if (this.#verbose || (line.startsWith('{"level"') && name !== 'nats-server')) this.#print(`[${name}] ${line}`);
    else if (stream === 'stderr' && /error|fatal/i.test(line)) this.#print(`[${name}] ${line}`);
  };

  /** @param again starts the same child once more, for a service that is to come back when it ends */
  add(child: Child, kind: ChildKind, again: (() => Child) | null = null): void {
    const entry: Entry = { child, kind, again, endedAtMs: [] };
    this.#children.push(entry);
    this.#watch(entry);
  }

  #watch(entry: Entry): void {
    const { child, kind, again } = entry;
    void child.exited.then(({ code, signal }) => {
      // While things start, whoever waits for the child says how it ended.
      if (this.stopping || !this.#started) return;
      const ended = `[${child.name}] ended (${signal ?? `code ${code}`})`;
      if (kind !== 'service') this.#print(`${ended}, the others go on`);
      else if (again !== null) this.#startAgain(entry, again, ended);
      else this.#giveUp(`${ended}, and with it all`, child);
    });
  }

  #startAgain(entry: Entry, again: () => Child, ended: string): void {
    const nowMs = performance.now();
    entry.endedAtMs = [...entry.endedAtMs.filter((atMs) => nowMs - atMs < ENDS_WITHIN_MS), nowMs];
    const times = entry.endedAtMs.length;
    if (times >= MOST_ENDS) return this.#giveUp(`${ended} ${times} times within a minute: all is stopped`, entry.child);
    const pauseMs = FIRST_PAUSE_MS * 2 ** (times - 1);
    this.#print(`${ended}, is started again in ${pauseMs / 1000} s; the others go on`);
    const timer = setTimeout(() => {
      if (this.stopping) return;
      entry.child = again();
      this.#watch(entry);
    }, pauseMs);
    // Whoever stops the system does not wait for the pause.
    timer.unref();
  }

  #giveUp(reason: string, { outputTail }: Child): void {
    this.#print(outputTail === '' ? reason : `${reason}. Its last words:\n${outputTail}`);
    this.#stop(1);
  }

  /** First Ctrl-C or SIGTERM: stop in order. A second one: at once. */
  handleSignals(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.stopping) {
          for (const { child } of this.#children) child.signal('SIGKILL');
          process.exit(1);
        }
        this.stopping = true;
        this.#print('\nstopping (again to kill)');
        this.#stop(0);
        // During the start nobody waits on #stopped yet: the end of the children makes the start fail, and so ends it.
        void this.stopAll();
      });
    }
  }

  /**
   * npm passes SIGTERM on to its shell, and that does not pass it on: where npm started this process, its end is a signal too.
   * @param startedByNpm as its variable in the environment says
   */
  followNpm(startedByNpm: boolean): void {
    if (!startedByNpm) return;
    const parent = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(timer);
      process.emit('SIGTERM');
    }, NPM_LOOK_MS);
    timer.unref();
  }

  /** Resolves with the exit code when a signal or the end of a service stops the system. */
  untilStopped(): Promise<number> {
    this.#started = true;
    const ended = this.#children.find(({ child, kind }) => kind === 'service' && child.exit !== null);
    if (ended !== undefined)
      throw new Error(`${ended.child.name} ended right after its start:\n${ended.child.outputTail}`);
    return this.#stopped;
  }

  /** The page first, then services (the router drains while its engines still answer), then engines, then servers. */
  async stopAll(): Promise<void> {
    this.stopping = true;
    for (const kind of ['page', 'service', 'engine', 'server'] as const) {
      const children = this.#children.filter((entry) => entry.kind === kind).map((entry) => entry.child);
      await Promise.all(children.reverse().map((child) => child.stop()));
    }
  }
}
