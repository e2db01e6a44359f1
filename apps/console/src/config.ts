import { commonFields, parseConfig, portField, setting } from '@sluice/nest-kit';
import type { Environment, ParsedConfig } from '@sluice/nest-kit';
import { z } from 'zod';

export interface ConsoleConfig {
  readonly host: string;
  readonly port: number;
  readonly logLevel: z.output<typeof commonFields.SLUICE_LOG_LEVEL>;
  /** Where each service's admin API is, by the name of the service; no slash at the end. */
  readonly services: ReadonlyMap<string, string>;
}

/** The services' own ports on this machine. */
const DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['router', 'http://127.0.0.1:8082'],
  ['kv-index', 'http://127.0.0.1:8083'],
  ['event-bridge', 'http://127.0.0.1:8084'],
  ['latency-predictor', 'http://127.0.0.1:8085'],
]);

const isName = (text: string): boolean => /^[a-z][a-z0-9-]*$/.test(text);

/** Routers among the services: `router`, or `router-` and anything, where there are several. */
export const routersOf = (services: ReadonlyMap<string, string>): ReadonlyMap<string, string> =>
  new Map([...services].filter(([name]) => name === 'router' || name.startsWith('router-')));

/** `name=http://host:port`, several separated by commas; with a path where that is not at the root. */
const services = z
  .string()
  .transform((text, context): ReadonlyMap<string, string> => {
    const found = new Map<string, string>();
    for (const part of text.split(',').map((each) => each.trim())) {
      const [name = '', url = ''] = part.split(/=(.*)/s);
      if (isName(name) && isBase(url) && !found.has(name)) found.set(name, url);
      else
        context.addIssue({
          code: 'custom',
          message: `must be name=http://host:port, each name once; '${part}' is not`,
        });
    }
    return found;
  })
  .meta({ allowed: 'name=http://host:port, several separated by commas' });

function isBase(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, pathname } = new URL(text);
  return protocol === 'http:' && text === origin + (pathname === '/' ? '' : pathname) && !text.endsWith('/');
}

/** Every setting of the console's own process. */
export const consoleSettings = z.object({
  SLUICE_HOST: commonFields.SLUICE_HOST,
  SLUICE_LOG_LEVEL: commonFields.SLUICE_LOG_LEVEL,
  CONSOLE_PORT: setting(portField().default(8090), 'Port of the page'),
  CONSOLE_SERVICES: setting(
    services.default(DEFAULTS),
    'Admin APIs that the page reads: name=http://host:port, separated by commas; several routers as router-a=..., router-b=...',
  ),
});

/** Configuration of the console's own process from the environment, or every error at once. */
export function parseConsoleConfig(env: Environment): ParsedConfig<ConsoleConfig> {
  const parsed = parseConfig(consoleSettings, 'CONSOLE_', env);
  if (!parsed.ok) return parsed;
  const { SLUICE_HOST, SLUICE_LOG_LEVEL, CONSOLE_PORT, CONSOLE_SERVICES } = parsed.config;
  return {
    ok: true,
    config: { host: SLUICE_HOST, port: CONSOLE_PORT, logLevel: SLUICE_LOG_LEVEL, services: CONSOLE_SERVICES },
  };
}
