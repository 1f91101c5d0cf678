import {rmSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import t from 'tap'
import {watchPeerFilter} from '../../src/agent/peer-filter.js'

async function until(claim: () => boolean): Promise<boolean> {
  for (let i = 0; i < 100 && !claim(); i++) await new Promise(resolve => setTimeout(resolve, 20))
  return claim()
}

t.test('without a file everybody is allowed', async t => {
  t.ok(watchPeerFilter(undefined).allows('127.0.0.1'))
  const filter = watchPeerFilter(join(t.testdir(), 'missing'))
  t.teardown(() => filter.close())
  t.ok(filter.allows('127.0.0.1'))
})

t.test('a refused address is refused both ways, with a port and as a dual socket shows it', async t => {
  const filter = watchPeerFilter(join(t.testdir({refused: '127.1.0.2\n::1\n'}), 'refused'))
  t.teardown(() => filter.close())
  for (const form of [
    '127.1.0.2',
    '127.1.0.2:8301',
    '::ffff:127.1.0.2',
    '[::ffff:127.1.0.2]:8300',
    '[::1]:8301',
  ]) {
    t.notOk(filter.allows(form), form)
    t.notOk(filter.allows(form, 'from'), `from ${form}`)
    t.notOk(filter.allows(form, 'to'), `to ${form}`)
  }
  t.ok(filter.allows('127.1.0.20'))
})

t.test('one direction is refused alone', async t => {
  const filter = watchPeerFilter(join(t.testdir({refused: 'from 127.1.0.2\nto 127.1.0.3\n'}), 'refused'))
  t.teardown(() => filter.close())
  t.notOk(filter.allows('127.1.0.2', 'from'))
  t.ok(filter.allows('127.1.0.2', 'to'))
  t.ok(filter.allows('127.1.0.3', 'from'))
  t.notOk(filter.allows('127.1.0.3', 'to'))
  t.notOk(filter.allows('127.1.0.3'))
})

t.test('a change of the file is seen, its end too', async t => {
  const path = join(t.testdir(), 'refused')
  const filter = watchPeerFilter(path)
  t.teardown(() => filter.close())
  writeFileSync(path, '127.1.0.2\n')
  t.ok(await until(() => !filter.allows('127.1.0.2')), 'refused after it was written')
  writeFileSync(path, '127.1.0.3\n')
  t.ok(await until(() => filter.allows('127.1.0.2') && !filter.allows('127.1.0.3')), 'another after a change')
  rmSync(path)
  t.ok(await until(() => filter.allows('127.1.0.3')), 'allowed after it was removed')
})
