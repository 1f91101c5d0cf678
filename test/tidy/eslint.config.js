import tseslint from 'typescript-eslint'

const pureSyntax = [
  {selector: "MemberExpression[object.name='Date'][property.name='now']", message: 'Pass the clock in.'},
  {selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Pass the clock in.'},
  {selector: "MemberExpression[object.name='Math'][property.name='random']", message: 'Pass the PRNG in.'},
]
const pureGlobals = [
  'process',
  'console',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'performance',
  'Buffer',
]
const forbid = (...group) => ({
  'no-restricted-imports': [
    'error',
    {patterns: [{group, message: 'See the import rule in ARCHITECTURE.md.'}]},
  ],
})

export default tseslint.config(
  {ignores: ['dist/**', 'node_modules/**', '.tap/**']},
  {
    files: ['src/**/*.ts', 'commands/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: {parserOptions: {project: './test/tidy/tsconfig.json', tsconfigRootDir: process.cwd()}},
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        // Tap itself waits for its subtests.
        {allowForKnownSafePromises: [{from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest'}]},
      ],
      '@typescript-eslint/no-misused-promises': ['error', {checksVoidReturn: {arguments: false}}],
      '@typescript-eslint/no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^_'}],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', {considerDefaultExhaustiveForUnions: true}],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      'no-empty': ['error', {allowEmptyCatch: false}],
      'no-console': 'error',
      'prefer-const': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/core/**/*.ts'],
    rules: {
      ...forbid(
        'node:*',
        '@*/*',
        'execa',
        'node-ssh',
        'chalk',
        'inquirer',
        'zod',
        'undici',
        'yaml',
        '**/ui/**',
        '**/adapters/**',
        '**/engine/**',
        '**/ports/**',
        '**/errors.js',
      ),
      'no-restricted-globals': ['error', ...pureGlobals],
      'no-restricted-syntax': ['error', ...pureSyntax],
    },
  },
  {files: ['src/ports/**/*.ts'], rules: forbid('node:*', '**/ui/**', '**/adapters/**', '**/engine/**')},
  {
    files: ['src/engine/**/*.ts'],
    rules: {
      ...forbid(
        '@oclif/*',
        'chalk',
        'inquirer',
        'execa',
        'node-ssh',
        'undici',
        'node:fs*',
        'node:net',
        'node:child_process',
        '**/ui/**',
        '**/adapters/**',
        '**/agent/**',
      ),
      'no-restricted-syntax': ['error', ...pureSyntax],
    },
  },
  {
    files: ['src/ui/views/**/*.ts', 'src/docs/man.ts'],
    rules: {
      ...forbid('node:*', '@oclif/*', 'chalk', 'inquirer', 'execa', '**/adapters/**', '**/engine/**'),
      'no-restricted-globals': ['error', ...pureGlobals],
      'no-restricted-syntax': ['error', ...pureSyntax],
    },
  },
  {
    files: ['src/client/**/*.ts'],
    rules: forbid('node:*', '@oclif/*', '**/ui/**', '**/adapters/**', '**/engine/**', '**/agent/**'),
  },
  {files: ['src/ui/*.ts'], rules: forbid('**/adapters/**', '**/engine/**')},
  {files: ['src/adapters/**/*.ts'], rules: forbid('**/engine/**', '**/ui/**', '@oclif/*')},
  {
    files: ['commands/**/*.ts'],
    rules: forbid('**/adapters/**', '**/core/planning/**', '**/core/diagnose/**'),
  },
)
