import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const METRICS = [
  'vllm:num_requests_running{engine="0",model_name="broken"} 0.0',
  'vllm:num_requests_waiting{engine="0",model_name="broken"} 0.0',
  'vllm:kv_cache_usage_perc{engine="0",model_name="broken"} 0.0',
  'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="1000"} 1.0',
  '',
].join('\n');

/** An engine that is healthy until it is asked for something: `answer` decides how it misbehaves. */
export class FakeEngine {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
  }

  static async start(answer: (response: ServerResponse) => void): Promise<FakeEngine> {
    const server = createServer((request, response) => {
      request.resume();
      if (request.method === 'GET') {
        const isModels = request.url === '/v1/models';
        response.writeHead(200, { 'content-type': isModels ? 'application/json' : 'text/plain' });
        response.end(isModels ? '{"object":"list","data":[{"id":"broken","object":"model"}]}' : METRICS);
        return;
      }
      request.once('end', () => answer(response));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeEngine(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const CHUNK = {
  id: 'x',
  object: 'chat.completion.chunk',
  model: 'broken',
  choices: [{ index: 0, delta: { content: 'one' } }],
};

/** Sends one whole SSE event and half of the next, then drops the connection. */
export function halfAnEventThenDie(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(`data: ${JSON.stringify(CHUNK)}\n\n`);
  response.write('data: {"id":"x","obj');
  setTimeout(() => response.socket?.destroy(), 50);
}
