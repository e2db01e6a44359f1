export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** `share` of the work is done, 0 to 1. */
  update(share: number, label: string): void;
  /** Removes the bar. */
  end(): void;
}

const BAR = 24;

/** A bar with the time that is left, redrawn in place; nothing at all where the output is no terminal. */
export function createProgress(terminal: Terminal, nowMs: () => number): Progress {
  if (terminal.isTTY !== true) return { update: () => {}, end: () => {} };
  const startMs = nowMs();
  return {
    update(share, label) {
      const done = Math.round(share * BAR);
      const elapsedMs = nowMs() - startMs;
      const left = share > 0 ? `, ${duration((elapsedMs / share) * (1 - share))} left` : '';
      const percent = `${Math.floor(share * 100)}`.padStart(3);
      const line = `${'█'.repeat(done)}${'░'.repeat(BAR - done)} ${percent} %${left}  ${label}`;
      terminal.write(`\r\x1b[2K${line.slice(0, (terminal.columns || 80) - 1)}`);
    },
    end: () => void terminal.write('\r\x1b[2K'),
  };
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
