// Our gossip in one pool with Debian's serf: what is claimed is read from the real agent wherever it can say it.
import {createSocket} from 'node:dgram'
import {mkdtempSync, readFileSync, rmSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Test} from 'tap'
import t from 'tap'
import type {Gossip, GossipNotice} from '../../../src/agent/gossip/gossip.js'
import {encodeMessage} from '../../../src/core/wire/memberlist.js'
import {addressOf, ours} from '../../helpers/gossip.js'
import {SerfAgent, until} from '../../helpers/serf-agent.js'

t.jobs = 6

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

async function theirs(t: Test, ...args: Parameters<typeof SerfAgent.start>): Promise<SerfAgent> {
  const agent = await SerfAgent.start(...args)
  t.teardown(() => agent.stop())
  return agent
}

/** Waits until we see a member in this status. */
const sees = (gossip: Gossip, name: string, status: string, timeoutMs = 10_000): Promise<boolean> =>
  until(() => gossip.member(name)?.status === status, timeoutMs)

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'quorate-serf-'))
  t.teardown(() => rmSync(path, {recursive: true, force: true}))
  return path
}

/** Fresh for every test: tap writes into it. */
const parallel = (): {buffered: boolean} => ({buffered: true})

t.test('serf lists us alive with our tags after we join it, and keeps us', parallel(), async t => {
  const serf = await theirs(t, 'alpha', ['-tag', 'role=db'])
  const us = await ours(t, 'ours')
  t.same(await us.join([serf.address]), {contacted: 1, problems: []})
  t.ok(await serf.sees('ours', 'alive'))
  t.equal(us.member('alpha')?.tags['role'], 'db')
  us.setTags({role: 'cache', dc: 'east'})
  t.ok(
    await until(
      async () => (await serf.members()).find(({name}) => name === 'ours')?.tags['role'] === 'cache',
      5000,
    ),
    'a change of tags arrives',
  )
  await sleep(6000)
  t.equal(await serf.statusOf('ours'), 'alive')
  t.notMatch(serf.log(), /Suspect|MemberFailed|\[ERR\]/, 'it never had a doubt')
})

t.test('serf joins us, and a change of its tags arrives here', parallel(), async t => {
  const serf = await theirs(t, 'alpha')
  const us = await ours(t, 'ours')
  t.match(await serf.command('join', addressOf(us)), /Successfully joined cluster by contacting 1 nodes/)
  t.ok(await serf.sees('ours', 'alive'))
  t.ok(await sees(us, 'alpha', 'alive'))
  await serf.command('tags', '-set', 'color=red')
  t.ok(await until(() => us.member('alpha')?.tags['color'] === 'red'))
})

t.test('serf sees us fail within 10 seconds of our sudden silence, and not as left', parallel(), async t => {
  const serf = await theirs(t, 'alpha')
  const other = await theirs(t, 'beta')
  const us = await ours(t, 'ours')
  await us.join([serf.address, other.address])
  t.ok(await serf.sees('ours', 'alive'))
  t.ok(await other.sees('ours', 'alive'))
  await us.shutdown()
  t.ok(await serf.sees('ours', 'failed', 10_000))
  t.ok(await other.sees('ours', 'failed', 2000))
  t.notMatch(serf.log(), /MemberLeave: ours/)
})

t.test(
  'a real agent that is killed is failed here within 10 seconds, and not within 2',
  parallel,
  async t => {
    const [serf, other] = [await theirs(t, 'alpha'), await theirs(t, 'beta')]
    const us = await ours(t, 'ours')
    await us.join([serf.address, other.address])
    t.ok(await sees(us, 'alpha', 'alive'))
    t.ok(await sees(us, 'beta', 'alive'))
    await serf.stop('SIGKILL')
    await sleep(2000)
    t.equal(us.member('alpha')?.status, 'alive')
    t.ok(await sees(us, 'alpha', 'failed', 8000))
  },
)

t.test('leaving is seen as left on the other side, both ways', parallel(), async t => {
  const [serf, other] = [await theirs(t, 'alpha'), await theirs(t, 'beta')]
  const us = await ours(t, 'ours')
  await us.join([serf.address, other.address])
  t.ok(await serf.sees('beta', 'alive'))
  t.match(await other.command('leave'), /Graceful leave complete/)
  t.ok(await sees(us, 'beta', 'left'))
  await us.leave()
  t.equal(await serf.statusOf('ours'), 'left')
  await us.shutdown()
  await sleep(3000)
  t.equal(await serf.statusOf('ours'), 'left')
  t.notMatch(serf.log(), /MemberFailed: ours/)
})

