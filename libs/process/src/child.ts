import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  /** Shown in errors and given to `onLine`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Receives every line of stdout and stderr. */
  readonly onLine?: (name: string, line: string, stream: 'stdout' | 'stderr') => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How many lines of output are kept for error messages. */
const KEPT_LINES = 60;

/** A child process whose output is read by lines and which is stopped by its own process id. */
export class Child {
  readonly name: string;
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  readonly #waiters = new Set<(line: string) => void>();
  readonly #tail: string[] = [];
  #exit: ChildExit | null = null;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#process = spawn(options.command, options.args, {
      env: { ...options.env },
      cwd: options.cwd,
      // A group of its own: a Ctrl-C at the terminal reaches the supervisor only, which then stops its children in order.
      // The fourth stream closes when the supervisor dies, however it dies; children started with it end themselves.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.exited = new Promise((resolve) => {
      const end = (exit: ChildExit): void => {
        this.#exit ??= exit;
        resolve(this.#exit);
      };
      this.#process.once('exit', (code, signal) => end({ code, signal }));
      this.#process.once('error', (error) => {
        this.#keep(String(error));
        end({ code: 127, signal: null });
      });
    });
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = this.#process[stream];
      if (input === null) continue;
      createInterface({ input }).on('line', (line) => {
        this.#keep(line);
        options.onLine?.(this.name, line, stream);
        for (const waiter of this.#waiters) waiter(line);
      });
    }
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** How it ended, or null while it runs. */
  get exit(): ChildExit | null {
    return this.#exit;
  }

  /** The last lines of output, for error messages. */
  get outputTail(): string {
    return this.#tail.join('\n');
  }

  /** Resolves with the first line, earlier ones included, that `pattern` matches; rejects when the child ends or time is up. */
  async waitForLine(pattern: RegExp, timeoutMs: number): Promise<string> {
    const seen = this.#tail.find((line) => pattern.test(line));
    if (seen !== undefined) return seen;
    let waiter: (line: string) => void = () => {};
    let timer: NodeJS.Timeout | undefined;
    try {
      return await Promise.race([
        new Promise<string>((resolve) => {
          waiter = (line) => {
            if (pattern.test(line)) resolve(line);
          };
          this.#waiters.add(waiter);
        }),
        this.exited.then(({ code, signal }) => {
          throw new Error(`${this.name} ended (${signal ?? `code ${code}`}) before it was ready:\n${this.outputTail}`);
        }),
        new Promise<never>((_resolve, reject) => {
          timer = setTimeout(
            () => reject(new Error(`${this.name} not ready after ${timeoutMs} ms:\n${this.outputTail}`)),
            timeoutMs,
          );
        }),
      ]);
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(waiter);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === null) this.#process.kill(signal);
  }

  /** SIGTERM, and SIGKILL when it still runs after `graceMs`. */
  async stop(graceMs = 12_000): Promise<ChildExit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), graceMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  #keep(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > KEPT_LINES) this.#tail.shift();
  }
}
