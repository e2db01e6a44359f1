import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Data-parallel ranks of an engine: each is a worker. */
const RANKS = 8;
/** Blocks of 16 tokens in the cache of a rank. */
const BLOCKS = 26_000;
const CHUNKS = 24;
const CHUNK_MS = 15;

/** Engines of one kind. */
export interface EngineKind {
  readonly pool: string;
  readonly variant: string;
  readonly role: 'both' | 'prefill' | 'decode';
  readonly engines: number;
}

/** A fleet of several hundred workers for which a router runs as it would in front of real ones. */
export const LARGE_FLEET: readonly EngineKind[] = [
  { pool: 'qwen3-32b', variant: 'h100', role: 'both', engines: 70 },
  { pool: 'qwen3-32b', variant: 'h200', role: 'both', engines: 30 },
  { pool: 'deepseek-r1', variant: 'h200', role: 'prefill', engines: 10 },
  { pool: 'deepseek-r1', variant: 'h200', role: 'decode', engines: 15 },
];

/**
 * Engines that speak HTTP and know nothing: metrics of every rank with loads that wander, and answers that trickle. What
 * they cost this process is little enough for 1,000 workers.
 */
export class LargeFleet {
  readonly pools: readonly object[];
  readonly workers: number;
  readonly #servers: readonly Server[];

  private constructor(pools: readonly object[], workers: number, servers: readonly Server[]) {
    this.pools = pools;
    this.workers = workers;
    this.#servers = servers;
  }

  static async start(kinds: readonly EngineKind[] = LARGE_FLEET): Promise<LargeFleet> {
    const servers: Server[] = [];
    const pools = new Map<string, object[]>();
    for (const { pool, variant, role, engines } of kinds) {
      for (let i = 0; i < engines; i++) {
        const server = await listen(servers.length);
        servers.push(server);
        const { port } = server.address() as AddressInfo;
        const id = `${role === 'both' ? variant : role}-${String(i + 1).padStart(3, '0')}`;
        const entry = {
          id: `${pool.split('-')[0]}-${id}`,
          url: `http://127.0.0.1:${port}`,
          ranks: RANKS,
          role,
          variant,
        };
        pools.set(pool, [...(pools.get(pool) ?? []), entry]);
      }
    }
    return new LargeFleet(
      [...pools].map(([id, engines]) => ({ id, models: [id], engines })),
      servers.length * RANKS,
      servers,
    );
  }

  /** Engines that are gone from now on. */
  async kill(...numbers: readonly number[]): Promise<void> {
    await Promise.all(numbers.map((number) => stop(this.#servers[number]!)));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map(stop));
  }
}

async function listen(engine: number): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    request.resume();
    if (request.method === 'GET') response.writeHead(200, { 'content-type': 'text/plain' }).end(metricsOf(engine));
    else request.once('end', () => answer(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Loads that differ from rank to rank and wander over minutes. */
function metricsOf(engine: number): string {
  const lines: string[] = [];
  for (let rank = 0; rank < RANKS; rank++) {
    const place = engine * RANKS + rank;
    const wave = (1 + Math.sin(place * 0.37 + Date.now() / 40_000)) / 2;
    const hot = place % 41 === 0 ? 1 : 0.85 * wave;
    const label = `{engine="${rank}",model_name="large"}`;
    lines.push(
      `vllm:num_requests_running${label} ${Math.round(40 * hot)}`,
      `vllm:num_requests_waiting${label} ${hot > 0.8 ? Math.round((hot - 0.8) * 60) : 0}`,
      `vllm:kv_cache_usage_perc${label} ${(0.08 + 0.9 * hot).toFixed(3)}`,
      `vllm:cache_config_info{block_size="16",engine="${rank}",num_gpu_blocks="${BLOCKS}"} 1.0`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function answer(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let left = CHUNKS;
  const timer = setInterval(() => {
    if (left-- > 0) {
      const choices = [{ index: 0, delta: { content: 'one ' } }];
      response.write(
        `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', model: 'large', choices })}\n\n`,
      );
      return;
    }
    clearInterval(timer);
    const usage = { prompt_tokens: 900, completion_tokens: CHUNKS, total_tokens: 900 + CHUNKS };
    response.write(`data: ${JSON.stringify({ id: 'x', choices: [], usage })}\n\n`);
    response.end('data: [DONE]\n\n');
  }, CHUNK_MS);
  response.once('close', () => clearInterval(timer));
}
