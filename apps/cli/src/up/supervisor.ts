import type { Child } from '@sluice/process';

/** What the end of a child means: without a service nothing works; an engine or a server may come back, and a page is missed by nobody else. */
export type ChildKind = 'page' | 'service' | 'engine' | 'server';

/** How often it is looked whether npm is still there. */
const NPM_LOOK_MS = 500;

/** Owns the children: shows their output, notices their end, stops them in the reverse order of their start. */
export class Supervisor {
  readonly #print: (line: string) => void;
  readonly #verbose: boolean;
  readonly #children: { child: Child; kind: ChildKind }[] = [];
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

  add(child: Child, kind: ChildKind): void {
    this.#children.push({ child, kind });
    void child.exited.then(({ code, signal }) => {
      // While things start, whoever waits for the child says how it ended.
      if (this.stopping || !this.#started) return;
      const how = signal === null ? `code ${code}` : signal;
      this.#print(
        `[${child.name}] ended (${how})${kind === 'service' ? `:\n${child.outputTail}` : ', the others go on'}`,
      );
      if (kind === 'service') this.#stop(1);
    });
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
