import { createMemoryStore } from './index.ts';
import { storeSuite } from './testing/store-suite.ts';

storeSuite('memory', async () => createMemoryStore());
