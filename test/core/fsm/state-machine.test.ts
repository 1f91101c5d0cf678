import {readFileSync, readdirSync} from 'node:fs'
import t from 'tap'
import {decodeMsgpack} from '../../../src/core/codec/msgpack.js'
import {byteStringOfText} from '../../../src/core/fsm/byte-string.js'
import {
  bareEntry,
  bareSession,
  encodeAutopilot,
  encodeDeregistration,
  encodeKv,
  encodeRegistration,
  encodeRestore,
  encodeSession,
  encodeTombstoneReap,
  encodeTxn,
} from '../../../src/core/fsm/commands.js'
import {listKv} from '../../../src/core/fsm/kv.js'
import {CommandType} from '../../../src/core/fsm/messages.js'
import type {KvEntry, Session, TxnOutcome} from '../../../src/core/fsm/messages.js'
import {PackReader} from '../../../src/core/fsm/pack-reader.js'
import {
  NO_AUTOPILOT,
  NO_CHECK,
  NO_SERVICE,
  readKvCommand,
  readSessionCommand,
} from '../../../src/core/fsm/read-records.js'
import {StateMachine} from '../../../src/core/fsm/state-machine.js'
import {serviceIndex} from '../../../src/core/fsm/catalog.js'
import {NaiveModel} from './naive-model.js'
import {prng} from './prng.js'

const SAMPLES = new URL('../../../fixtures/samples/', import.meta.url)
const text = (value: string) => new TextEncoder().encode(value)
const entry = (key: string, value: string, more: Partial<KvEntry> = {}): KvEntry => ({
  ...bareEntry(key),
  value: byteStringOfText(value),
  ...more,
})
const node = (name: string, id = '') => ({
  id,
  node: name,
  address: '127.0.0.1',
  datacenter: 'dc1',
  taggedAddresses: {lan: '127.0.0.1'},
  meta: null,
  createIndex: 0,
  modifyIndex: 0,
})
const registration = (name: string, more = {}) =>
  encodeRegistration({node: node(name), skipNodeUpdate: false, service: undefined, checks: [], ...more})
const session = (id: string, more: Partial<Session> = {}): Session => ({
  ...bareSession(id),
  node: 'n1',
  lockDelayNs: 15e9,
  ...more,
})
const bytesOf = (machine: StateMachine) => Buffer.concat([...machine.snapshot()])
const restored = (bytes: Uint8Array, step = 1000) => {
  const machine = new StateMachine()
  const restore = machine.restore()
  for (let at = 0; at < bytes.length; at += step) restore.push(bytes.subarray(at, at + step))
  const problem = restore.finish()
  return {machine, problem}
}

/** A log of commands that touch few keys, so that they meet. */
function randomLog(seed: number, length: number) {
  const random = prng(seed)
  const ops = [
    'set',
    'set',
    'set',
    'cas',
    'cas',
    'delete',
    'delete-cas',
    'delete-tree',
    'lock',
    'lock',
    'unlock',
  ]
  const keys = ['a', 'a/', 'a/b', 'a/b/c', 'a/c', 'b', 'b/ä', 'b/\u0001', 'c', '']
  const machine = new StateMachine()
  const model = new NaiveModel()
  const log: Uint8Array[] = [registration('n1')]
  machine.apply(1, log[0]!)
  const got: unknown[] = []
  const want: unknown[] = []
  for (let index = 2; index < length + 2; index++) {
    const kind = random(20)
    const id = `s${random(4)}`
    let data: Uint8Array
    let expected: unknown
    if (kind === 0) {
      const made = session(id, {behavior: random(2) === 0 ? 'release' : 'delete'})
      data = encodeSession('dc1', 'create', made)
      if (model.sessions.has(id)) model.end(index, id)
      model.sessions.set(id, made)
      machine.apply(index, encodeSession('dc1', 'destroy', session(id)))
      log.push(encodeSession('dc1', 'destroy', session(id)))
      expected = id
    } else if (kind === 1) {
      data = encodeSession('dc1', 'destroy', session(id))
      model.end(index, id)
    } else {
      const op = ops[random(ops.length)]!
      const key = byteStringOfText(keys[random(op === 'delete-tree' ? keys.length : keys.length - 1)]!)
      const old = model.kv.get(key)
      const wanted = entry(key, random(9) === 0 ? (old?.value ?? '') : `v${random(5)}`, {
        modifyIndex: random(3) === 0 ? 0 : (old?.modifyIndex ?? random(2)),
        flags: random(2) === 0 ? 0 : 0xffff_ffff_ffff_ffffn,
        session: op.endsWith('lock') ? id : '',
      })
      data = encodeKv('dc1', op, wanted)
      expected = model.apply(index, op, wanted)
    }
    log.push(data)
    const result = machine.apply(index, data)
    const prefix = byteStringOfText(keys[random(keys.length)]!)
    got.push({index, result, list: listKv(machine.tables, prefix)})
    want.push({index, result: expected, list: model.list(prefix)})
  }
  return {log, machine, got, want}
}

