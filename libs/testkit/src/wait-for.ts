/**
 * Calls `probe` until it returns something other than undefined, null or false, and resolves with that and the time it took.
 * @throws Error with `what` and the last error when time is up.
 */
export async function waitFor<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<{ value: T; tookMs: number }> {
  const started = performance.now();
  let lastError: unknown = null;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false)
        return { value, tookMs: performance.now() - started };
      lastError = null;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() - started > timeoutMs) {
      const reason =
        lastError === null ? '' : `: ${lastError instanceof Error ? lastError.message : JSON.stringify(lastError)}`;
      throw new Error(`${what}: not within ${timeoutMs} ms${reason}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
