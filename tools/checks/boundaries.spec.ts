import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '../..');

/** Imports that the architecture forbids: where the line would stand, the line, and the rule that must reject it. */
const FORBIDDEN: readonly [place: string, line: string, rule: string][] = [
  ['libs/routing/src/policy.ts', "import { Module } from '@nestjs/common';", '@nx/enforce-module-boundaries'],
  ['libs/routing/src/policy.ts', "import { z } from 'zod';", '@nx/enforce-module-boundaries'],
  [
    'libs/routing/src/policy.ts',
    "import { createLearner } from '@sluice/latency-model';",
    '@nx/enforce-module-boundaries',
  ],
  ['libs/routing/src/policy.ts', "import { createMemoryBus } from '@sluice/bus';", '@nx/enforce-module-boundaries'],
  ['libs/routing/src/policy.ts', "import { readFile } from 'node:fs/promises';", 'no-restricted-imports'],
  ['libs/routing/src/policy.ts', 'export const now: number = Date.now();', 'no-restricted-properties'],
  ['libs/routing/src/policy.ts', 'export const luck: number = Math.random();', 'no-restricted-properties'],
  ['libs/prefix-index/src/index.ts', 'export const env: unknown = process;', 'no-restricted-globals'],
  ['libs/contracts/src/index.ts', "import { createMemoryBus } from '@sluice/bus';", '@nx/enforce-module-boundaries'],
  ['libs/bus/src/index.ts', "import { Module } from '@nestjs/common';", '@nx/enforce-module-boundaries'],
  ['libs/nest-kit/src/index.ts', "import { connect } from '@nats-io/transport-node';", '@nx/enforce-module-boundaries'],
  ['apps/router/src/config.ts', "import { connect } from '@nats-io/transport-node';", '@nx/enforce-module-boundaries'],
  ['apps/router/src/config.ts', "import { request } from 'undici';", '@nx/enforce-module-boundaries'],
  [
    'apps/router/src/config.ts',
    "import { createKvIndexService } from '@sluice/kv-index';",
    '@nx/enforce-module-boundaries',
  ],
  ['apps/kv-index/src/config.ts', "import { createPolicy } from '@sluice/routing';", '@nx/enforce-module-boundaries'],
  ['apps/router/src/config.ts', 'export const port: unknown = process.env;', 'no-restricted-properties'],
  [
    'apps/router/src/config.ts',
    "import { prefixIndexSuite } from '@sluice/prefix-index/testing';",
    'no-restricted-imports',
  ],
  ['apps/router/src/config.ts', "export * from './index.ts';", 'no-restricted-syntax'],
];

/** What the same rules must let through. */
const ALLOWED: readonly [place: string, line: string][] = [
  ['libs/routing/src/policy.ts', "import { rootKey } from '@sluice/model';\nexport { rootKey };"],
  ['libs/bus/src/index.ts', "import { kvDeltas } from '@sluice/contracts';\nexport { kvDeltas };"],
  [
    'apps/standalone/src/main.ts',
    "import { createKvIndexService } from '@sluice/kv-index';\nexport { createKvIndexService };",
  ],
];

describe('the dependency rules bite', () => {
  let rulesHit: string[][] = [];

  beforeAll(() => {
    const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}` };
    const run = (script: string, input: string): string =>
      execFileSync(process.execPath, [join(root, 'tools/checks', script)], { cwd: root, env, input, encoding: 'utf8' });
    run('project-graph.mjs', '');
    const lines = [...FORBIDDEN, ...ALLOWED].map(([place, line]) => [join(root, place), line]);
    rulesHit = JSON.parse(run('lint-lines.mjs', JSON.stringify(lines))) as string[][];
  }, 180_000);

  it.each(FORBIDDEN.map((row, i) => [...row, i] as const))('%s may not say: %s', (_place, _line, rule, i) => {
    expect(rulesHit[i]).toContain(rule);
  });

  it.each(ALLOWED.map((row, i) => [...row, i] as const))('%s may say: %s', (_place, _line, i) => {
    expect(rulesHit[FORBIDDEN.length + i]).toEqual([]);
  });
});
