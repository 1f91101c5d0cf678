import t from 'tap'
import type {RaftCarrier} from '../../src/agent/raft-driver.js'
import {RaftDriver} from '../../src/agent/raft-driver.js'
import {openRaftStore} from '../../src/agent/store/open-raft-store.js'
import {loadSnapshot} from '../../src/agent/store/recover-cluster.js'
import {bareEntry, encodeKv} from '../../src/core/fsm/commands.js'
import {StateMachine} from '../../src/core/fsm/state-machine.js'
import type {Configuration} from '../../src/core/model/configuration.js'
import {serverAddress, serverId} from '../../src/core/model/ids.js'
import {DEFAULT_OPTIONS} from '../../src/core/raft/options.js'

interface Node {
  readonly driver: RaftDriver
  readonly machine: StateMachine
  fatal: Error | undefined
}

/** Servers of one process whose requests go from hand to hand. */
class Group {
  readonly nodes = new Map<string, Node>()
  constructor(private readonly directory: string) {}

  private carrier(): RaftCarrier {
    return {
      send: (to, _channel, request, done) => {
        const node = this.nodes.get(to.address)
        if (node === undefined) setImmediate(done, undefined)
        else node.driver.request(request, done)
      },
      sendSnapshot: (to, request, state, done) => {
        const node = this.nodes.get(to.address)
        if (node === undefined) return setImmediate(done, undefined)
        return void node.driver.receiveSnapshot(request, state).then(done, () => done(undefined))
      },
    }
  }

  async start(name: string, snapshotThreshold = 10_000): Promise<Node> {
    const machine = new StateMachine()
    const listener = {
      onPersisted: (id: number) => node.driver.persisted(id),
      onFailure: (error: Error) => node.driver.diskFailed(error),
    }
    const restore = {restore: (reader: Parameters<typeof loadSnapshot>[1]) => loadSnapshot(machine, reader)}
    const store = await openRaftStore(`${this.directory}/${name}`, listener, restore)
    const options = {
      ...DEFAULT_OPTIONS,
      id: serverId(name),
      address: serverAddress(name),
      random: Math.random,
      heartbeatTimeoutMs: 300,
      electionTimeoutMs: 300,
      leaderLeaseMs: 150,
      snapshotThreshold,
      snapshotIntervalMs: 100,
      trailingEntries: 10,
    }
    const node: Node = {
      machine,
      fatal: undefined,
      driver: new RaftDriver({
        options,
        store,
        machine,
        carrier: this.carrier(),
        onNews: () => undefined,
        onFatal: error => (node.fatal = error),
      }),
    }
    this.nodes.set(name, node)
    node.driver.start()
    return node
  }

  async stop(name: string): Promise<void> {
    const node = this.nodes.get(name)
    this.nodes.delete(name)
    await node?.driver.stop()
  }

  async leader(): Promise<Node> {
    for (;;) {
      for (const node of this.nodes.values()) {
        const status = node.driver.status()
        if (status.role === 'leader' && status.established) return node
      }
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
}

const configuration: Configuration = {
  servers: ['a', 'b', 'c'].map(name => ({
    id: serverId(name),
    address: serverAddress(name),
    suffrage: 'voter',
  })),
}
const put = (key: string) => encodeKv('dc1', 'set', {...bareEntry(key), value: key})
const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 10))
}

void t.test('three servers elect a leader, commit, and keep it all over a restart', async t => {
  const group = new Group(t.testdir())
  for (const name of ['a', 'b', 'c']) {
    const {driver} = await group.start(name)
    t.match(await driver.bootstrap(configuration), {ok: true})
  }
  const leader = await group.leader()
  const outcomes = await Promise.all(
    Array.from({length: 500}, (_, i) => leader.driver.propose(put(`key ${i}`))),
  )
  t.ok(outcomes.every(outcome => outcome.ok))
  const read = leader.driver.read()
  t.equal(leader.driver.read(), read, 'reads that are asked for in one turn share a round')
  await new Promise(setImmediate)
  t.not(leader.driver.read(), read, 'a read that is asked for after its step has one of its own')
  t.match(await read, {ok: true})
  const refused = encodeKv('dc1', 'nonsense', bareEntry('x'))
  t.match(await leader.driver.propose(refused), {ok: true, result: {error: /Invalid KVS operation/}})
  const {appliedIndex} = leader.driver.status()
  await until(() =>
    [...group.nodes.values()].every(node => node.driver.status().appliedIndex >= appliedIndex),
  )
  for (const node of group.nodes.values()) t.equal([...node.machine.tables.kv.prefixed('')].length, 500)
  for (const name of ['a', 'b', 'c']) await group.stop(name)
  for (const name of ['a', 'b', 'c']) await group.start(name)
  const next = await group.leader()
  t.match(await next.driver.read(), {ok: true})
  t.equal([...next.machine.tables.kv.prefixed('')].length, 500)
  for (const name of ['a', 'b', 'c']) await group.stop(name)
})

void t.test('a server that is far behind is caught up by a snapshot', async t => {
  const group = new Group(t.testdir())
  for (const name of ['a', 'b', 'c']) {
    const {driver} = await group.start(name, 50)
    await driver.bootstrap(configuration)
  }
  await group.leader()
  await group.stop('c')
  const leader = await group.leader()
  for (let round = 0; round < 5; round++)
    await Promise.all(Array.from({length: 60}, (_, i) => leader.driver.propose(put(`key ${round}/${i}`))))
  await until(() => leader.driver.status().firstIndex > 100)
  const late = await group.start('c', 50)
  await until(() => [...late.machine.tables.kv.prefixed('')].length === 300)
  t.ok(late.driver.status().snapshotIndex > 100)
  for (const node of group.nodes.values()) t.equal(node.fatal, undefined)
  for (const name of ['a', 'b', 'c']) await group.stop(name)
})

void t.test('what waits when a server stops is told so', async t => {
  const group = new Group(t.testdir())
  const {driver} = await group.start('a')
  const waiting = driver.propose(put('x'))
  await group.stop('a')
  t.match(await waiting, {ok: false, why: 'shutting-down'})
  t.match(await driver.read(), {ok: false, why: 'shutting-down'})
})
