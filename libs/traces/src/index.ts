export { FORMAT_IDS, loadTrace, TraceError } from './load-trace.ts';
export type { FormatId } from './load-trace.ts';
