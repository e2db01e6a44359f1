export { createReferenceIndex } from './reference.ts';
