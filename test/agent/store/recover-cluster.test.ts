import {existsSync, mkdirSync, readFileSync, writeFileSync, readdirSync} from 'node:fs'
import {join} from 'node:path'
import t, {type Test} from 'tap'
import {loadNodeId, readLivePeers, writeLivePeers} from '../../../src/agent/store/identity-files.js'
import {openRaftStore} from '../../../src/agent/store/open-raft-store.js'
import {loadSnapshot, recoverFromPeersFile} from '../../../src/agent/store/recover-cluster.js'
import type {RaftStore} from '../../../src/agent/store/raft-store.js'
import {encodeMsgpack} from '../../../src/core/codec/msgpack.js'
import {StateMachine} from '../../../src/core/fsm/state-machine.js'
import type {LogEntry} from '../../../src/core/raft/messages.js'

const ID = 'a9d1b0a6-5c3c-4b3c-9d3a-000000000001'
const objects = JSON.stringify([{id: ID, address: '127.0.0.1:8300', non_voter: false}])

const put = (index: number, key: string): LogEntry => ({
  index,
  term: 2,
  type: 0,
  data: new Uint8Array([
    2,
    ...encodeMsgpack({
      Datacenter: 'dc1',
      Op: 'set',
      DirEnt: {Key: key, Value: new TextEncoder().encode(key), Flags: 0},
    }),
  ]),
})

async function open(directory: string, machine = new StateMachine()): Promise<RaftStore> {
  return openRaftStore(
    directory,
    {onPersisted: () => undefined, onFailure: error => t.fail(error.message)},
    {restore: reader => loadSnapshot(machine, reader)},
  )
}

