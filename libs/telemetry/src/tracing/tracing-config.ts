const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type SamplerId = (typeof SAMPLERS)[number];

export interface TracingConfig {
  /** Null: no trace begins here until somebody changes that; those of others are gone on with. */
  readonly sampler: SamplerId | null;
  /** Share of the traces that the ratio samplers take, 0 to 1. */
  readonly ratio: number;
  /** Where spans are posted to (OTLP over HTTP, protobuf); null: they are only kept here. */
  readonly endpoint: string | null;
  /** Longest time that a finished span waits for others to be sent with. */
  readonly exportDelayMs: number;
  /** Spans that each service keeps for its admin API. */
  readonly keptSpans: number;
  /** Of the resource, beside the service's name. */
  readonly resource: Readonly<Record<string, string>>;
}
export type ParsedTracing =
  /** Null: disabled. */
  { readonly ok: true; readonly config: TracingConfig | null } | { readonly ok: false; readonly errors: string[] };

type Environment = Readonly<Record<string, string | undefined>>;
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const TRACES_ENDPOINT = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
const MAX_RESOURCE_ATTRIBUTES = 64;

/**
 * Tracing by the standard variables of OpenTelemetry, or every error at once. It is on when a sampler other than
 * `always_off` or an endpoint is named; `OTEL_SDK_DISABLED=true` disables it whatever else is set.
 */
export function parseTracingConfig(env: Environment): ParsedTracing {
  const errors: string[] = [];
  const endpoint = endpointOf(env, errors);
  const sampler = choice(env, 'OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on', errors);
  const exporter = choice(env, 'OTEL_TRACES_EXPORTER', ['otlp', 'none'], endpoint === null ? 'none' : 'otlp', errors);
  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL']) {
    choice(env, name, ['http/protobuf'], 'http/protobuf', errors);
  }
  if (exporter === 'otlp' && endpoint === null) errors.push(`OTEL_TRACES_EXPORTER: 'otlp' needs ${ENDPOINT}`);
  const isAsked = Boolean(env['OTEL_TRACES_SAMPLER']) || endpoint !== null;
  const config: TracingConfig = {
    sampler: isAsked && sampler !== 'always_off' ? sampler : null,
    ratio: number(env, 'OTEL_TRACES_SAMPLER_ARG', 0, 1, 1, errors),
    endpoint: exporter === 'otlp' ? endpoint : null,
    exportDelayMs: number(env, 'OTEL_BSP_SCHEDULE_DELAY', 1, 600_000, 5000, errors),
    keptSpans: number(env, 'SLUICE_KEPT_SPANS', 1, 1_000_000, 2000, errors),
    resource: resourceOf(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '', errors),
  };
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, config: env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' ? null : config };
}

function endpointOf(env: Environment, errors: string[]): string | null {
  const [name, suffix] = env[TRACES_ENDPOINT] ? [TRACES_ENDPOINT, ''] : [ENDPOINT, '/v1/traces'];
  const text = env[name];
  if (!text) return null;
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    errors.push(`${name}: '${text}' must be a URL like http://host:4318`);
    return null;
  }
  return suffix === '' ? text : text.replace(/\/*$/, suffix);
}

function choice<const T extends string>(
  env: Environment,
  name: string,
  values: readonly T[],
  fallback: T,
  errors: string[],
): T {
  const text = env[name];
  if (!text) return fallback;
  const value = values.find((each) => each === text);
  if (value === undefined) errors.push(`${name}: '${text}' must be one of ${values.join(', ')}`);
  return value ?? fallback;
}

function number(env: Environment, name: string, min: number, max: number, fallback: number, errors: string[]): number {
  const text = env[name];
  if (!text) return fallback;
  const value = Number(text);
  if (!(value >= min && value <= max)) errors.push(`${name}: '${text}' must be a number from ${min} to ${max}`);
  return value;
}

/** `key=value,key=value`, percent-encoded as in the W3C baggage header. */
function resourceOf(text: string, errors: string[]): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  if (pairs.length > MAX_RESOURCE_ATTRIBUTES) errors.push('OTEL_RESOURCE_ATTRIBUTES: has too many attributes');
  const resource: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    try {
      if (at < 1) throw new RangeError('no key');
      resource[pair.slice(0, at).trim()] = decodeURIComponent(pair.slice(at + 1).trim());
    } catch {
      errors.push(`OTEL_RESOURCE_ATTRIBUTES: '${pair}' must be key=value`);
    }
  }
  return resource;
}
