import { z } from 'zod';

/** Who may call a route: anybody; whoever may read; whoever may change state. */
export type Access = 'open' | 'read' | 'change';

/** What the OpenAPI document says about one admin route. */
export interface OperationOptions {
  readonly summary: string;
  /** Request body. */
  readonly body?: z.ZodType;
  /** Query parameters, one per key. */
  readonly query?: z.ZodObject;
  /** Answer of a success. */
  readonly reply?: z.ZodType;
  /** Status of a success. Default 200. */
  readonly status?: number;
  /** Media type of a success that is no JSON. */
  readonly replyType?: string;
  /** Default by the method: `read` for GET, else `change`. */
  readonly access?: Access;
  /** Request headers beside the token, by name, with what they mean. */
  readonly headers?: Readonly<Record<string, string>>;
}

const operations = new WeakMap<object, OperationOptions>();

/**
 * Describes a controller method for the OpenAPI document from the Zod schemas that it parses with. Kept aside until the
 * document is first asked for: `@nestjs/swagger` takes 12 MB of memory, which a service that nobody asks need not have.
 */
export function Operation(options: OperationOptions): MethodDecorator {
  return (_target, _key, descriptor) => {
    if (descriptor.value) operations.set(descriptor.value as object, options);
    return descriptor;
  };
}

/** What {@link Operation} said about a method. */
export const operationOf = (method: object): OperationOptions | undefined => operations.get(method);

/** JSON Schema of what a client sends (`input`) or gets (`output`), as OpenAPI 3.1 takes it. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
