export { seededRng } from './seeded-rng.ts';
