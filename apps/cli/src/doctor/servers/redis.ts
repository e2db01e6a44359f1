import { finding } from '../finding.ts';
import type { Finding, Report } from '../finding.ts';
import { exchange } from '../net/exchange.ts';
import { isAtLeast } from './nats.ts';

const DEFAULT_PORT = 6379;
const OLDEST = [6, 0] as const;
const SUBJECT = 'redis';

/** Asks a Redis for what it is and whether it keeps what it is given. Passwords in `url` are used and never shown. */
export async function examineRedis(url: string, timeoutMs: number): Promise<Report> {
  const { hostname, port, username, password, protocol, host } = new URL(url);
  const shown = `${protocol}//${host}`;
  const login = [username, password].map(decodeURIComponent).filter((part) => part !== '');
  const words = [...(login.length > 0 ? [['AUTH', ...login]] : []), ['INFO']];
  let asked = false;
  const heard = await exchange(
    { host: hostname, port: Number(port) || DEFAULT_PORT, tls: protocol === 'rediss:' },
    (bytes, say) => {
      if (!asked) say(words.map(command).join(''));
      asked = true;
      const text = bytes.toString();
      return /(^|\r\n)-/.test(text) || (/redis_version/.test(text) && /# Keyspace/.test(text));
    },
    timeoutMs,
  );
  const unreachable = (reason: string): Report => ({
    examined: [],
    findings: [
      finding(
        'redis-unreachable',
        SUBJECT,
        `${shown} cannot be used: ${reason}`,
        'start it with `redis-server --appendonly yes`, or set SLUICE_REDIS_URL (or --redis) to where it is; `sluice up --services` without SLUICE_REDIS_URL starts one',
      ),
    ],
  });
  if (heard.kind === 'unreachable') return unreachable(heard.reason);
  const text = heard.bytes.toString();
  const error = /(?:^|\r\n)-(.*)/.exec(text)?.[1] ?? null;
  if (error !== null) {
    const fix = 'put the password into SLUICE_REDIS_URL: redis://:PASSWORD@HOST:PORT, or redis://USER:PASSWORD@...';
    const what = `${shown} refuses: ${error.trim()}`;
    return { examined: [], findings: [finding('redis-unauthorized', SUBJECT, what, fix)] };
  }
  const field = (name: string): string | null => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? null;
  const version = field('redis_version');
  if (version === null) return unreachable('what listens there is no Redis');
  return {
    examined: [{ subject: SUBJECT, summary: `${shown}: redis ${version}` }],
    findings: redisFindings(version, field('maxmemory') ?? '0', field('maxmemory_policy') ?? 'noeviction', shown),
  };
}

function redisFindings(version: string, maxmemory: string, policy: string, shown: string): Finding[] {
  const findings: Finding[] = [];
  if (!isAtLeast(version, OLDEST)) {
    const what = `${shown} is Redis ${version}; ${OLDEST[0]} or newer is needed`;
    findings.push(finding('redis-too-old', SUBJECT, what, 'upgrade redis-server'));
  }
  if (maxmemory !== '0' && policy !== 'noeviction') {
    findings.push(
      finding(
        'redis-evicts',
        SUBJECT,
        `${shown} throws keys away when it is full (maxmemory-policy ${policy}): durable copies of the index come back with holes`,
        '`redis-cli config set maxmemory-policy noeviction` and the same in redis.conf',
      ),
    );
  }
  return findings;
}

/** A command as Redis reads it (RESP). */
const command = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
