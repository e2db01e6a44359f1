/** Fields of SGLang's requests: the rank that serves them, and where their KV cache is handed over. */
const FIELDS = [
  'data_parallel_rank',
  'routed_dp_rank',
  'disagg_prefill_dp_rank',
  'bootstrap_host',
  'bootstrap_port',
  'bootstrap_room',
] as const;
/** Members of vLLM's `kv_transfer_params` by which an engine fetches KV blocks from another, over the network. */
const PEERS = [
  'remote_host',
  'remote_port',
  'remote_bootstrap_addr',
  'remote_engine_id',
  'remote_kv_source',
  'remote_prefiller',
  'remote_decoder',
] as const;

/**
 * The field of a body by which a client tells an engine where to go or whom to ask, null when there is none. Headers of
 * this kind are dropped (see client-headers.ts); a body reaches the engine byte for byte or not at all.
 */
export function namedDestination(json: Readonly<Record<string, unknown>>): string | null {
  for (const field of FIELDS) if ((json[field] ?? null) !== null) return field;
  const params = json['kv_transfer_params'];
  if (typeof params !== 'object' || params === null) return null;
  const given = params as Record<string, unknown>;
  const peer = PEERS.find((name) => (given[name] ?? null) !== null);
  return peer === undefined ? null : `kv_transfer_params.${peer}`;
}
