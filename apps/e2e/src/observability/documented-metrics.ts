import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repoRoot } from '@sluice/testkit';

/** A metric as the page tells it, or as a process exposes it. */
export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const EVERY = 'Every service';

/** The metrics of one service by docs/metrics.md, those of every service included. */
export async function documentedMetrics(): Promise<(service: string) => Metric[]> {
  const page = await readFile(join(repoRoot, 'docs/metrics.md'), 'utf8');
  const sections = new Map<string, Metric[]>();
  for (const section of page.split(/^## /m).slice(1)) {
    const rows = section.matchAll(/^\| `(sluice_\w+)` \| (\w+) \| ([\w, ]*) \|/gm);
    const metrics = [...rows].map(([, name, type, labels]) => ({
      name: name!,
      type: type!,
      labels: labels!.split(', ').filter((label) => label !== ''),
    }));
    sections.set(section.slice(0, section.indexOf('\n')), metrics);
  }
  return (service) => [...sections.get(service)!, ...sections.get(EVERY)!];
}

/** Labels that every sample has, or that belong to the form of a histogram. */
const FORM = new Set(['service', 'le']);

/** Metrics of a page in Prometheus's text format, with the labels that their samples have. */
export function exposedMetrics(text: string): Metric[] {
  const found = new Map<string, { name: string; type: string; labels: Set<string> }>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    found.set(name!, { name: name!, type: type!, labels: new Set() });
  }
  for (const [, sample, labels] of text.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
    const metric = found.get(sample!) ?? found.get(sample!.replace(/_(bucket|sum|count)$/, ''));
    if (metric === undefined) throw new Error(`a sample without a TYPE: ${sample}`);
    for (const [, label] of labels!.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g))
      if (!FORM.has(label!)) metric.labels.add(label!);
  }
  return [...found.values()].map(({ labels, ...rest }) => ({ ...rest, labels: [...labels] }));
}

/** Names of the series that Prometheus keeps of a metric. */
export const seriesNames = ({ name, type }: Metric): string[] =>
  type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name];
