import { RequestMethod } from '@nestjs/common';
import type { INestApplication, Type } from '@nestjs/common';
import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { ModulesContainer } from '@nestjs/core';
import type { OpenAPIObject } from '@nestjs/swagger';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { problemSchema } from '@sluice/contracts';
import { jsonSchema, operationOf } from './operation.ts';
import type { Access } from './operation.ts';
import { platformPaths } from './platform-paths.ts';
import { accessByMethod } from './admin/admin-gate.ts';

/** Name of the security scheme. */
const TOKEN = 'token';

/** Swagger's decorators put on a method twice would list its parameters twice. */
const described = new WeakSet<object>();

/** OpenAPI 3.1 of the controllers of `module`, with the schemas that `@Operation` named. */
export async function openApiDocument(
  app: INestApplication,
  module: Type,
  about: { title: string; version: string; base: string },
): Promise<OpenAPIObject> {
  const swagger = await import('@nestjs/swagger');
  const modules = [...app.get(ModulesContainer).values()].filter((candidate) => candidate.metatype === module);
  for (const controller of modules.flatMap((found) => [...found.controllers.values()])) {
    const prototype = (controller.metatype as Type).prototype as object;
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      const method = descriptor.value as unknown;
      if (typeof method !== 'function' || described.has(method)) continue;
      const operation = operationOf(method);
      if (!operation) continue;
      described.add(method);
      const apply = (decorator: MethodDecorator): void => void decorator(prototype, key, descriptor);
      const access = operation.access ?? accessByMethod(methodOf(method));
      apply(swagger.ApiOperation({ summary: operation.summary, security: securityOf(access) }));
      for (const [name, description] of Object.entries(operation.headers ?? {})) {
        apply(swagger.ApiHeader({ name, description, required: false }));
      }
      if (operation.body) apply(swagger.ApiBody({ schema: jsonSchema(operation.body, 'input') }));
      for (const parameter of queryParameters(operation.query)) apply(swagger.ApiQuery(parameter));
      const status = operation.status ?? 200;
      const reply = operation.reply
        ? { schema: jsonSchema(operation.reply, 'output') }
        : operation.replyType === undefined
          ? {}
          : { content: { [operation.replyType]: { schema: { type: 'string' } } } };
      apply(swagger.ApiResponse({ status, description: 'Success', ...reply }));
      for (const [wrong, description] of Object.entries(PROBLEMS)) {
        apply(swagger.ApiResponse({ status: wrong as '4XX', description, schema: PROBLEM }));
      }
    }
  }
  const config = new swagger.DocumentBuilder()
    .setTitle(about.title)
    .setVersion(about.version)
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'SLUICE_ADMIN_TOKEN; see docs/admin-api.md' }, TOKEN)
    .build();
  const document = swagger.SwaggerModule.createDocument(app, { ...config, openapi: '3.1.0' }, { include: [module] });
  return { ...document, paths: { ...document.paths, ...platformPaths(about.base, securityOf('read')) } };
}

const PROBLEM = jsonSchema(problemSchema, 'output');
const PROBLEMS = { '4XX': 'The request is wrong, or not allowed', '5XX': 'The service cannot do it now' };

/** What a request must bring. Reads need the token only where they have one of their own. */
const securityOf = (access: Access): Record<string, string[]>[] => {
  if (access === 'open') return [];
  return access === 'read' ? [{}, { [TOKEN]: [] }] : [{ [TOKEN]: [] }];
};

const methodOf = (handler: object): string =>
  RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];

type QueryParameter = { name: string; required: boolean; schema: Record<string, unknown> };

function queryParameters(query: Parameters<typeof jsonSchema>[0] | undefined): QueryParameter[] {
  if (!query) return [];
  const { properties, required } = jsonSchema(query, 'input') as {
    properties: Record<string, Record<string, unknown>>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    required: required?.includes(name) ?? false,
    schema,
  }));
}

const UI_TYPES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
};

/** A file of Swagger UI with its media type, or null when it is none that the page needs. Read from disk each time: it is 1.5 MB. */
export async function swaggerUiFile(name: string): Promise<{ type: string; content: Buffer } | null> {
  const type = Object.hasOwn(UI_TYPES, name) ? UI_TYPES[name] : undefined;
  if (type === undefined) return null;
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return { type, content: await readFile(join(folder, name)) };
}

/** The page at `/docs`, which shows `openapi.json` beside it. */
export const swaggerUiPage = (title: string): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${title.replace(/[<&]/g, (c) => (c === '<' ? '&lt;' : '&amp;'))}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<div id="ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({ url: 'openapi.json', dom_id: '#ui' });</script>
</html>
`;
