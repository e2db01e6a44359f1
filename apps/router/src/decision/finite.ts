/** Records and JSON have no NaN and no Infinity: what is not known, or has no bound, is null. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
