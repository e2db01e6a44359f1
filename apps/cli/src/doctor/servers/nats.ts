import { finding } from '../finding.ts';
import type { Finding, Report } from '../finding.ts';
import { exchange } from '../net/exchange.ts';

const DEFAULT_PORT = 4222;
/** Ordered consumers and flow control as libs/bus uses them. */
const OLDEST = [2, 9] as const;
/** A page of 20,000 blocks in base64, as kv-index sends them to routers. */
const LARGEST_MESSAGE_BYTES = 704 * 1024;
const SUBJECT = 'nats';

interface ServerInfo {
  readonly version?: string;
  readonly jetstream?: boolean;
  readonly max_payload?: number;
  readonly auth_required?: boolean;
  readonly tls_required?: boolean;
}

/** Says hello to a NATS server, as every service does. Passwords in `url` are used and never shown. */
export async function examineNats(url: string, timeoutMs: number): Promise<Report> {
  const { hostname, port, username, password, host } = new URL(url);
  const shown = `nats://${host}`;
  const login = { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  let said = false;
  const heard = await exchange(
    { host: hostname, port: Number(port) || DEFAULT_PORT, tls: false },
    (bytes, say) => {
      const text = bytes.toString();
      const info = infoIn(text);
      if (info === null) return bytes.length > 0 && !text.startsWith('INFO');
      // The server ends a connection that goes on without the TLS that it asked for; its version is known by then.
      if (info.tls_required === true) return true;
      if (!said) {
        const options = { verbose: false, pedantic: false, name: 'sluice doctor', ...(username === '' ? {} : login) };
        say(`CONNECT ${JSON.stringify(options)}\r\nPING\r\n`);
      }
      said = true;
      return /\r\n(?:PONG|-ERR)/.test(text);
    },
    timeoutMs,
  );
  const unreachable = (reason: string): Report => ({
    examined: [],
    findings: [
      finding(
        'nats-unreachable',
        SUBJECT,
        `${shown} cannot be used: ${reason}`,
        `start it with \`nats-server --jetstream\`, or set SLUICE_NATS_URL (or --nats) to where it is; \`sluice up --services\` without SLUICE_NATS_URL starts one`,
      ),
    ],
  });
  if (heard.kind === 'unreachable') return unreachable(heard.reason);
  const text = heard.bytes.toString();
  const info = infoIn(text);
  if (info === null) return unreachable('what listens there is no NATS server');
  const error = /\r\n-ERR '?([^'\r]*)/.exec(text)?.[1] ?? null;
  return {
    examined: [{ subject: SUBJECT, summary: `${shown}: nats-server ${info.version ?? 'of unknown version'}` }],
    findings: natsFindings(info, error, shown),
  };
}

function natsFindings(info: ServerInfo, error: string | null, shown: string): Finding[] {
  const findings: Finding[] = [];
  if (error !== null) {
    findings.push(
      finding(
        'nats-unauthorized',
        SUBJECT,
        `${shown} refuses the connection: ${error}`,
        'put user and password into SLUICE_NATS_URL: nats://USER:PASSWORD@HOST:PORT',
      ),
    );
  }
  if (!isAtLeast(info.version ?? '', OLDEST)) {
    findings.push(
      finding(
        'nats-too-old',
        SUBJECT,
        `${shown} is nats-server ${info.version ?? 'of unknown version'}; ${OLDEST.join('.')} or newer is needed`,
        'upgrade nats-server (https://github.com/nats-io/nats-server/releases)',
      ),
    );
  }
  if (info.jetstream !== true) {
    findings.push(
      finding(
        'nats-without-jetstream',
        SUBJECT,
        `${shown} runs without JetStream: KV events have nothing to wait in, and no index follows them`,
        'start nats-server with --jetstream (and --store_dir DIR), or put `jetstream {}` into its configuration',
      ),
    );
  }
  if (info.max_payload !== undefined && info.max_payload < LARGEST_MESSAGE_BYTES) {
    findings.push(
      finding(
        'nats-payload-small',
        SUBJECT,
        `${shown} takes messages of ${info.max_payload} bytes at most: what an engine with many blocks holds never reaches the index`,
        'take max_payload out of the configuration of nats-server (its default is 1 MiB), or raise it to that',
      ),
    );
  }
  return findings;
}

function infoIn(text: string): ServerInfo | null {
  const found = /^INFO (\{.*\})\s*\r\n/.exec(text);
  if (found === null) return null;
  try {
    return JSON.parse(found[1]!) as ServerInfo;
  } catch {
    return null;
  }
}

/** Whether `version` (`2.10.4`) is not older than major.minor. */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, theirMajor, theirMinor] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  if (theirMajor === undefined) return false;
  return Number(theirMajor) > major || (Number(theirMajor) === major && Number(theirMinor) >= minor);
}
