// The driver with itself on the other side: what needs no real peer.
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import t from 'tap'
import {addressOf, ours} from '../../helpers/gossip.js'
import {until} from '../../helpers/serf-agent.js'

t.test('two meet over IPv6, however the address was written', async t => {
  const first = await ours(t, 'first', {
    bind: {ip: '::1', port: 0},
    advertise: {ip: '0:0:0:0:0:0:0:1', port: 0},
  })
  const second = await ours(t, 'second', {bind: {ip: '::1', port: 0}})
  t.equal(first.address.ip, '::1')
  t.same(await second.join([`[::1]:${first.address.port}`]), {contacted: 1, problems: []})
  t.ok(await until(() => first.member('second')?.ip === '::1'))
})

t.test('a join tells of each address that failed, and counts those that did not', async t => {
  const first = await ours(t, 'first')
  const second = await ours(t, 'second')
  const outcome = await second.join([addressOf(first), '127.0.0.1:1', 'no.such.host.invalid'])
  t.equal(outcome.contacted, 1)
  t.equal(outcome.problems.length, 2)
  t.match(outcome.problems.join('\n'), /no\.such\.host\.invalid/)
  t.match(outcome.problems.join('\n'), /127\.0\.0\.1:1: .*ECONNREFUSED/)
})

t.test('an address that is taken stops the start', async t => {
  const first = await ours(t, 'first')
  await t.rejects(ours(t, 'second', {bind: first.address}), {name: 'AgentError', message: /cannot listen/})
})

t.test('what does not fit is refused before it is sent', async t => {
  const gossip = await ours(t, 'first')
  t.throws(() => gossip.setTags({long: 'x'.repeat(600)}), {name: 'AgentError'})
  t.throws(() => gossip.userEvent('long', new Uint8Array(600)), {name: 'AgentError'})
  await t.rejects(ours(t, 'second', {tags: {long: 'x'.repeat(600)}}), {name: 'AgentError'})
  t.same(await gossip.query({name: 'long', payload: new Uint8Array(2000)}), {acks: [], responses: []})
})

t.test('a filter that refuses an address cuts packets and streams, until it lets them pass', async t => {
  let cut = true
  const filter = {
    allows: (address: string) => !cut || !address.startsWith('127.0.0.71'),
    close: () => undefined,
  }
  const first = await ours(t, 'first', {bind: {ip: '127.0.0.71', port: 0}})
  const second = await ours(t, 'second', {bind: {ip: '127.0.0.72', port: 0}, filter})
  t.equal((await second.join([addressOf(first)])).contacted, 0)
  t.equal(
    (await first.join([addressOf(second)])).contacted,
    0,
    'streams show the address that they come from',
  )
  cut = false
  t.equal((await second.join([addressOf(first)])).contacted, 1)
})

t.test('nobody waits for one that is stopped', async t => {
  const gossip = await ours(t, 'first')
  const query = gossip.query({name: 'x', timeoutMs: 60_000})
  await gossip.shutdown()
  t.same(await query, {acks: [], responses: []})
  await gossip.leave()
  t.equal(await gossip.forceLeave('x'), false)
  t.equal((await gossip.join(['127.0.0.1:1'])).contacted, 0)
  await gossip.shutdown()
})

t.test('a leave is the last word in the snapshot file', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-driver-'))
  t.teardown(() => rmSync(dir, {recursive: true, force: true}))
  const snapshotFile = join(dir, 'local.snapshot')
  const [first, second] = [await ours(t, 'first', {snapshotFile}), await ours(t, 'second')]
  await first.join([addressOf(second)])
  t.ok(await until(() => first.members().length === 2))
  const left = first.leave()
  t.ok(await until(() => readFileSync(snapshotFile, 'utf8').endsWith('leave\n'), 2000))
  await left
  await first.shutdown()
  t.match(readFileSync(snapshotFile, 'utf8'), /^alive: first 127[\s\S]*alive: second 127[\s\S]*\nleave\n$/)
})

t.test('one who left comes back by itself only when it is told that it shall', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'quorate-rejoin-'))
  t.teardown(() => rmSync(dir, {recursive: true, force: true}))
  const snapshotFile = join(dir, 'local.snapshot')
  const stays = await ours(t, 'stays')
  const first = await ours(t, 'goes', {snapshotFile})
  await first.join([addressOf(stays)])
  await first.leave()
  await first.shutdown()
  const bind = first.address
  const quiet = await ours(t, 'goes', {snapshotFile, bind})
  t.equal(await until(() => quiet.members().length > 1, 1500), false)
  await quiet.shutdown()
  const back = await ours(t, 'goes', {snapshotFile, bind, rejoinAfterLeave: true})
  t.ok(await until(() => back.member('stays')?.status === 'alive'))
  t.ok(await until(() => stays.member('goes')?.status === 'alive'))
})