t.test('it does what a naive model does, for random commands', async t => {
  for (let seed = 1; seed <= 12; seed++) {
    const {got, want} = randomLog(seed, 400)
    t.strictSame(got, want, `seed ${seed}`)
  }
})

t.test(
  'the same log gives the same bytes, and so does its snapshot, restored in pieces of any size',
  async t => {
    for (let seed = 20; seed < 24; seed++) {
      const {log} = randomLog(seed, 300)
      const [one, two] = [new StateMachine(), new StateMachine()]
      log.forEach((data, i) => one.apply(i + 1, data))
      log.forEach((data, i) => two.apply(i + 1, data))
      t.ok(bytesOf(one).equals(bytesOf(two)))
      for (const step of [1, 7, 100_000]) {
        const {machine, problem} = restored(bytesOf(one), step)
        t.equal(problem, undefined)
        t.equal(machine.lastIndex, log.length)
        t.ok(bytesOf(machine).equals(bytesOf(one)))
      }
      // A restored machine goes on as the other does, locks of sessions included.
      const {machine} = restored(bytesOf(one))
      for (let i = 0; i < 4; i++) {
        const end = encodeSession('dc1', 'destroy', session(`s${i}`))
        machine.apply(log.length + i + 1, end)
        one.apply(log.length + i + 1, end)
      }
      t.ok(bytesOf(machine).equals(bytesOf(one)))
    }
  },
)

t.test('a snapshot is the state of its moment, however much is written while it is read', async t => {
  const machine = new StateMachine()
  for (let i = 1; i <= 3000; i++)
    machine.apply(i, encodeKv('dc1', 'set', entry(`key/${i % 1500}`, 'x'.repeat(100))))
  const before = bytesOf(machine)
  const reading = machine.snapshot()
  const chunks: Uint8Array[] = []
  let index = 3000
  for (const chunk of reading) {
    chunks.push(chunk)
    for (let i = 0; i < 200; i++)
      machine.apply(
        ++index,
        encodeKv('dc1', i % 3 === 0 ? 'delete' : 'set', entry(`key/${index % 1700}`, 'new')),
      )
  }
  t.ok(chunks.length > 2)
  t.ok(Buffer.concat(chunks).equals(before))
  t.notOk(bytesOf(machine).equals(before))
})

t.test('its commands are byte for byte those that real servers logged', async t => {
  let compared = 0
  for (const file of ['consul-0.6.4-cluster', 'consul-0.7.5-cluster', 'consul-1.8-cluster']) {
    for (const data of loggedCommands(new URL(`${file}/s1/raft/raft.db`, SAMPLES))) {
      if (data[0] === 2) {
        const {op, entry: wanted} = readKvCommand(new PackReader(data, 1))
        t.strictSame(Buffer.from(encodeKv('dc1', op, wanted)), Buffer.from(data))
        compared++
      }
      // The session's checks stand elsewhere since 1.7.
      if (data[0] === 3 && file.includes('1.8')) {
        const {session: made} = readSessionCommand(new PackReader(data, 1))
        t.strictSame(Buffer.from(encodeSession('dc1', 'create', made)), Buffer.from(data))
        compared++
      }
    }
  }
  t.ok(compared > 100, `${compared} compared`)
})

