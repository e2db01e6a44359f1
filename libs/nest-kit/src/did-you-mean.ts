/** Edits beyond which two names have nothing to do with each other. */
const MOST_EDITS = 4;

/** `did you mean X?` for the name that is nearest to `name`, or `known are ...` when none is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  let nearest: string | null = null;
  let least = Math.min(MOST_EDITS, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(name.toUpperCase(), candidate.toUpperCase());
    if (edits >= least) continue;
    least = edits;
    nearest = candidate;
  }
  return nearest === null ? `known are ${known.join(', ')}` : `did you mean ${nearest}?`;
}

/** Fewest insertions, deletions and substitutions that turn `a` into `b` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
