declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** One schedulable endpoint: an engine address and a data-parallel rank. Also a token of bus subjects and metric labels. */
export type WorkerId = Branded<'WorkerId'>;
/** All variants that serve one base model and its LoRA adapters. */
export type PoolId = Branded<'PoolId'>;

const TOKEN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

/** Whether `text` can be an id: 1 to 63 letters, digits, `-` or `_`, the first a letter or digit (no dots: ids are subject tokens). */
export const isId = (text: string): boolean => TOKEN.test(text);

function checked<Id extends string>(kind: string, text: string): Id {
  if (!isId(text)) {
    throw new RangeError(
      `${kind} '${text}' must be 1 to 63 letters, digits, '-' or '_', starting with a letter or digit`,
    );
  }
  return text as Id;
}

/** @throws RangeError when `text` is no id, see {@link isId}. */
export const workerId = (text: string): WorkerId => checked<WorkerId>('worker id', text);
/** @throws RangeError when `text` is no id, see {@link isId}. */
export const poolId = (text: string): PoolId => checked<PoolId>('pool id', text);