t.test('snapshots of real servers of every age are restored whole', async t => {
  const files = readdirSync(SAMPLES, {recursive: true, encoding: 'utf8'}).filter(
    file => file.endsWith('state.bin') && file.startsWith('consul-'),
  )
  t.ok(files.length > 5)
  for (const file of files) {
    const {machine, problem} = restored(readFileSync(new URL(file, SAMPLES)))
    t.equal(problem, undefined, file)
    t.ok(machine.tables.kv.size > 0, file)
    t.ok(machine.tables.nodes.size > 0, file)
    t.equal(serviceIndex(machine.tables, 'consul', true) > 0, true)
    const again = restored(bytesOf(machine))
    t.ok(bytesOf(again.machine).equals(bytesOf(machine)), file)
  }
})

t.test('a state is brought in by the log, in parts, and ends up with indexes of that log', async t => {
  const far = new StateMachine()
  far.apply(1, registration('n1'))
  far.apply(2, encodeSession('dc1', 'create', session('s')))
  far.apply(3, encodeKv('dc1', 'lock', entry('held', 'v', {session: 's'})))
  for (let i = 4; i < 900; i++) far.apply(i, encodeKv('dc1', 'set', entry(`k/${i}`, 'v')))
  far.apply(900, encodeKv('dc1', 'delete', entry('k/5', '')))
  const state = bytesOf(far)
  const parts = [state.subarray(0, 5000), state.subarray(5000, 20_001), state.subarray(20_001)]
  const step = (op: string, data = new Uint8Array(0), id = 'r') =>
    encodeRestore({op, id, data, parts: parts.length, index: 0})
  const machine = new StateMachine()
  let woken = 0
  machine.apply(1, encodeKv('dc1', 'set', entry('old', 'v')))
  machine.watch({key: 'old'}, () => woken++)
  machine.apply(2, step('begin'))
  t.ok(restored(bytesOf(machine)).machine.tables.pending, 'even when only begun')
  machine.apply(3, step('part', parts[0]))
  t.match(machine.apply(4, step('part', parts[0], 'other')), {error: /another restore/})
  t.equal(woken, 0)
  // A server that comes in by a snapshot in the middle has all that came before.
  const late = restored(bytesOf(machine)).machine
  for (const one of [machine, late]) {
    one.apply(5, step('part', parts[1]))
    one.apply(6, step('part', parts[2]))
    t.equal(one.apply(7, step('end')), undefined)
  }
  t.ok(bytesOf(machine).equals(bytesOf(late)))
  t.equal(woken, 1)
  t.equal(machine.tables.kv.get('old'), undefined)
  t.match(machine.tables.kv.get('held'), {session: 's', createIndex: 2, modifyIndex: 2})
  t.match(machine.tables.kv.get('k/899'), {createIndex: 2, modifyIndex: 2})
  t.equal(listKv(machine.tables, 'k/').index, 2)
  t.equal(machine.tables.index('nodes'), 1)
  machine.apply(8, encodeSession('dc1', 'destroy', session('s')))
  t.match(machine.tables.kv.get('held'), {session: '', modifyIndex: 8})
  machine.apply(9, step('begin'))
  machine.apply(10, step('part', parts[0]))
  const before = machine.tables.kv.size
  t.match(machine.apply(11, step('end')), {error: /not whole/})
  t.equal(machine.tables.kv.size, before)
})

