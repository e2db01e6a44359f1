import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, freePort, startPrometheus } from '@sluice/process';
import { repoRoot, waitFor } from '@sluice/testkit';
import { env } from '../setup.ts';

export const RULES = join(repoRoot, 'deploy/prometheus/rules/sluice.yml');

/** One series of an answer; instant queries have one value. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [atS: number, value: string])[];
}

export interface Alert {
  readonly name: string;
  readonly state: 'pending' | 'firing';
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
}

/**
 * The rules with their times shortened, so that what takes minutes in production takes seconds in a test. Thresholds stay:
 * whatever fires here would fire there, later.
 */
export const shortened = (rules: string): string =>
  rules
    .replace(/^(\s*for:) \S+$/gm, '$1 2s')
    .replaceAll('[5m]', '[10s]')
    .replace(/\[(10m|1h)\]/g, '[15s]')
    .replaceAll('[15m]', '[30s]');

/** A real Prometheus that scrapes a running system every second. */
export class Prometheus {
  readonly url: string;
  readonly #child: Child;
  readonly #folder: string;

  private constructor(child: Child, url: string, folder: string) {
    this.#child = child;
    this.url = url;
    this.#folder = folder;
  }

  /** @param targets host and port of every service's admin API, @param rules text of a rules file */
  static async start(targets: readonly string[], rules: string): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-prometheus-'));
    const port = await freePort();
    const configFile = join(folder, 'prometheus.yml');
    // JSON is YAML.
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(folder, 'rules.yml')],
      scrape_configs: [{ job_name: 'sluice', static_configs: [{ targets }] }],
    };
    await mkdir(join(folder, 'data'));
    await writeFile(configFile, JSON.stringify(config));
    await writeFile(join(folder, 'rules.yml'), rules);
    const child = await startPrometheus({ port, configFile, dataDir: join(folder, 'data'), env });
    const prometheus = new Prometheus(child, `http://127.0.0.1:${port}`, folder);
    await waitFor('prometheus ready', 15_000, async () => (await fetch(`${prometheus.url}/-/ready`)).ok);
    return prometheus;
  }

  static async startWithShortRules(targets: readonly string[]): Promise<Prometheus> {
    return Prometheus.start(targets, shortened(await readFile(RULES, 'utf8')));
  }

  async stop(): Promise<void> {
    await this.#child.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The value of every series now. @throws Error with Prometheus's own message for a query that is none */
  async query(expr: string): Promise<Series[]> {
    const { result } = await this.#get<{ result: { metric: Series['metric']; value: [number, string] }[] }>('query', {
      query: expr,
    });
    return result.map(({ metric, value }) => ({ metric, values: [value] }));
  }

  /** Every series over the last `seconds`. */
  async queryRange(expr: string, seconds: number): Promise<Series[]> {
    const end = Date.now() / 1000;
    const range = { query: expr, start: String(end - seconds), end: String(end), step: '1' };
    const { result } = await this.#get<{ result: Series[] }>('query_range', range);
    return result;
  }

  /** Alerts that are pending or firing. */
  async alerts(): Promise<Alert[]> {
    const { alerts } = await this.#get<{
      alerts: { state: Alert['state']; labels: Record<string, string>; annotations: Record<string, string> }[];
    }>('alerts', {});
    return alerts.map(({ state, labels, annotations }) => ({
      name: labels['alertname']!,
      state,
      labels,
      summary: annotations['summary']!,
    }));
  }

  async firing(): Promise<Set<string>> {
    return new Set((await this.alerts()).filter(({ state }) => state === 'firing').map(({ name }) => name));
  }

  /** Resolves with the alert once it fires. */
  async untilFiring(name: string, timeoutMs: number): Promise<Alert> {
    const found = await waitFor(`${name} fires`, timeoutMs, async () =>
      (await this.alerts()).find((alert) => alert.name === name && alert.state === 'firing'),
    );
    return found.value;
  }

  async untilQuiet(name: string, timeoutMs: number): Promise<void> {
    await waitFor(`${name} clears`, timeoutMs, async () => !(await this.firing()).has(name));
  }

  /** Rules whose latest evaluation failed. */
  async brokenRules(): Promise<string[]> {
    const { groups } = await this.#get<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
      'rules',
      {},
    );
    const rules = groups.flatMap((group) => group.rules);
    return rules.filter(({ health }) => health === 'err').map(({ name, lastError }) => `${name}: ${lastError}`);
  }

  async #get<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const body = new URLSearchParams(parameters);
    const isQuery = path.startsWith('query');
    const response = await fetch(`${this.url}/api/v1/${path}`, isQuery ? { method: 'POST', body } : {});
    const answer = (await response.json()) as { status: string; error?: string; data: T };
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${parameters['query'] ?? path}`);
    return answer.data;
  }
}
