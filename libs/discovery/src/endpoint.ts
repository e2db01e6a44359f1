/** What is allowed as the origin of an engine's HTTP server. */
export const ORIGIN_FORM = 'must be an origin like http://host:port or https://host, without path, query or password';
/** What is allowed as a ZMQ address. */
export const ENDPOINT_FORM = 'must be tcp://host:port (port 1 to 65535) or ipc://path';

/** Whether `text` is an http(s) origin as {@link ORIGIN_FORM} says. */
export function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const plain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  return (
    (url.protocol === 'http:' || url.protocol === 'https:') && plain && url.pathname === '/' && !text.endsWith('/')
  );
}

const TCP = /^tcp:\/\/(\[[0-9A-Fa-f:.]+\]|\*|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?):(\d{1,5})$/;
const IPC = /^ipc:\/\/\S+$/;

const portOf = (endpoint: string): number | null => {
  const found = TCP.exec(endpoint);
  return found ? Number(found[2]) : null;
};

/** Whether `text` is a ZMQ address as {@link ENDPOINT_FORM} says. */
export function isEndpoint(text: string): boolean {
  const port = portOf(text);
  return port === null ? IPC.test(text) : port >= 1 && port <= 65535;
}

/**
 * Address of data-parallel rank `rank` as vLLM derives it: the port plus the rank.
 * Null when there is none: an ipc path for a rank above 0, or a port past 65535.
 */
export function rankEndpoint(endpoint: string, rank: number): string | null {
  if (rank === 0) return endpoint;
  const port = portOf(endpoint);
  if (port === null || port + rank > 65535) return null;
  return endpoint.replace(/\d+$/, String(port + rank));
}
