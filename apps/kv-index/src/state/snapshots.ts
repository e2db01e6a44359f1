import { KvBatchWriter, KvFlag } from '@sluice/contracts';
import type { KvBatchHeader } from '@sluice/contracts';
import type { PrefixIndex } from '@sluice/prefix-index';

/** Operations of one page: 480 KB, 640 KB in base64, within the usual 1 MB of a bus message. */
const PAGE_OPERATIONS = 20_000;
const LIFETIME_MS = 30_000;
const MAX_OPEN = 64;

/** Position and confidence of what is copied. */
export interface SnapshotHeader {
  readonly epoch: number;
  readonly seq: number;
  readonly incomplete: boolean;
}
export interface Page extends SnapshotHeader {
  readonly batch: Uint8Array;
  readonly cursor: string | null;
}

interface OpenSnapshot {
  readonly header: SnapshotHeader;
  readonly pages: readonly Uint8Array[];
  readonly expiresAtMs: number;
}

/**
 * Copies of one worker's blocks that are being read page by page: taken whole for the first page, so that all pages are
 * of one instant, and kept for 30 s after it.
 */
export class Snapshots {
  readonly #open = new Map<number, OpenSnapshot>();
  #nextId = 1;

  /** The first page of a worker's blocks. */
  take(index: PrefixIndex, row: number, header: SnapshotHeader, nowMs: number): Page {
    const pages = pagesOf(index, row, header);
    this.#dropExpired(nowMs);
    if (pages.length === 1) return { ...header, batch: pages[0]!, cursor: null };
    if (this.#open.size === MAX_OPEN) this.#open.delete(this.#open.keys().next().value!);
    const id = this.#nextId++;
    this.#open.set(id, { header, pages, expiresAtMs: nowMs + LIFETIME_MS });
    return { ...header, batch: pages[0]!, cursor: `${id}.1` };
  }

  /** A later page; null when the cursor is unknown or has expired. */
  page(cursor: string, nowMs: number): Page | null {
    this.#dropExpired(nowMs);
    const [id, at] = cursor.split('.').map(Number);
    const snapshot = this.#open.get(id ?? 0);
    const batch = snapshot?.pages[at ?? 0];
    if (!snapshot || !batch) return null;
    const next = at! + 1 < snapshot.pages.length ? `${id}.${at! + 1}` : null;
    if (next === null) this.#open.delete(id!);
    return { ...snapshot.header, batch, cursor: next };
  }

  #dropExpired(nowMs: number): void {
    for (const [id, { expiresAtMs }] of this.#open) if (expiresAtMs <= nowMs) this.#open.delete(id);
  }
}

function pagesOf(index: PrefixIndex, row: number, header: SnapshotHeader): Uint8Array[] {
  const pages: Uint8Array[] = [];
  const writer = new KvBatchWriter();
  const finish = (): void => {
    const flags = (pages.length === 0 ? KvFlag.BEGIN : 0) | (header.incomplete ? KvFlag.INCOMPLETE : 0);
    const batch: Omit<KvBatchHeader, 'operations'> = { flags, epoch: header.epoch, seq: header.seq, engineTimeMs: 0 };
    pages.push(writer.finish(batch));
  };
  index.dump(row, {
    store: (...block) => {
      if (writer.operations === PAGE_OPERATIONS) finish();
      writer.store(...block);
    },
  });
  if (writer.operations > 0 || pages.length === 0) finish();
  return pages;
}
