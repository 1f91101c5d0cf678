// Whole groups under random kills, partitions, changes and slow disks, from a few seeds; test/simulation has more.
import t from 'tap'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import type {ConfigurationChange} from '../../../src/core/raft/messages.js'
import {Cluster, chance, configurationOf} from './cluster.js'

const ALL = ['a', 'b', 'c', 'd', 'e']
const CHANGES = ['add-voter', 'add-nonvoter', 'demote-voter', 'remove-server'] as const

interface World {
  readonly cluster: Cluster
  readonly below: (limit: number) => number
  readonly proposed: Map<number, string>
}

function makeWorld(seed: number): World {
  const random = chance(seed * 7919)
  const below = (limit: number): number => Math.floor(random() * limit)
  const cluster = new Cluster(seed)
  const options = {
    snapshotThreshold: 5 + below(20),
    snapshotIntervalMs: 300,
    trailingEntries: below(10),
    limits: {
      cacheBytesMax: below(2) === 0 ? 300 : 100_000,
      appendEntriesMax: 1 + below(8),
      appendsInFlightMax: 1 + below(4),
      applyEntriesMax: 1 + below(10),
    },
  }
  for (const name of ALL) cluster.add(name, options)
  for (const name of ['a', 'b', 'c']) cluster.bootstrap(name, configurationOf('a', 'b', 'c'))
  cluster.run(100)
  return {cluster, below, proposed: new Map()}
}

function trouble({cluster, below}: World): void {
  cluster.networkMs = 1 + below(30)
  cluster.diskMs = below(30)
  const name = ALL[below(ALL.length)] ?? 'a'
  const other = ALL[below(ALL.length)] ?? 'a'
  const roll = below(100)
  if (roll < 12) cluster.server(name).crash()
  else if (roll < 30) startAll(cluster)
  else if (roll < 38) cluster.isolate(name)
  else if (roll < 50) cluster.cut.clear()
  else if (roll < 55) cluster.cut.add(`${name}>${other}`)
}

function startAll(cluster: Cluster): void {
  for (const server of cluster.servers.values()) if (server.node === undefined) server.start()
}

function work({cluster, below, proposed}: World): void {
  const leads = cluster.leader()
  if (leads === undefined) return
  for (let count = below(12); count > 0; count--) {
    const command = `v${proposed.size}`
    proposed.set(cluster.propose(leads, command), command)
  }
  const name = ALL[below(ALL.length)] ?? 'a'
  if (below(7) === 0) {
    const change = {
      change: CHANGES[below(CHANGES.length)],
      id: serverId(name),
      address: serverAddress(`${name}:8300`),
    } as ConfigurationChange
    cluster.wish(leads, token => ({on: 'change-configuration', token, change, prevIndex: 0}))
  }
  if (below(12) === 0) cluster.wish(leads, token => ({on: 'transfer-leadership', token, to: undefined}))
  if (below(12) === 0) cluster.wish(name, token => ({on: 'take-snapshot', token}))
}

t.test('nothing that was done is lost, and all agree once the trouble is over', async t => {
  for (let seed = 1; seed <= 25; seed++) {
    const world = makeWorld(seed)
    const {cluster, proposed} = world
    for (let round = 0; round < 50; round++) {
      trouble(world)
      work(world)
      cluster.run(world.below(800))
    }
    cluster.cut.clear()
    startAll(cluster)
    cluster.elect()
    cluster.run(5000)
    const last = cluster.propose(cluster.elect(), 'last')
    cluster.run(10_000)
    t.equal(cluster.outcome(last), 'done', `seed ${seed}`)
    const leads = cluster.server(cluster.elect())
    const kept = new Set(leads.applied)
    const lost = [...proposed].filter(
      ([token, command]) => cluster.outcome(token) === 'done' && !kept.has(command),
    )
    t.same(lost, [], `seed ${seed}: lost`)
    t.equal(kept.size, leads.applied.length, `seed ${seed}: nothing is applied twice`)
    for (const {id} of leads.node?.status().latest.configuration.servers ?? [])
      t.equal(cluster.server(id).applied.join(), leads.applied.join(), `seed ${seed}: ${id}`)
  }
})
