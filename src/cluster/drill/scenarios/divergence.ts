import {readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {leaderSeenBy} from '../../api.js'
import type {LocalCluster} from '../../cluster.js'
import {crc64} from '../../../core/codec/checksums.js'
import type {ClusterMember} from '../../state.js'
import type {DrillWorld, Scenario} from '../scenario.js'
import {doctorWords} from './losses.js'

const snapshotsOf = (cluster: LocalCluster, member: ClusterMember): string =>
  join(cluster.files(member).data, 'raft', 'snapshots')

/** Whole snapshots of a member, oldest first. */
async function wholeSnapshots(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => [])
  // A name is term, index and time in plain numbers, in which 99 comes before 160
  const byNumbers = new Intl.Collator('en', {numeric: true})
  return names.filter(name => !name.endsWith('.tmp')).sort((a, b) => byNumbers.compare(a, b))
}

/**
 * Changes values in a member's newest snapshot, length and checksum kept in order: what a recovery leaves that restored
 * the wrong snapshot on one server. Returns how many values were changed.
 */
async function falsify(cluster: LocalCluster, member: ClusterMember, prefix: string): Promise<number> {
  const directory = snapshotsOf(cluster, member)
  const newest = (await wholeSnapshots(directory)).at(-1)
  if (newest === undefined) return 0
  const statePath = join(directory, newest, 'state.bin')
  const state = await readFile(statePath)
  let changed = 0
  for (let at = state.indexOf('value 0000'); at !== -1; at = state.indexOf('value 0000', at + 1)) {
    const end = at + `value 000000 of ${prefix}`.length
    if (state.toString('latin1', at + 'value 000000'.length, end) !== ` of ${prefix}`) continue
    state.write('wrong', at, 'latin1')
    changed++
  }
  const metaPath = join(directory, newest, 'meta.json')
  const meta = JSON.parse(await readFile(metaPath, 'utf8')) as Record<string, unknown>
  const crc = crc64(state)
  const checksum = Buffer.alloc(8)
  checksum.writeUInt32BE(crc.high, 0)
  checksum.writeUInt32BE(crc.low, 4)
  await writeFile(statePath, state)
  await writeFile(metaPath, `${JSON.stringify({...meta, CRC: checksum.toString('base64')})}\n`)
  return changed
}

async function untilSnapshot({cluster, load, until}: DrillWorld, member: ClusterMember): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    await load.write(5, 10_000)
    return (await wholeSnapshots(snapshotsOf(cluster, member))).length > 0
  }
  await until(`${member.name} has made a snapshot`, isThere, 60_000)
}

/** One server holds other values than the rest, and nothing in Raft can notice. */
export const silentDivergence: Scenario = {
  name: 'silent-divergence',
  title: 'The contents of one server silently differ after a wrong recovery.',
  story: [
    'Last week server3 was recovered by hand, from a snapshot of another day. Since then all is green: a leader, three peers, one log end.',
    'And yet an application reads old values, now and then, and goes on writing.',
  ],
  lesson:
    'Raft compares indexes and terms, never what applying them came to: a server with the wrong snapshot stays wrong for ever, and becomes the truth on the day it leads. Contents have to be compared; the stray is wiped and joins again.',
  servers: 3,
  raftProtocol: 3,
  writes: 150,
  // Where logs keep less than server3 misses, it is sent a snapshot, which would put it right
  settings: () => ({raft_snapshot_threshold: 60, raft_snapshot_interval: '1s', raft_trailing_logs: 10_000}),
  inject: async world => {
    const {cluster, load} = world
    const [stray] = cluster.members(['server3'])
    if (stray === undefined) throw new Error('the scenario has three servers')
    await untilSnapshot(world, stray)
    await cluster.stop([stray], 'SIGKILL')
    if ((await falsify(cluster, stray, load.prefix)) === 0)
      throw new Error('the snapshot holds none of our values')
    await cluster.start([stray])
    await world.until('it has a leader again', async () => ((await leaderSeenBy(stray.address)) ?? '') !== '')
    await world.sleep(1000)
    world.failing()
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: false},
  repair: cluster => [
    doctorWords(cluster),
    {run: ['cluster', 'kill', 'server3', '--name', cluster.name]},
    {run: ['cluster', 'wipe', 'server3', '--name', cluster.name]},
    {run: ['cluster', 'start', 'server3', '--name', cluster.name]},
    {by: 'wait until server3 has caught up', act: async world => world.sleep(3000)},
    doctorWords(cluster),
  ],
}