t.test('a killed member is declared left by force, both ways, and pruned', parallel(), async t => {
  const serf = await theirs(t, 'alpha')
  const victims = [await theirs(t, 'one'), await theirs(t, 'two')]
  const us = await ours(t, 'ours')
  await us.join([serf.address, ...victims.map(({address}) => address)])
  for (const {name} of victims) t.ok(await serf.sees(name, 'alive'))
  await Promise.all(victims.map(victim => victim.stop('SIGKILL')))
  for (const {name} of victims) {
    t.ok(await serf.sees(name, 'failed', 30_000))
    t.ok(await sees(us, name, 'failed', 30_000))
  }
  t.ok(await us.forceLeave('one'))
  t.ok(await serf.sees('one', 'left'))
  // A real agent spends some of the few times it tells a thing on members that are dead
  t.ok(await until(() => serf.command('force-leave', 'two').then(() => us.member('two')?.status === 'left')))
  t.ok(await us.forceLeave('two', {prune: true}))
  t.ok(await serf.sees('two', 'none'), 'pruned members are not listed at all')
  const pruned = (): boolean => us.member('one') === undefined
  t.ok(await until(() => serf.command('force-leave', '-prune', 'one').then(pruned)))
  t.notOk(await us.forceLeave('nobody'), 'a name that nobody knows is said to be unknown')
})

t.test('user events go both ways, each once', parallel(), async t => {
  const file = join(folder(t), 'events')
  const serf = await theirs(t, 'alpha', ['-event-handler', `user:deploy=cat >> ${file}`])
  const us = await ours(t, 'ours')
  const notices: GossipNotice[] = []
  us.on(notice => notices.push(notice))
  await us.join([serf.address])
  await serf.command('event', 'restart', 'now')
  us.userEvent('deploy', utf8('version 7'))
  t.ok(await until(() => notices.filter(({on}) => on === 'user-event').length === 2))
  await sleep(2000)
  const told = notices.flatMap(notice =>
    notice.on === 'user-event' ? [`${notice.name} ${text(notice.payload)}`] : [],
  )
  t.same(told.sort(), ['deploy version 7', 'restart now'])
  t.equal(readFileSync(file, 'utf8'), 'version 7\n')
})

t.test(
  'queries are acknowledged and answered, both ways, by those whom a filter names',
  parallel,
  async t => {
    const serf = await theirs(t, 'alpha', ['-event-handler', 'query:uptime=printf 5days'])
    const us = await ours(t, 'ours')
    us.on(notice => {
      if (notice.on === 'query' && notice.name === 'load') notice.respond(utf8(`0.1 ${text(notice.payload)}`))
    })
    await us.join([serf.address])
    t.ok(await serf.sees('ours', 'alive'))
    const answer = await serf.command('query', '-timeout=3s', 'load', 'please')
    t.match(answer, /Ack from 'ours'/)
    t.match(answer, /Response from 'ours': 0\.1 please/)
    const byTag = await serf.command('query', '-timeout=3s', '-tag', 'role=w.b$', 'load', 'x')
    t.match(byTag, /Response from 'ours'/)
    const others = await serf.command('query', '-timeout=2s', '-tag', 'role=^db', 'load', 'x')
    t.notMatch(others, /from 'ours'/)
    const outcome = await us.query({name: 'uptime', acknowledge: true, timeoutMs: 3000})
    t.same([...outcome.acks].sort(), ['alpha', 'ours'])
    t.same(
      outcome.responses.map(({from, payload}) => [from, text(payload)]),
      [['alpha', '5days']],
    )
    const none = await us.query({
      name: 'uptime',
      acknowledge: true,
      timeoutMs: 1500,
      filters: {nodes: ['ours'], tags: {}},
    })
    t.same(none, {acks: ['ours'], responses: []})
  },
)

