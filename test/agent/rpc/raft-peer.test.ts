import {createServer} from 'node:net'
import t from 'tap'
import type {Test} from 'tap'
import {allowEveryone} from '../../../src/agent/peer-filter.js'
import {RaftDriver} from '../../../src/agent/raft-driver.js'
import {RaftTransport} from '../../../src/agent/raft-transport.js'
import {openServerPort} from '../../../src/agent/rpc/server-port.js'
import {openRaftStore} from '../../../src/agent/store/open-raft-store.js'
import {bareEntry, encodeKv} from '../../../src/core/fsm/commands.js'
import {StateMachine} from '../../../src/core/fsm/state-machine.js'
import type {ServerAddress} from '../../../src/core/model/ids.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import {DEFAULT_OPTIONS} from '../../../src/core/raft/options.js'
import type {PeerState, RaftPeer} from '../../raft-peer/raft-peer.js'
import {startRaftPeer} from '../../raft-peer/raft-peer.js'
import {eventually} from '../../reference/loopback.js'

/** A port that is free now. */
function freeAddress(): Promise<ServerAddress> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const {port} = server.address() as {port: number}
      server.close(() => resolve(serverAddress(`127.0.0.1:${port}`)))
    })
  })
}

interface OurNode {
  readonly id: string
  readonly address: ServerAddress
  readonly driver: RaftDriver
  readonly machine: StateMachine
  readonly lines: string[]
}

/** A server of ours: consensus, store and transport, without gossip. */
async function startOurs(t: Test, id: string): Promise<OurNode> {
  const address = await freeAddress()
  const machine = new StateMachine()
  const lines: string[] = []
  const store = await openRaftStore(`${t.testdir()}/${id}`, {
    onPersisted: persistId => driver.persisted(persistId),
    onFailure: error => driver.diskFailed(error),
  })
  const carrier = new RaftTransport({
    localAddress: undefined,
    filter: allowEveryone,
    connectTimeoutMs: 2000,
    answerMs: {heartbeat: 2000, replicate: 10_000, vote: 2000, snapshot: 10_000},
    onProblem: (to, text) => void lines.push(`${to} ${text}`),
  })
  const driver: RaftDriver = new RaftDriver({
    options: {
      ...DEFAULT_OPTIONS,
      id: serverId(id),
      address,
      random: Math.random,
      // Longer than the peer's, which is to lead first.
      heartbeatTimeoutMs: 3000,
      electionTimeoutMs: 1000,
      leaderLeaseMs: 1500,
      trailingEntries: 0,
    },
    store,
    machine,
    carrier,
    onNews: news => void lines.push(JSON.stringify(news)),
    onFatal: error => t.fail(error.message),
  })
  const port = await openServerPort({
    host: '127.0.0.1',
    port: Number(address.split(':')[1]),
    filter: allowEveryone,
    log: (_level, _scope, text) => void lines.push(text),
    raft: {
      request: (request, respond) => driver.request(request, respond),
      receiveSnapshot: (request, state) => driver.receiveSnapshot(request, state),
      peers: () => [],
    },
    methods: new Map(),
  })
  driver.start()
  t.teardown(async () => {
    carrier.close()
    await port.close()
    await driver.stop()
  })
  return {id, address, driver, machine, lines}
}

async function startTheirs(t: Test, id: string): Promise<RaftPeer & {readonly address: ServerAddress}> {
  const address = await freeAddress()
  const peer = await startRaftPeer(id, address)
  t.teardown(() => peer.stop())
  return {...peer, address}
}

const set = (key: string): Uint8Array => encodeKv('dc1', 'set', {...bareEntry(key), value: key})
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const stateWhen = (peer: RaftPeer, what: string, is: (state: PeerState) => boolean): Promise<PeerState> =>
  eventually(what, async () => {
    const state = await peer.order({Do: 'state'})
    return is(state) ? state : undefined
  })

t.test(
  'one cluster of hashicorp/raft and our servers elects, replicates, transfers and sends snapshots',
  async t => {
    const theirs = await startTheirs(t, 'theirs')
    const ours = await startOurs(t, 'ours')
    await theirs.order({
      Do: 'bootstrap',
      Servers: [
        {Suffrage: 0, ID: 'theirs', Address: theirs.address},
        {Suffrage: 0, ID: 'ours', Address: ours.address},
      ],
    })
    await stateWhen(theirs, 'our vote makes it leader', ({State}) => State === 'Leader')
    t.pass('our vote was understood')

    await theirs.order({Do: 'apply', Hex: toHex(set('first')), Count: 300})
    await eventually('their commands applied here', async () => ours.machine.tables.kv.get('first'))
    t.ok(ours.driver.status().lastIndex >= 300, 'their pipeline was answered')
    t.equal(
      ours.driver.status().leader?.id === 'theirs' || ours.driver.status().leader?.address,
      theirs.address,
    )

    await theirs.order({Do: 'transfer', ID: 'ours', Address: ours.address})
    await eventually('we lead', async () => ours.driver.status().established || undefined)
    t.pass('TimeoutNow was obeyed, and their vote understood')
    const outcomes = await Promise.all(Array.from({length: 300}, (_, i) => ours.driver.propose(set(`k${i}`))))
    t.ok(outcomes.every(outcome => outcome.ok))
    const applied = await stateWhen(
      theirs,
      'our commands applied there',
      state => state.Last === toHex(set('k299')),
    )
    t.equal(applied.Applied, 600)

    const snapshot = Buffer.concat([...ours.machine.snapshot()])
    t.match(await ours.driver.takeSnapshot(), {ok: true})
    const second = await startTheirs(t, 'second')
    t.match(
      await ours.driver.changeConfiguration({
        change: 'add-nonvoter',
        id: serverId('second'),
        address: second.address,
      }),
      {ok: true},
    )
    const restored = await stateWhen(second, 'our snapshot restored there', state => state.Restored !== '')
    t.equal(restored.Restored, snapshot.toString('hex'))
    t.match(
      (await stateWhen(second, 'our configuration there', state => state.Servers?.length === 3)).Servers,
      [{ID: 'theirs'}, {ID: 'ours'}, {ID: 'second', Address: second.address, Suffrage: 1}],
    )

    t.match(await ours.driver.transferLeadership(serverId('theirs')), {ok: true})
    await stateWhen(theirs, 'they lead again', ({State}) => State === 'Leader')
    t.pass('our TimeoutNow was obeyed, and our vote for it given')
    await theirs.order({Do: 'apply', Hex: toHex(set('last')), Count: 1})
    await theirs.order({Do: 'snapshot', Hex: Buffer.concat([...ours.machine.snapshot()]).toString('hex')})
    const late = await startOurs(t, 'late')
    await theirs.order({Do: 'add', ID: 'late', Address: late.address, Voter: true})
    await eventually('their snapshot restored here', async () => late.machine.tables.kv.get('k299'))
    const after = await theirs.order({Do: 'apply', Hex: toHex(set('after')), Count: 1})
    await eventually('what follows the snapshot here', async () => late.machine.tables.kv.get('after'))
    t.equal(late.driver.status().lastIndex, after.LastLog)
  },
)
