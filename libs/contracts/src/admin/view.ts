import type { z } from 'zod';

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;

/** What an admin API answers by `S`, to be read and not written. */
export type View<S extends z.ZodType> = DeepReadonly<z.output<S>>;
