import { describe, expect, it } from '@jest/globals';
import { parseTracingConfig } from './tracing-config.ts';

const configOf = (env: Record<string, string>) => {
  const parsed = parseTracingConfig(env);
  if (!parsed.ok) throw new Error(parsed.errors.join('; '));
  return parsed.config;
};

describe('parseTracingConfig', () => {
  it('is off unless a sampler or an endpoint is named, and disabled for good when the variable says so', () => {
    expect(configOf({})?.sampler).toBeNull();
    const off = { OTEL_TRACES_SAMPLER: 'always_off', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' };
    expect(configOf(off)).toMatchObject({ sampler: null, endpoint: 'http://c:4318/v1/traces' });
    expect(configOf({ OTEL_TRACES_SAMPLER: 'always_on', OTEL_SDK_DISABLED: 'true' })).toBeNull();
  });

  it('keeps spans to itself without an endpoint', () => {
    expect(configOf({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' })).toEqual({
      sampler: 'parentbased_traceidratio',
      ratio: 0.1,
      endpoint: null,
      exportDelayMs: 5000,
      keptSpans: 2000,
      resource: {},
    });
  });

  it("takes the standard's endpoints and default sampler", () => {
    const base = configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' });
    expect(base).toMatchObject({ sampler: 'parentbased_always_on', endpoint: 'http://collector:4318/v1/traces' });
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://t/x', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' };
    expect(configOf(own)?.endpoint).toBe('https://t/x');
    expect(configOf({ ...own, OTEL_TRACES_EXPORTER: 'none' })?.endpoint).toBeNull();
    const resource = { ...own, OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=a%20b, k=v' };
    expect(configOf(resource)?.resource).toEqual({ 'deployment.environment.name': 'a b', k: 'v' });
  });

  it('says every error at once', () => {
    const parsed = parseTracingConfig({
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '2',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_BSP_SCHEDULE_DELAY: 'soon',
      OTEL_RESOURCE_ATTRIBUTES: 'nothing',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    });
    expect(parsed.ok ? [] : parsed.errors.map((error) => error.split(':')[0]).sort()).toEqual([
      'OTEL_BSP_SCHEDULE_DELAY',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'OTEL_EXPORTER_OTLP_PROTOCOL',
      'OTEL_RESOURCE_ATTRIBUTES',
      'OTEL_TRACES_EXPORTER',
      'OTEL_TRACES_SAMPLER',
      'OTEL_TRACES_SAMPLER_ARG',
    ]);
  });
});
