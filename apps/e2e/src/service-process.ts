import { join } from 'node:path';
import { Child } from '@sluice/process';
import { repoRoot, waitFor } from '@sluice/testkit';

/** One service as a process of its own: started by its entry point and environment, as a container would start it, and restartable. */
export class ServiceProcess {
  /** Shown in errors: services may run more than once. */
  readonly name: string;
  readonly adminUrl: string;
  readonly #service: string;
  readonly #env: Readonly<Record<string, string | undefined>>;
  #child: Child | null = null;

  constructor(
    service: string,
    adminPort: number,
    env: Readonly<Record<string, string | undefined>>,
    name: string = service,
  ) {
    this.name = name;
    this.adminUrl = `http://127.0.0.1:${adminPort}`;
    this.#service = service;
    const port = `${service.replace('-', '_').toUpperCase()}_ADMIN_PORT`;
    this.#env = { SLUICE_LOG_LEVEL: 'warn', ...env, [port]: String(adminPort) };
  }

  get child(): Child {
    if (this.#child === null) throw new Error(`${this.name} was not started`);
    return this.#child;
  }

  /** Resolves when it is ready. @param further variables of this start only */
  async start(further: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = new Child({
      name: this.name,
      command: process.execPath,
      args: ['--enable-source-maps', join(repoRoot, 'apps', this.#service, 'dist/main.js')],
      env: { ...this.#env, ...further },
    });
    this.#child = child;
    await waitFor(`${this.name} ready`, 20_000, async () => {
      if (child.exit !== null) throw new Error(`${this.name} ended:\n${child.outputTail}`);
      return (await fetch(`${this.adminUrl}/readyz`)).ok;
    });
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.child.signal('SIGKILL');
    await this.child.exited;
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  async getAdmin<T>(path: string): Promise<T> {
    const response = await fetch(`${this.adminUrl}${path}`);
    if (!response.ok) throw new Error(`GET ${this.name}${path}: ${response.status}`);
    return (await response.json()) as T;
  }
}
