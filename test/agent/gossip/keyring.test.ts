import {mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import {Keyring} from '../../../src/agent/gossip/keyring.js'

const dir = mkdtempSync(join(tmpdir(), 'quorate-keyring-'))
t.teardown(() => rmSync(dir, {recursive: true, force: true}))
const key = (byte: number, length = 32): Uint8Array => Buffer.alloc(length, byte)
const text = (byte: number): string => Buffer.alloc(32, byte).toString('base64')

t.test('a configured key founds the file, which only its owner may read', async t => {
  const file = join(dir, 'new.keyring')
  const keyring = await Keyring.load({key: key(1), file})
  t.same(JSON.parse(readFileSync(file, 'utf8')), [text(1)])
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.same(keyring?.primary, key(1))
})

t.test('where there is a file the configured key is not looked at', async t => {
  const file = join(dir, 'old.keyring')
  writeFileSync(file, JSON.stringify([text(2), text(3)]))
  const keyring = await Keyring.load({key: key(4), file})
  t.same(keyring?.all(), [key(2), key(3)])
  t.equal(await Keyring.load({key: undefined, file: join(dir, 'none')}), undefined)
})

t.test('keys are installed, put first and removed, and every change is on disk', async t => {
  const file = join(dir, 'change.keyring')
  const keyring = await Keyring.load({key: key(1), file})
  if (keyring === undefined) return t.fail('there is a keyring')
  t.match(await keyring.change('use', key(2)), {ok: false, message: /not in the keyring/})
  t.match(await keyring.change('install', key(2, 20)), {ok: false, message: /16, 24 or 32/})
  t.match(await keyring.change('install', key(2)), {ok: true})
  t.match(await keyring.change('install', key(2)), {ok: true}, 'twice is once')
  t.match(await keyring.change('use', key(2)), {ok: true})
  t.match(await keyring.change('remove', key(2)), {ok: false, message: /primary/})
  t.same(JSON.parse(readFileSync(file, 'utf8')), [text(2), text(1)])
  t.match(await keyring.change('list', new Uint8Array(0)), {
    ok: true,
    keys: [text(2), text(1)],
    primaryKey: text(2),
  })
  t.match(await keyring.change('remove', key(1)), {ok: true})
  t.same(JSON.parse(readFileSync(file, 'utf8')), [text(2)])
})

t.test('a change that cannot be written is none', async t => {
  const file = join(dir, 'gone', 'x.keyring')
  const keyring = await Keyring.load({key: key(1), file: undefined})
  if (keyring === undefined) return t.fail('there is a keyring')
  t.match(await keyring.change('install', key(5)), {ok: true}, 'in memory it can')
  await t.rejects(Keyring.load({key: key(1), file}))
})

t.test('a file that is no keyring stops the agent and quotes no key', async t => {
  for (const content of ['nonsense', '{}', '[]', '["c2hvcnQ="]', `["${text(1)}", 5]`]) {
    const file = join(dir, 'bad.keyring')
    writeFileSync(file, content)
    const error = await Keyring.load({key: undefined, file}).catch((problem: unknown) => problem)
    t.match(error, {name: 'AgentError', message: /keyring/}, content)
    t.notMatch(String(error), new RegExp(text(1).slice(0, 8)))
  }
})
