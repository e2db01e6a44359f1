import { InvalidArgumentError } from 'commander';

/** Parser of a number option: within bounds, and whole unless said otherwise. */
export const number =
  (what: string, min: number, max: number, whole = true) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new InvalidArgumentError(`${what} is ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}.`);
    }
    return value;
  };

/** Parser of a comma-separated list of ids, each of them known and named once. */
export const idList =
  <Id extends string>(what: string, known: readonly Id[]) =>
  (text: string): Id[] => {
    const ids = text.split(',').map((id) => id.trim());
    const found = ids.map((id) => known.find((each) => each === id));
    const unknown = ids.filter((_, i) => found[i] === undefined);
    if (unknown.length > 0) {
      throw new InvalidArgumentError(`unknown ${what} '${unknown.join("', '")}'; known are ${known.join(', ')}.`);
    }
    if (new Set(ids).size < ids.length) throw new InvalidArgumentError(`a ${what} is named twice.`);
    return found as Id[];
  };

/** Parser of the address of an HTTP server. */
export const origin = (text: string): string => {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new InvalidArgumentError('Give a URL such as http://host:8000.');
  if (parsed.pathname !== '/' || parsed.search !== '')
    throw new InvalidArgumentError('Give the address alone, without a path.');
  return parsed.origin;
};