t.test('serf reaches us by way of others when our packets to each other are lost', parallel(), async t => {
  const blocked = '127.0.0.62'
  const serf = await theirs(t, 'alpha', [], {ip: blocked})
  const helper = await theirs(t, 'beta', [], {ip: '127.0.0.63'})
  let cut = false
  const us = await ours(t, 'ours', {
    bind: {ip: '127.0.0.64', port: 0},
    filter: {allows: address => !cut || !address.startsWith(blocked), close: () => undefined},
  })
  await us.join([serf.address, helper.address])
  t.ok(await serf.sees('ours', 'alive'))
  t.ok(await helper.sees('alpha', 'alive'))
  cut = true
  await sleep(12_000)
  t.equal(await serf.statusOf('ours'), 'alive')
  t.equal(us.member('alpha')?.status, 'alive')
  t.notMatch(serf.log(), /MemberFailed/)
})

t.test('a lie that we are dead is refuted, and serf takes us back', parallel(), async t => {
  const serf = await theirs(t, 'alpha')
  const us = await ours(t, 'ours')
  await us.join([serf.address])
  t.ok(await serf.sees('ours', 'alive'))
  const liar = createSocket('udp4')
  t.teardown(() => liar.close())
  const lie = (type: 'suspect' | 'dead', node: string, to: string): Promise<void> =>
    new Promise(resolve => {
      const [ip, port] = to.split(':')
      const bytes = encodeMessage({type, incarnation: 1, node, from: 'liar'})
      liar.send(bytes, Number(port), ip, () => resolve())
    })
  await lie('dead', 'ours', serf.address)
  t.ok(await until(() => /MemberFailed: ours[\s\S]*MemberJoin: ours/.test(serf.log())))
  t.equal(await serf.statusOf('ours'), 'alive')
  await lie('suspect', 'alpha', addressOf(us))
  t.ok(await until(() => /Refuting a suspect message/.test(serf.log()), 5000), 'it hears of it from us')
  await sleep(6000)
  t.equal(us.member('alpha')?.status, 'alive')
})

for (const bytes of [16, 32]) {
  t.test(`encrypted gossip with a key of ${bytes} bytes: strangers stay out`, parallel(), async t => {
    const key = Buffer.alloc(bytes, 7)
    const serf = await theirs(t, 'alpha', ['-encrypt', key.toString('base64')])
    const us = await ours(t, 'ours', {key})
    t.equal((await us.join([serf.address])).contacted, 1)
    t.ok(await serf.sees('ours', 'alive'))
    const wrong = await ours(t, 'wrong', {key: Buffer.alloc(bytes, 8)})
    t.equal((await wrong.join([serf.address])).contacted, 0)
    t.equal((await wrong.join([addressOf(us)])).contacted, 0)
    const plain = await ours(t, 'plain')
    const refused = await plain.join([serf.address, addressOf(us)])
    t.equal(refused.contacted, 0)
    t.match(refused.problems.join(' '), /encrypted/)
    const stranger = await theirs(t, 'stranger')
    t.match(await stranger.command('join', addressOf(us)), /Error joining/)
    await sleep(2000)
    t.same((await serf.members()).map(({name}) => name).sort(), ['alpha', 'ours'])
    t.same(
      us
        .members()
        .map(({name}) => name)
        .sort(),
      ['alpha', 'ours'],
    )
  })
}

t.test('keys are listed, installed, put to use and removed, asked from either side', parallel(), async t => {
  const dir = folder(t)
  const [old, next, third] = [1, 2, 3].map(byte => Buffer.alloc(32, byte))
  if (old === undefined || next === undefined || third === undefined) return
  const serf = await theirs(t, 'alpha', ['-encrypt', old.toString('base64')])
  const file = join(dir, 'local.keyring')
  const us = await ours(t, 'ours', {key: old, keyringFile: file})
  await us.join([serf.address])
  t.ok(await serf.sees('ours', 'alive'))
  t.match(await serf.command('keys', '-list'), new RegExp(`${quoted(old)}\\s+\\[2/2\\]`))
  t.match(await serf.command('keys', '-install', next.toString('base64')), /Successfully installed/)
  t.match(await serf.command('keys', '-use', next.toString('base64')), /Successfully changed/)
  t.match(await serf.command('keys', '-remove', old.toString('base64')), /Successfully removed/)
  t.same(JSON.parse(readFileSync(file, 'utf8')), [next.toString('base64')])
  await sleep(2000)
  t.equal(await serf.statusOf('ours'), 'alive', 'gossip goes on with the new key')
  for (const operation of ['install', 'use'] as const)
    t.match(await us.keys(operation, third), {nodes: 2, responses: 2, errors: 0})
  t.match(await us.keys('remove', next), {nodes: 2, responses: 2, errors: 0})
  t.same((await us.keys('list')).keys, {[third.toString('base64')]: 2})
  t.match(await serf.command('keys', '-list'), new RegExp(`${quoted(third)}\\s+\\[2/2\\]`))
  t.match(await us.keys('remove', third), {errors: 2}, 'the primary key is not removed')
})