t.test('a snapshot for servers of every age has only records that all of them know', async t => {
  const [old, young] = [new StateMachine('of-any-age'), new StateMachine()]
  for (const machine of [old, young]) {
    machine.apply(1, registration('n1'))
    machine.apply(2, encodeKv('dc1', 'set', entry('k', 'v')))
    machine.apply(3, encodeKv('dc1', 'delete', entry('k', '')))
    machine.apply(4, encodeSession('dc1', 'create', {...session('s'), nodeChecks: []}))
  }
  const typesOf = (machine: StateMachine): readonly number[] => {
    const reader = new PackReader(bytesOf(machine))
    const types: number[] = []
    for (reader.skip(); reader.at < reader.bytes.length; reader.skip())
      types.push(reader.bytes[reader.at++] ?? -1)
    return types
  }
  const known = [CommandType.register, CommandType.session, CommandType.tombstone]
  t.same([...new Set(typesOf(old))], known)
  t.same([...new Set(typesOf(young))], [...known, CommandType.index])
  const {machine} = restored(bytesOf(old))
  t.equal(machine.lastIndex, 4)
  t.equal(machine.tables.index('nodes'), 4, 'what it does not tell is taken to be as late as it can be')
  t.equal(listKv(machine.tables, '').index, 3)
})

t.test('a damaged snapshot is refused and changes nothing', async t => {
  const {machine: good} = restored(bytesOf(randomLog(3, 50).machine))
  const bytes = bytesOf(good)
  t.match(restored(bytes.subarray(0, bytes.length - 1)).problem, /ends within/)
  t.match(restored(new Uint8Array(0)).problem, /no header/)
  t.match(restored(text('no snapshot at all')).problem, /damaged/)
  const restore = good.restore()
  restore.push(bytes.subarray(0, 40))
  t.type(restore.finish(), 'string')
  t.ok(bytesOf(good).equals(bytes))
})

t.test(
  'commands that are no commands are refused alike, and those of other kinds are passed over',
  async t => {
    const machine = new StateMachine()
    const random = prng(5)
    t.match(machine.apply(1, new Uint8Array(0)), {error: /empty/})
    const good = encodeKv('dc1', 'set', entry('k', 'v'))
    for (let i = 1; i < good.length; i++) machine.apply(i, good.subarray(0, i))
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from({length: random(60)}, () => random(256))
      machine.apply(100 + i, bytes)
      machine.apply(100 + i, Uint8Array.from([random(10), 0x80 | random(8), ...bytes]))
    }
    t.equal(machine.apply(9000, Uint8Array.from([22, 0x80])), undefined)
    t.match(machine.apply(9001, encodeKv('dc1', 'explode', entry('k', 'v'))), {error: /explode/})
  },
)

t.test('who watches is woken once by what it watches, and by nothing else', async t => {
  const machine = new StateMachine()
  const woken: string[] = []
  const watch = (name: string, target: Parameters<StateMachine['watch']>[0]) =>
    machine.watch(target, () => woken.push(name))
  watch('a/b', {key: 'a/b'})
  watch('a/', {prefix: 'a/'})
  watch('all', {prefix: ''})
  watch('z', {prefix: 'z'})
  watch('sessions', {table: 'sessions'})
  watch('taken back', {key: 'a/b'})()
  machine.apply(1, encodeKv('dc1', 'set', entry('b', 'v')))
  t.strictSame(woken.splice(0), ['all'])
  machine.apply(2, encodeKv('dc1', 'set', entry('a/b', 'v')))
  t.strictSame(woken.splice(0), ['a/b', 'a/'])
  machine.apply(3, encodeKv('dc1', 'set', entry('a/b', 'w')))
  t.strictSame(woken.splice(0), [])
  watch('a/b', {key: 'a/b'})
  machine.apply(4, encodeKv('dc1', 'set', entry('a/b', 'w')))
  t.strictSame(woken.splice(0), [], 'nothing changed')
  machine.apply(5, encodeKv('dc1', 'delete-tree', entry('a', '')))
  t.strictSame(woken.splice(0), ['a/b'])
  const restore = machine.restore()
  restore.push(bytesOf(new StateMachine()))
  t.equal(restore.finish(), undefined)
  t.strictSame(woken.sort(), ['sessions', 'z'])
})

