import {Errors, Flags, Parser} from '@oclif/core'
import t from 'tap'
import {tellError} from '../src/tell-error.js'

const flags = {confirm: Flags.string({}), fast: Flags.boolean({}), how: Flags.string({options: ['a', 'b']})}

for (const argv of [['--confirm', 'a', '--confirm', 'b'], ['--confirm'], ['--how', 'c'], ['--other']])
  t.test(`a slip in the command line is no bug of ours: ${argv.join(' ')}`, async t => {
    const error: unknown = await Parser.parse(argv, {flags}).then(
      () => undefined,
      (problem: unknown) => problem,
    )
    t.ok(error instanceof Errors.CLIError)
    // In the program some of these carry the exit code that package.json gives to errors of any kind.
    if (error instanceof Errors.CLIError && error.constructor === Errors.CLIError) error.oclif.exit = 1
    t.match(tellError(error, 'quorate help'), {code: 'USAGE', exit: 2, hints: ['quorate help']})
  })

t.test('what the command line has no part in stays a bug', async t => {
  t.match(tellError(new Errors.CLIError('no plugin found', {exit: 1}), 'quorate help'), {
    code: 'BUG',
    exit: 1,
  })
  t.match(tellError(new TypeError('x is undefined'), 'quorate help'), {code: 'BUG', exit: 1})
})
