/**
 * Predicted tokens as the ledger and flow control count them: rounded to whole ones, and 0 for what is no number of tokens
 * (negative, NaN, infinite). Both count the same request, and what one takes out of the other's columns must be what that
 * put in.
 */
export const wholeTokens = (tokens: number): number => (tokens > 0 && tokens < Infinity ? Math.round(tokens) : 0);
