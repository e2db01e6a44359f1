import { readFile } from 'node:fs/promises';
import { text as readText } from 'node:stream/consumers';

/** Input of the user's that cannot be used; the message says which and why. */
export class InputError extends Error {}

/**
 * Text that is given as an argument, as `@FILE`, or as `-` for stdin, the way curl has it.
 * @throws InputError for a file that cannot be read
 */
export async function readInput(given: string, stdin: NodeJS.ReadableStream): Promise<string> {
  if (given === '-') return readText(stdin);
  if (!given.startsWith('@')) return given;
  const path = given.slice(1);
  try {
    return path === '-' ? await readText(stdin) : await readFile(path, 'utf8');
  } catch (error) {
    throw new InputError(`cannot read ${path}: ${(error as Error).message}`);
  }
}