t.test('a lock is lost with its session, and its delay is told', async t => {
  const machine = new StateMachine()
  const delays: unknown[] = []
  machine.onLockDelay = (key, ms) => delays.push([key, ms])
  machine.apply(1, registration('n1', {checks: [{...NO_CHECK, checkId: 'serfHealth', status: 'passing'}]}))
  t.equal(machine.apply(2, encodeSession('dc1', 'create', session('s', {nodeChecks: ['serfHealth']}))), 's')
  t.equal(machine.apply(3, encodeKv('dc1', 'lock', entry('k', 'v', {session: 's'}))), true)
  machine.apply(4, registration('n1', {checks: [{...NO_CHECK, checkId: 'serfHealth', status: 'critical'}]}))
  t.equal(machine.tables.sessions.size, 0)
  t.match(machine.tables.kv.get('k'), {session: '', lockIndex: 1, modifyIndex: 4})
  t.strictSame(delays, [['k', 15_000]])
  t.match(machine.apply(5, encodeSession('dc1', 'create', session('t', {nodeChecks: ['serfHealth']}))), {
    error: /critical/,
  })
  t.match(machine.apply(6, encodeSession('dc1', 'create', session('t', {nodeChecks: ['other']}))), {
    error: /Missing check/,
  })
  t.match(machine.apply(7, encodeSession('dc1', 'create', session('t', {node: 'n2'}))), {
    error: /Missing node/,
  })
})

t.test('a node leaves with its services, checks and sessions; the service tells its extinction', async t => {
  const machine = new StateMachine()
  const service = {...NO_SERVICE, id: 'web-1', service: 'web', port: 80}
  machine.apply(1, registration('N1', {service}))
  const check = {...NO_CHECK, checkId: 'c', serviceId: 'web-1', status: 'passing'}
  machine.apply(2, registration('n1', {checks: [check]}))
  machine.apply(3, encodeSession('dc1', 'create', session('s')))
  t.equal(machine.tables.nodes.size, 1)
  t.equal(serviceIndex(machine.tables, 'web', true), 2)
  t.match([...machine.tables.checks.from('')][0]?.value, {serviceName: 'web'})
  t.match(machine.apply(4, registration('n1', {checks: [{...check, serviceId: 'nope'}]})), {
    error: 'Missing service registration',
  })
  machine.apply(5, encodeDeregistration('dc1', {node: 'n1', serviceId: '', checkId: ''}))
  for (const table of ['nodes', 'services', 'checks', 'sessions', 'serviceNames', 'nodeSessions'] as const)
    t.equal(machine.tables[table].size, 0, table)
  t.equal(serviceIndex(machine.tables, 'web', true), 5)
})

t.test('a registration that is refused leaves nothing of itself behind', async t => {
  const machine = new StateMachine()
  const before = bytesOf(machine)
  t.match(machine.apply(0, registration('n1', {checks: [{...NO_CHECK, checkId: 'c', serviceId: 'nope'}]})), {
    error: 'Missing service registration',
  })
  t.ok(bytesOf(machine).equals(before))
})

t.test('a node keeps its age under a new name, and a name is not taken from a healthy node', async t => {
  const machine = new StateMachine()
  const named = (name: string, id: string, status = 'passing') =>
    encodeRegistration({
      node: node(name, id),
      skipNodeUpdate: false,
      service: undefined,
      checks: [{...NO_CHECK, checkId: 'serfHealth', status}],
    })
  machine.apply(1, named('old', 'id-1'))
  machine.apply(2, named('new', 'id-1'))
  t.equal(machine.tables.nodes.get('old'), undefined)
  t.match(machine.tables.nodes.get('new')?.value, {createIndex: 1, modifyIndex: 2})
  t.match(machine.apply(3, named('new', 'id-2')), {error: /reserved by node id-1/})
  machine.apply(4, named('new', 'id-1', 'critical'))
  t.equal(machine.apply(5, named('new', 'id-2')), undefined)
})

