export { contractSuite } from './testing/contract-suite.ts';
export type { ContractOptions } from './testing/contract-suite.ts';