const quoted = (key: Buffer): string => key.toString('base64').replace(/[+/=]/g, '\\$&')

t.test(
  'after a restart we are back in the pool by our snapshot file, without being told to join',
  parallel,
  async t => {
    const file = join(folder(t), 'serf', 'local.snapshot')
    const serf = await theirs(t, 'alpha')
    const first = await ours(t, 'ours', {snapshotFile: file})
    await first.join([serf.address])
    t.ok(await serf.sees('ours', 'alive'))
    first.userEvent('before', utf8('x'))
    await sleep(500)
    const {address} = first
    await first.shutdown()
    t.ok(await serf.sees('ours', 'failed', 15_000))
    const second = await startAt(t, address, file)
    const notices: GossipNotice[] = []
    second.on(notice => notices.push(notice))
    t.ok(await serf.sees('ours', 'alive'))
    t.notOk(
      notices.some(({on}) => on === 'user-event'),
      'events of the former life are not told again',
    )
    await second.leave()
    await second.shutdown()
    const third = await startAt(t, address, file)
    await sleep(1500)
    t.equal(await serf.statusOf('ours'), 'left', 'one who left does not come back by itself')
    await third.shutdown()
  },
)

const startAt = (t: Test, address: Gossip['address'], snapshotFile: string): Promise<Gossip> =>
  ours(t, 'ours', {bind: address, advertise: address, snapshotFile})

t.test('a real agent finds the pool again by a snapshot file of ours', parallel(), async t => {
  const file = join(folder(t), 'local.snapshot')
  const serf = await theirs(t, 'alpha')
  const us = await ours(t, 'ours', {snapshotFile: file})
  await us.join([serf.address])
  t.ok(await serf.sees('ours', 'alive'))
  await us.shutdown()
  t.ok(await serf.sees('ours', 'failed', 15_000))
  const port = us.address.port
  const heir = await theirs(t, 'ours', ['-snapshot', file], {port})
  t.ok(await heir.sees('alpha', 'alive'))
  t.ok(await serf.sees('ours', 'alive'))
})

t.test('we find the pool again by a snapshot file of a real agent', parallel(), async t => {
  const file = join(folder(t), 'local.snapshot')
  const serf = await theirs(t, 'alpha')
  const former = await theirs(t, 'ours', ['-snapshot', file])
  await former.command('join', serf.address)
  t.ok(await serf.sees('ours', 'alive'))
  // Stops without leaving, but writes its file to the end first
  await former.stop('SIGTERM')
  t.ok(await serf.sees('ours', 'failed', 15_000))
  const port = Number(former.address.split(':')[1])
  const us = await startAt(t, {ip: '127.0.0.1', port}, file)
  t.ok(await serf.sees('ours', 'alive'))
  t.equal(us.member('alpha')?.status, 'alive')
})

t.test('two agents of one name: the pool gives the name to the one it knew first', parallel(), async t => {
  const [serf, other] = [await theirs(t, 'alpha'), await theirs(t, 'beta')]
  const first = await ours(t, 'ours', {resolveNameConflicts: true})
  await first.join([serf.address, other.address])
  t.ok(await serf.sees('ours', 'alive'))
  t.ok(await other.sees('ours', 'alive'))
  const newcomer = await ours(t, 'ours', {resolveNameConflicts: true})
  const told: string[] = []
  newcomer.on(({on}) => told.push(on))
  first.on(({on}) => told.push(`first ${on}`))
  await newcomer.join([serf.address])
  t.ok(await until(() => told.includes('name-lost'), 15_000))
  t.notOk(told.includes('first name-lost'))
  t.match(serf.log(), /Name conflict for 'ours'/)
})
