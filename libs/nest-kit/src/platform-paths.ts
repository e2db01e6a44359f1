import { healthSchema, problemSchema, serviceStatusSchema, traceSchema, tracesSchema } from '@sluice/contracts';
import type { OpenAPIObject } from '@nestjs/swagger';
import { z } from 'zod';
import { jsonSchema } from './operation.ts';

type Paths = OpenAPIObject['paths'];
type Responses = Record<string, { description: string; content?: Record<string, { schema: object }> }>;

const json = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema: jsonSchema(schema, 'output') } },
});
const text = (description: string, type: string) => ({
  description,
  content: { [type]: { schema: { type: 'string' } } },
});
const problem = { '4XX': json('The request is wrong, or not allowed', problemSchema) };

/** What every service answers beside its own controllers, below `base`. @param read security of what only readers may see */
export function platformPaths(base: string, read: Record<string, string[]>[]): Paths {
  const get = (summary: string, responses: Responses, rest: object = { security: [] }) => ({
    get: { summary, responses, ...rest },
  });
  const parameter = (name: string, where: 'path' | 'query', schema: object) => ({
    name,
    in: where,
    required: where === 'path',
    schema,
  });
  const paths: Record<string, object> = {
    '/healthz': get('The process answers', { 200: json('It does', healthSchema) }),
    '/readyz': get('Whether the service can do its work, with its checks', {
      200: json('It can', serviceStatusSchema),
      503: json('It cannot', serviceStatusSchema),
    }),
    '/metrics': get('Metrics in the Prometheus text format', { 200: text('All of them', 'text/plain') }),
    '/openapi.json': get('This document', { 200: json('OpenAPI 3.1', z.looseObject({ openapi: z.literal('3.1.0') })) }),
    '/docs': get('This document as a page', { 200: text('The page', 'text/html') }),
    '/docs/{file}': get(
      'Files of that page',
      { 200: text('The file', 'text/css'), ...problem },
      { security: [], parameters: [parameter('file', 'path', { type: 'string' })] },
    ),
    '/traces': get(
      'Recent traces, newest first',
      { 200: json('What is still kept', tracesSchema), ...problem },
      {
        security: read,
        parameters: [
          parameter('limit', 'query', { type: 'integer', minimum: 1, maximum: 1000, default: 50 }),
          parameter('decision', 'query', { type: 'string' }),
        ],
      },
    ),
    '/traces/{traceId}': get(
      'The spans of one trace that this service keeps',
      { 200: json('In the order of their start', traceSchema), ...problem },
      { security: read, parameters: [parameter('traceId', 'path', { type: 'string' })] },
    ),
    '/v1/traces': {
      post: {
        summary: 'Takes spans of engines: OTLP over HTTP',
        security: read,
        requestBody: { content: { 'application/x-protobuf': { schema: { type: 'string', format: 'binary' } } } },
        responses: { 200: text('Taken', 'application/x-protobuf'), 400: text('No OTLP', 'application/x-protobuf') },
      },
    },
  };
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [`${base}${path}`, item])) as Paths;
}
