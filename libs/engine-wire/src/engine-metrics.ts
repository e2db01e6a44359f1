/** Load of one engine rank as its Prometheus page says; null: the page does not say. Counters are since engine start. */
export interface EngineSignals {
  /** Data-parallel rank; 0 when the page names none. */
  readonly rank: number;
  readonly waitingRequests: number | null;
  readonly runningRequests: number | null;
  /** Used share of the KV cache, 0 to 1. */
  readonly kvUsage: number | null;
  /** Tokens per KV block. */
  readonly blockSize: number | null;
  /** KV blocks of this rank on the accelerator. */
  readonly gpuBlocks: number | null;
  /** Tokens looked up in, and found in, the prefix cache. */
  readonly prefixCacheQueries: number | null;
  readonly prefixCacheHits: number | null;
  readonly promptTokens: number | null;
  readonly generationTokens: number | null;
  readonly preemptions: number | null;
}

type Column = Exclude<keyof EngineSignals, 'rank' | 'blockSize' | 'gpuBlocks'>;

const COLUMNS: ReadonlyMap<string, Column> = new Map<string, Column>([
  ['vllm:num_requests_waiting', 'waitingRequests'],
  ['vllm:num_requests_running', 'runningRequests'],
  ['vllm:kv_cache_usage_perc', 'kvUsage'],
  ['vllm:gpu_cache_usage_perc', 'kvUsage'],
  ['vllm:prefix_cache_queries_total', 'prefixCacheQueries'],
  ['vllm:prefix_cache_hits_total', 'prefixCacheHits'],
  ['vllm:prompt_tokens_total', 'promptTokens'],
  ['vllm:generation_tokens_total', 'generationTokens'],
  ['vllm:num_preemptions_total', 'preemptions'],
  ['sglang:num_queue_reqs', 'waitingRequests'],
  ['sglang:num_running_reqs', 'runningRequests'],
  ['sglang:token_usage', 'kvUsage'],
  ['sglang:cached_tokens_total', 'prefixCacheHits'],
  ['sglang:prompt_tokens_total', 'promptTokens'],
  ['sglang:generation_tokens_total', 'generationTokens'],
]);
const CACHE_INFO = new Set(['vllm:cache_config_info', 'sglang:cache_config_info']);

type Row = { -readonly [K in keyof EngineSignals]: EngineSignals[K] };

const V = 'v'.charCodeAt(0);
const S = 's'.charCodeAt(0);

/**
 * The signals of every rank on an engine's `/metrics` page (vLLM or SGLang), by rank; empty when it has none of them.
 * Walks the lines once and looks only at names it knows; of several series with one name and rank the first counts.
 */
export function parseEngineMetrics(text: string): EngineSignals[] {
  const rows = new Map<number, Row>();
  for (let at = 0, end = 0; at < text.length; at = end + 1) {
    end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(at);
    if (first === V || first === S) readLine(text, at, end, rows);
  }
  return [...rows.values()].sort((a, b) => a.rank - b.rank);
}

function readLine(text: string, at: number, end: number, rows: Map<number, Row>): void {
  const brace = text.indexOf('{', at);
  const hasLabels = brace >= 0 && brace < end;
  const nameEnd = hasLabels ? brace : text.indexOf(' ', at);
  if (nameEnd < 0 || nameEnd >= end) return;
  const name = text.slice(at, nameEnd);
  const column = COLUMNS.get(name);
  if (column === undefined && !CACHE_INFO.has(name)) return;
  const labelsEnd = hasLabels ? text.lastIndexOf('}', end) : nameEnd;
  if (labelsEnd < nameEnd) return;
  const row = rowOf(rows, rankOf(text, nameEnd, labelsEnd));
  if (column === undefined) {
    readCacheInfo(text, nameEnd, labelsEnd, row);
    return;
  }
  // the value, up to an optional timestamp
  const from = labelsEnd + (hasLabels ? 2 : 1);
  const space = text.indexOf(' ', from);
  const value = Number(text.slice(from, space >= 0 && space < end ? space : end));
  if (row[column] === null && Number.isFinite(value)) row[column] = value;
}

function rowOf(rows: Map<number, Row>, rank: number): Row {
  let row = rows.get(rank);
  if (row === undefined) {
    row = {
      rank,
      waitingRequests: null,
      runningRequests: null,
      kvUsage: null,
      blockSize: null,
      gpuBlocks: null,
      prefixCacheQueries: null,
      prefixCacheHits: null,
      promptTokens: null,
      generationTokens: null,
      preemptions: null,
    };
    rows.set(rank, row);
  }
  return row;
}

const rankOf = (text: string, from: number, to: number): number =>
  count(label(text, 'engine', from, to)) ?? count(label(text, 'dp_rank', from, to)) ?? 0;

/** `num_gpu_blocks` is the sum over all ranks in vLLM, `kv_cache_size_tokens` is one rank's, so it is preferred. */
function readCacheInfo(text: string, from: number, to: number, row: Row): void {
  const read = (name: string): number | null => count(label(text, name, from, to));
  row.blockSize ??= read('block_size') ?? read('page_size');
  const tokens = read('kv_cache_size_tokens');
  row.gpuBlocks ??=
    tokens !== null && row.blockSize !== null && row.blockSize > 0
      ? Math.floor(tokens / row.blockSize)
      : (read('num_gpu_blocks') ?? read('num_pages'));
}

function count(text: string | null): number | null {
  const value = text === null || text === '' ? NaN : Number(text);
  return Number.isInteger(value) && value >= 0 ? value : null;
}

/** Value of a label between `from` (at the brace) and `to`; escapes are left as they are. */
function label(text: string, name: string, from: number, to: number): string | null {
  const wanted = `${name}="`;
  for (let at = text.indexOf(wanted, from); at >= 0 && at < to; at = text.indexOf(wanted, at + 1)) {
    const before = text[at - 1];
    if (before !== '{' && before !== ',' && before !== ' ') continue;
    const start = at + wanted.length;
    return text.slice(start, text.indexOf('"', start));
  }
  return null;
}
