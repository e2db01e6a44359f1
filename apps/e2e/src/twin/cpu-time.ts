import { readdir, readFile } from 'node:fs/promises';

/** Linux counts processor time in hundredths of a second wherever it runs. */
const TICK_MS = 10;

/** Processor time of this process and all that descend from it, in milliseconds; null where there is no /proc. */
export async function cpuTimeMs(): Promise<number | null> {
  const names = await readdir('/proc').catch(() => null);
  if (names === null) return null;
  const processes = new Map<number, { readonly parent: number; readonly ms: number }>();
  for (const name of names.filter((text) => /^\d+$/.test(text))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null);
    if (stat === null) continue;
    // the name of the program, in parentheses, may hold anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    processes.set(Number(name), { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS });
  }
  let sum = 0;
  for (const [pid, { ms }] of processes) if (descends(pid, processes)) sum += ms;
  return sum;
}

function descends(pid: number, processes: ReadonlyMap<number, { readonly parent: number }>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = processes.get(at)?.parent) {
    if (at === process.pid) return true;
  }
  return false;
}
