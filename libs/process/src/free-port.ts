import { createServer } from 'node:net';

/**
 * Ports below those that Linux gives to outgoing connections (32768 on): a port that was free stays free until the
 * program it is meant for listens on it, however many connections come and go meanwhile.
 */
const FIRST_PORT = 15_000;
const LAST_PORT = 32_000;
const ATTEMPTS = 200;

/** A TCP port that nothing on `host` listens on at this moment, chosen at random. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`no free port on ${host} between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** `count` different free ports. */
export async function freePorts(count: number, host?: string): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort(host));
  return [...ports];
}

/** Whether nothing on `host` listens on the port at this moment. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