/** A raft directory with a term, three keys, and what is given on top. */
async function stopped(t: Test, files: Readonly<Record<string, string>>): Promise<string> {
  const directory = t.testdir()
  const store = await open(directory)
  const noop = {index: 1, term: 2, type: 1, data: new Uint8Array(0)} as const
  store.persist({
    do: 'persist',
    persistId: 1,
    hardState: {term: 5, votedFor: undefined},
    truncateFrom: undefined,
    append: [noop, put(2, 'a'), put(3, 'b'), put(4, 'c')],
  })
  await store.close()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

const logged: string[] = []
const log = (_level: string, _scope: string, text: string) => void logged.push(text)

void t.test(
  'a recovered server whose snapshot cannot be read does not begin anew without its past',
  async t => {
    const directory = await stopped(t, {'peers.json': objects, 'peers.info': 'x'})
    await recoverFromPeersFile(directory, 3, log)
    const snapshots = join(directory, 'snapshots')
    for (const name of readdirSync(snapshots)) writeFileSync(join(snapshots, name, 'meta.json'), '{')
    await t.rejects(open(directory), /The log begins at \d+, but the newest whole snapshot ends at 0/)
  },
)

void t.test(
  'without peers.info a peers.json is deleted unread, and peers.info is there from then on',
  async t => {
    const directory = await stopped(t, {'peers.json': objects})
    await recoverFromPeersFile(directory, 3, log)
    t.notOk(existsSync(join(directory, 'peers.json')))
    t.ok(existsSync(join(directory, 'peers.info')))
    t.match(logged.at(-1), 'deleted peers.json file (see peers.info for details)')
    const store = await open(directory)
    t.equal(store.found.snapshot, undefined, 'nothing else has changed')
    await store.close()
  },
)

void t.test(
  'with peers.info it becomes the configuration, every entry counts, and it is deleted',
  async t => {
    const directory = await stopped(t, {'peers.json': objects, 'peers.info': 'x'})
    await recoverFromPeersFile(directory, 3, log)
    t.same(logged.slice(-2), [
      'found peers.json file, recovering Raft configuration...',
      'deleted peers.json file after successful recovery',
    ])
    const machine = new StateMachine()
    const store = await open(directory, machine)
    t.match(store.found, {
      hardState: {term: 5},
      firstIndex: 5,
      lastIndex: 4,
      snapshot: {
        index: 4,
        term: 2,
        configurationIndex: 1,
        configuration: {servers: [{id: ID, address: '127.0.0.1:8300', suffrage: 'voter'}]},
      },
    })
    t.same(
      [...machine.tables.kv.prefixed('')].map(({key}) => key),
      ['a', 'b', 'c'],
    )
    await store.close()
    writeFileSync(join(directory, 'peers.json'), objects)
    await recoverFromPeersFile(directory, 3, log)
    t.notOk(existsSync(join(directory, 'peers.json')), 'and it can be done again')
  },
)

void t.test('a recovery counts even if the clock stands before the one that came before it', async t => {
  const directory = await stopped(t, {'peers.json': objects, 'peers.info': 'x'})
  await recoverFromPeersFile(directory, 3, log, {nowMs: () => 1_900_000_000_000})
  const elsewhere = objects.replace('127.0.0.1', '127.0.0.2')
  writeFileSync(join(directory, 'peers.json'), elsewhere)
  await recoverFromPeersFile(directory, 3, log, {nowMs: () => 1_700_000_000_000})
  const store = await open(directory)
  t.match(store.found.snapshot, {index: 4, configuration: {servers: [{address: '127.0.0.2:8300'}]}})
  await store.close()
})

void t.test('a list is read with protocol 2, and what cannot be taken stays and changes nothing', async t => {
  const directory = await stopped(t, {'peers.json': '["127.0.0.1:8300"]', 'peers.info': 'x'})
  await t.rejects(
    recoverFromPeersFile(directory, 3, log),
    /recovery failed to parse peers\.json: json: cannot unmarshal string/,
  )
  t.ok(existsSync(join(directory, 'peers.json')))
  t.notOk(existsSync(join(directory, 'snapshots')))
  await recoverFromPeersFile(directory, 2, log)
  const store = await open(directory)
  t.match(store.found.snapshot?.configuration.servers, [{id: '127.0.0.1:8300', address: '127.0.0.1:8300'}])
  await store.close()
})

void t.test('a server without any state refuses', async t => {
  const directory = t.testdir({'peers.json': objects, 'peers.info': 'x'})
  await t.rejects(
    recoverFromPeersFile(directory, 3, log),
    /recovery failed: refused to recover cluster with no initial state/,
  )
  t.ok(existsSync(join(directory, 'peers.json')))
})

void t.test('node-id is made once, read in lower case, and replaced by a configured one', async t => {
  const directory = t.testdir()
  t.equal(await loadNodeId(directory, undefined, () => ID), ID)
  t.equal(readFileSync(join(directory, 'node-id'), 'utf8'), ID)
  writeFileSync(join(directory, 'node-id'), `${ID.toUpperCase()}\n`)
  t.equal(await loadNodeId(directory, undefined, () => 'x'), ID)
  const other = ID.replace('0001', '0002')
  t.equal(await loadNodeId(directory, other, () => 'x'), other)
  t.equal(await loadNodeId(directory, undefined, () => 'x'), other)
  writeFileSync(join(directory, 'node-id'), 'nobody')
  await t.rejects(
    loadNodeId(directory, undefined, () => 'x'),
    /NodeID in .* is invalid/,
  )
})

void t.test(
  'the live peer list is a list, null after a leave, and stops the start when it is none',
  async t => {
    const directory = t.testdir()
    mkdirSync(join(directory, 'raft'))
    t.same(await readLivePeers(directory), [])
    await writeLivePeers(directory, ['10.0.0.1:8300'])
    t.equal(readFileSync(join(directory, 'peers.json'), 'utf8'), '["10.0.0.1:8300"]\n')
    t.same(await readLivePeers(directory), ['10.0.0.1:8300'])
    await writeLivePeers(directory, undefined)
    t.equal(readFileSync(join(directory, 'peers.json'), 'utf8'), 'null\n')
    t.same(await readLivePeers(directory), [])
    writeFileSync(join(directory, 'peers.json'), objects)
    await t.rejects(readLivePeers(directory), /failed to get list of peers: json: cannot unmarshal object/)
  },
)
