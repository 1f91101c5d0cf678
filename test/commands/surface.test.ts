import t from 'tap'
import {exitsOf} from '../../src/docs/exits.js'
import {declaredCommands} from '../helpers/commands.js'
import {matchesGolden} from '../helpers/golden.js'

const commands = await declaredCommands()

/** What of a declaration scripts rely on: values only, sorted by name. */
function promised(declared: Readonly<Record<string, object>>, keys: readonly string[]): object {
  const names = Object.keys(declared).sort()
  return Object.fromEntries(
    names.map(name => {
      const one = declared[name] as Record<string, unknown>
      const kept = keys.filter(
        key => !['undefined', 'function'].includes(typeof one[key]) && one[key] !== false,
      )
      return [name, Object.fromEntries(kept.map(key => [key, one[key]]))]
    }),
  )
}

const flagKeys = [
  'char',
  'type',
  'helpGroup',
  'env',
  'multiple',
  'allowNo',
  'options',
  'default',
  'min',
  'max',
]
const bondKeys = ['aliases', 'required', 'exclusive', 'dependsOn', 'hidden']

t.test('commands, flags, short flags, variables and arguments are what was promised', async t => {
  const surface = Object.fromEntries(
    commands.map(({id, manual, command}) => [
      id.replaceAll(':', ' '),
      {
        args: promised(manual.args, ['required', 'multiple', 'options', 'default']),
        hosts: command.strict === false,
        flags: promised(manual.flags, [...flagKeys, ...bondKeys]),
        exits: exitsOf(id)?.map(exit => `${exit.note} ${exit.name}`) ?? [],
      },
    ]),
  )
  matchesGolden(t, `${JSON.stringify(surface, null, 2)}\n`, 'surface.json')
})

t.test('every command says what it does, shows how, and how it can end', async t => {
  for (const {id, command, manual} of commands) {
    t.match(command.summary, /^[A-Z].*\.$/, `${id} has a summary`)
    t.ok((command.examples ?? []).length > 0, `${id} has examples`)
    t.ok(exitsOf(id), `${id} has its exit codes`)
    t.equal(command.enableJsonFlag, true, `${id} takes --json`)
    for (const flag of Object.values(manual.flags)) t.match(flag.summary, /\.$/, `${id} --${flag.name}`)
  }
})

t.test('no two flags of a command share a letter, and a variable always means the same flag', async t => {
  const owners = new Map<string, string>()
  for (const {id, manual} of commands) {
    const letters = Object.values(manual.flags).flatMap(flag => flag.char ?? [])
    t.equal(new Set([...letters, 'h']).size, letters.length + 1, id)
    for (const {env, name} of Object.values(manual.flags)) {
      if (env === undefined) continue
      t.equal(owners.get(env) ?? name, name, env)
      owners.set(env, name)
    }
  }
})