t.test('a transaction does all or nothing', async t => {
  const machine = new StateMachine()
  machine.apply(1, encodeKv('dc1', 'set', entry('a', '1')))
  const failed = machine.apply(
    2,
    encodeTxn('dc1', [
      {verb: 'set', kv: entry('b', '2')},
      {verb: 'check-index', kv: entry('a', '', {modifyIndex: 9})},
      {verb: 'get', kv: bareEntry('none')},
    ]),
  ) as TxnOutcome
  t.strictSame(failed.errors, [
    {opIndex: 1, what: 'failed index check for key "a", current modify index 1 != 9'},
    {opIndex: 2, what: `key "none" doesn't exist`},
  ])
  t.equal(machine.tables.kv.get('b'), undefined)
  const done = machine.apply(
    3,
    encodeTxn(
      'dc1',
      [
        {verb: 'set', kv: entry('b', '2')},
        {verb: 'cas', kv: entry('a', '3', {modifyIndex: 1})},
        {verb: 'get-tree', kv: bareEntry('')},
        {verb: 'delete', kv: bareEntry('b')},
        {verb: 'node', node: node('n1')},
        {verb: 'set', node: node('n1')},
        {verb: 'set', service: {...NO_SERVICE, node: 'n1', id: 'web', service: 'web'}},
        {verb: 'set', check: {...NO_CHECK, node: 'n1', checkId: 'c', status: 'passing'}},
      ].filter(op => op.verb !== 'node') as never,
    ),
  ) as TxnOutcome
  t.strictSame(done.errors, [])
  t.equal(done.results.length, 7)
  t.match(done.results[2], {kv: {key: 'a', modifyIndex: 3}, withValue: true})
  t.equal(machine.tables.checks.size, 1)
})

t.test('tombstones are reaped up to an index, and autopilot is set as wished', async t => {
  const machine = new StateMachine()
  for (let i = 0; i < 4; i++) {
    machine.apply(2 * i + 1, encodeKv('dc1', 'set', entry(`p/${i}`, 'v')))
    machine.apply(2 * i + 2, encodeKv('dc1', 'delete', entry(`p/${i}`, '')))
  }
  t.equal(listKv(machine.tables, 'p/').index, 8)
  machine.apply(9, encodeTombstoneReap('dc1', 6))
  t.equal(machine.tables.tombstones.size, 1)
  t.equal(listKv(machine.tables, 'p/').index, 8)
  const config = {...NO_AUTOPILOT, cleanupDeadServers: true, maxTrailingLogs: 250}
  t.equal(machine.apply(10, encodeAutopilot('dc1', config, false)), undefined)
  t.equal(machine.apply(11, encodeAutopilot('dc1', {...config, modifyIndex: 9}, true)), false)
  t.equal(machine.apply(12, encodeAutopilot('dc1', {...config, modifyIndex: 10}, true)), true)
  t.match(machine.tables.autopilot, {createIndex: 10, modifyIndex: 12, maxTrailingLogs: 250})
})

/** The data of entries that lie in a log store, found by their key. */
function* loggedCommands(file: URL): Iterable<Uint8Array> {
  const bytes = readFileSync(file)
  for (
    let at = bytes.indexOf('\xa4Data', 0, 'latin1');
    at >= 0;
    at = bytes.indexOf('\xa4Data', at + 1, 'latin1')
  ) {
    const result = decodeMsgpack(bytes, at + 5)
    if (result.kind !== 'value' || !(result.value instanceof Uint8Array) || result.value.length < 2) continue
    const head = result.value[1]!
    if (head >= 0x80 && head <= 0x8f) yield result.value
  }
}
