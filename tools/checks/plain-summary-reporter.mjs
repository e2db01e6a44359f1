/** Prints the plain closing line `N passed, N failed, N skipped` after jest's own summary. */
export default class PlainSummaryReporter {
  onRunComplete(_contexts, results) {
    // A suite that failed to load ran no test, but it is a failure all the same.
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    process.stdout.write(`\n${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
  }
}
