import { accessSync, constants, lstatSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** A file that cannot be written; the message names the option, the path and the reason. */
export class OutputError extends Error {}

/**
 * Says before the work is done whether a file can be written at its end.
 * @throws OutputError when its folder is missing or closed, or it is a folder itself.
 */
export function checkOutput(option: string, path: string): void {
  attempt(option, path, () => {
    if (kindOf(path) === 'folder') throw new Error('it is a folder');
    accessSync(kindOf(path) === 'absent' ? dirname(resolve(path)) : path, constants.W_OK);
  });
}

/**
 * Writes a file as a whole: under another name first, then renamed, so that nobody finds half of it. Links (`/dev/stdout`
 * is one), pipes and devices are written to as they are.
 * @throws OutputError when that fails.
 */
export function writeOutput(option: string, path: string, text: string): void {
  // A listener makes Ctrl-C wait until this function is through.
  const wait = (): void => {};
  process.on('SIGINT', wait);
  try {
    attempt(option, path, () => {
      if (kindOf(path) === 'other') writeFileSync(path, text);
      else replace(path, text);
    });
  } finally {
    process.off('SIGINT', wait);
  }
}

function replace(path: string, text: string): void {
  const draft = join(dirname(path), `.${basename(path)}.${process.pid}.part`);
  try {
    writeFileSync(draft, text);
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function kindOf(path: string): 'absent' | 'file' | 'folder' | 'other' {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'absent';
  if (stats.isDirectory()) return 'folder';
  return stats.isFile() && !lstatSync(path).isSymbolicLink() ? 'file' : 'other';
}

function attempt(option: string, path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new OutputError(`${option} ${path}: ${(error as Error).message}`);
  }
}
