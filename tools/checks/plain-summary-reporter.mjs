import { writeSync } from 'node:fs';

/** Prints the plain closing line `N passed, N failed, N skipped` as the very last output. */
export default class PlainSummaryReporter {
  onRunComplete(_contexts, results) {
    // A suite that failed to load ran no test, but it is a failure all the same.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    // Jest's own reporters buffer their output, so the line waits for the exit.
    process.once('exit', () =>
      writeSync(1, `\n${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`),
    );
  }
}
