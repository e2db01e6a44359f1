import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { loadPromptKit } from '@sluice/prompt';
import { NO_TRACING } from '@sluice/telemetry';
import type { Tracing } from '@sluice/telemetry';
import type { EngineSimConfig } from './config.ts';
import { openKvEventFeed } from './engine/kv-event-feed.ts';
import type { KvEventFeed } from './engine/kv-event-feed.ts';
import { createHttpServer } from './http/server.ts';
import { Simulator } from './simulator.ts';
import { loadTokenizer } from './text/tokenizer.ts';

/** The simulator's own tokenizer folder; a router in front of it needs the same one. */
export const OWN_TOKENIZER_DIR = fileURLToPath(new URL('../assets/tokenizer', import.meta.url));

/** A simulator that serves. */
export interface RunningSimulator {
  readonly url: string;
  /** Addresses of each rank's KV event stream and replay socket; empty without events. */
  readonly kvEvents: readonly string[];
  readonly replay: readonly (string | null)[];
  /**
   * Ends like vLLM on SIGTERM: the port refuses at once, open requests may go on for `--shutdown-timeout`, and what is
   * left then gets the engine's 500 (and `[DONE]` on a stream).
   */
  close(): Promise<void>;
}

/**
 * Starts the simulator.
 * @throws when the tokenizer folder is broken or an address is taken.
 */
export async function startSimulator(
  config: EngineSimConfig,
  onError: (error: unknown) => void,
  tracing: Tracing = NO_TRACING,
): Promise<RunningSimulator> {
  const dir = config.tokenizerDir ?? OWN_TOKENIZER_DIR;
  const [kit, tokenizer] = await Promise.all([loadPromptKit(dir), loadTokenizer(dir)]);
  const feeds: KvEventFeed[] = [];
  try {
    for (let rank = 0; config.kvEvents !== null && rank < config.ranks; rank++) {
      feeds.push(await openKvEventFeed(config.kvEvents, rank, onError));
    }
    const simulator = new Simulator(config, kit, tokenizer, feeds, tracing, onError);
    const server = createHttpServer(simulator);
    server.listen(config.port, config.host);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
      kvEvents: feeds.map((feed) => feed.endpoint),
      replay: feeds.map((feed) => feed.replayEndpoint),
      close: () => close(simulator, server),
    };
  } catch (error) {
    await Promise.all(feeds.map((feed) => feed.close()));
    throw error;
  }
}

async function close(simulator: Simulator, server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const deadlineMs = performance.now() + simulator.config.shutdownTimeoutMs;
  while (simulator.requestsOpen > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const rank of simulator.ranks) rank.stop();
  // Last bytes get a moment to leave; a client that does not read them must not keep the process.
  const impatience = setTimeout(() => server.closeAllConnections(), 1_000);
  server.closeIdleConnections();
  await closed;
  clearTimeout(impatience);
  await Promise.all([...simulator.feeds.map((feed) => feed.close()), simulator.tracing.close()]);
}
