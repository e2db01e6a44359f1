import type { z } from 'zod';

/** A JSON subject: its name (or the name of a family, one token per parameter) and its payload are one value. */
export interface Subject<S extends z.ZodType = z.ZodType> {
  readonly kind: 'json';
  readonly name: string;
  readonly schema: S;
}
export type PayloadOf<T extends Subject> = z.output<T['schema']>;

/** A subject whose request and reply are both JSON. */
export interface RequestSubject<Q extends z.ZodType = z.ZodType, A extends z.ZodType = z.ZodType> {
  readonly kind: 'request';
  readonly name: string;
  readonly request: Q;
  readonly reply: A;
}

/** What a requester passes (defaults of the schema may be left out). */
export type RequestOf<T extends RequestSubject> = z.input<T['request']>;
/** What a responder is given: the request as parsed, defaults filled in. */
export type ParsedRequestOf<T extends RequestSubject> = z.output<T['request']>;
/** What a requester gets. */
export type ReplyOf<T extends RequestSubject> = z.output<T['reply']>;

/** A high-rate subject with a compact binary payload; `parameters` are the tokens that follow the name. */
export interface StreamSubject {
  readonly kind: 'stream';
  readonly name: string;
  readonly parameters: readonly string[];
}

/**
 * A subject with a compact binary payload that is delivered at most once and at once, and kept nowhere;
 * `parameters` are the tokens that follow the name.
 */
export interface DatagramSubject {
  readonly kind: 'datagram';
  readonly name: string;
  readonly parameters: readonly string[];
}

export const defineSubject = <S extends z.ZodType>(name: string, schema: S): Subject<S> => ({
  kind: 'json',
  name,
  schema,
});

export const defineRequest = <Q extends z.ZodType, A extends z.ZodType>(
  name: string,
  request: Q,
  reply: A,
): RequestSubject<Q, A> => ({ kind: 'request', name, request, reply });

export const defineStream = (name: string, parameters: readonly string[]): StreamSubject => ({
  kind: 'stream',
  name,
  parameters,
});

export const defineDatagram = (name: string, parameters: readonly string[]): DatagramSubject => ({
  kind: 'datagram',
  name,
  parameters,
});
