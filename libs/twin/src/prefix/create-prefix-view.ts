import { ExactView } from './exact-view.ts';
import type { ToldBlocks } from '../kv-events/kv-batch.ts';
import type { PrefixView, ViewedWorker } from './prefix-view.ts';
import { ProductionView } from './production-view.ts';
import type { TextForm } from '../text/request-text.ts';

/** How a view is kept: see README.md. */
export type IndexKind = 'exact' | 'production';

/** What a view of the kind needs block keys to be made from. */
export const textFormOf = (kind: IndexKind): TextForm => (kind === 'exact' ? 'runs' : 'bytes');

/** What engines must tell a view of the kind. */
export const toldBlocksOf = (kind: IndexKind): ToldBlocks => (kind === 'exact' ? 'prompts' : 'all');

/** An empty view of the workers. */
export const createPrefixView = (kind: IndexKind, workers: readonly ViewedWorker[]): PrefixView =>
  kind === 'exact' ? new ExactView(workers) : new ProductionView(workers);
