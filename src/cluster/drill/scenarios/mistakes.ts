import {existsSync} from 'node:fs'
import {mkdir, readFile, rm, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {leaderSeenBy} from '../../api.js'
import type {LocalCluster} from '../../cluster.js'
import type {ClusterMember} from '../../state.js'
import {peerSets} from '../peers.js'
import type {DrillWorld, Scenario} from '../scenario.js'
import {doctorWords, fixWords, noCleanUp, untilLeaderless} from './losses.js'

const peersFile = (cluster: LocalCluster, member: ClusterMember): string =>
  join(cluster.files(member).data, 'raft', 'peers.json')

async function idOf(cluster: LocalCluster, member: ClusterMember): Promise<string> {
  return (await readFile(join(cluster.files(member).data, 'node-id'), 'utf8')).trim()
}

/** Waits until the members of a cluster that should run answer, and name a leader. */
async function untilLed(
  {until}: Pick<DrillWorld, 'until'>,
  members: readonly ClusterMember[],
): Promise<void> {
  await until('there is a leader again', async () => {
    const seen = await Promise.all(members.map(async member => leaderSeenBy(member.address)))
    return seen.every(leader => leader !== undefined && leader !== '')
  })
}

/** The machines come back with other addresses. */
export const addressesChanged: Scenario = {
  name: 'addresses-changed',
  title: 'All servers came back with other addresses.',
  story: [
    'The machines were moved to another network, and each was given a new address. Their data came along.',
    'The Raft peer set still names the old addresses, and nobody is there.',
  ],
  lesson:
    'Ids and data are whole, only the addresses are wrong, and without a leader no server can tell the others its new one. `--readdress` writes the same ids and suffrages with new addresses, on all servers at once.',
  servers: 3,
  raftProtocol: 3,
  writes: 200,
  inject: async world => {
    const {cluster} = world
    await cluster.stop(cluster.servers, 'SIGKILL')
    for (const {name} of cluster.servers) {
      const [member] = cluster.members([name])
      if (member !== undefined)
        await cluster.moveTo(
          member,
          member.address.replace(/\d+$/, last => String(Number(last) + 100)),
        )
    }
    await cluster.start(cluster.servers)
    await world.sleep(2000)
    await untilLeaderless(world)
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: false},
  repair: cluster => {
    const words = cluster.servers.flatMap(({address}) => {
      const old = address.replace(/\d+$/, last => String(Number(last) - 100))
      return ['--readdress', `${old}:8300=${address}:8300`]
    })
    return [doctorWords(cluster), fixWords(cluster, ...words), doctorWords(cluster)]
  },
}

/** A peer that nobody knows any more stands in the peer set. */
export const stalePeer: Scenario = {
  name: 'stale-peer',
  title: 'A peer stands in the Raft peer set that gossip does not know.',
  story: [
    'Long ago a recovery was done by hand, and a server was listed that does not exist. Gossip has never heard of it.',
    'The cluster works, but it needs three of four votes and has three voters: the next failure stops it.',
  ],
  lesson:
    'Everything works, so nobody looks. There is a leader, so no file is written: the peer is removed through the leader, online.',
  servers: 3,
  raftProtocol: 3,
  writes: 200,
  settings: noCleanUp,
  inject: async world => {
    const {cluster} = world
    await cluster.stop(cluster.servers, 'SIGKILL')
    const entries = await Promise.all(
      cluster.servers.map(async member => ({
        id: await idOf(cluster, member),
        address: `${member.address}:8300`,
        non_voter: false,
      })),
    )
    const nobody = `${cluster.state.network}.66:8300`
    const list = [...entries, {id: '0badcafe-0000-4000-8000-00000badcafe', address: nobody, non_voter: false}]
    for (const member of cluster.servers)
      await writeFile(peersFile(cluster, member), `${JSON.stringify(list, null, 2)}\n`)
    await cluster.start(cluster.servers)
    await untilLed(world, cluster.servers)
    world.failing()
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: false},
  repair: cluster => [
    doctorWords(cluster),
    fixWords(cluster, '--remove', `${cluster.state.network}.66:8300`),
    doctorWords(cluster),
  ],
}

/** A colleague wrote the list of an older protocol. */
export const wrongDialect: Scenario = {
  name: 'wrong-dialect',
  title: 'A colleague wrote peers.json in the dialect of another protocol.',
  story: [
    'server3 burned, and server2 had crashed. A colleague found a recipe, wrote raft/peers.json on server1 and server2 and restarted them.',
    'Now neither of them starts.',
  ],
  lesson:
    'The recipe was for Raft protocol 2, a plain list of addresses; from protocol 3 on entries are objects with id and address, and a server that finds the wrong dialect refuses to start. Starting server2 would have been enough in the first place.',
  servers: 3,
  raftProtocol: 3,
  writes: 200,
  inject: async world => {
    const {cluster} = world
    const left = cluster.members(['server1', 'server2'])
    await cluster.stop(left, 'SIGKILL')
    await cluster.destroy(cluster.members(['server3']))
    const list = JSON.stringify(left.map(member => `${member.address}:8300`))
    for (const member of left) await writeFile(peersFile(cluster, member), `${list}\n`)
    await cluster.start(left)
    await world.until('they give up', async () =>
      Promise.resolve(left.every(member => cluster.process(member) === undefined)),
    )
  },
  goal: {peers: ['server1', 'server2'], plansAreWrong: false},
  repair: cluster => [doctorWords(cluster), fixWords(cluster, '--remove', 'server3'), doctorWords(cluster)],
}

const TUNING = 'zz-tuning.json'

/** A restart of one server after another, each with a file that cannot be read. */
export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  title: 'A rolling restart went on though the restarted servers did not come back.',
  story: [
    `A script laid ${TUNING} into the configuration of every server and restarted them in turn, without looking back.`,
    'It was stopped after server3. Two of five servers are left, and there is no leader.',
  ],
  lesson:
    'Nothing is lost and nobody is dead: three servers refuse a file with a comma too many. A recovery file would have thrown away a majority that only had to be started. Mend the file, then start.',
  servers: 5,
  raftProtocol: 3,
  writes: 200,
  settings: noCleanUp,
  inject: async world => {
    const {cluster} = world
    for (const member of cluster.members(['server1', 'server2', 'server3'])) {
      await writeFile(
        join(cluster.files(member).configDir, TUNING),
        '{"performance": {"raft_multiplier": 1,}}\n',
      )
      await cluster.stop([member], 'SIGTERM', 10_000)
      await cluster.start([member])
      await world.until(`${member.name} gives up`, async () =>
        Promise.resolve(cluster.process(member) === undefined),
      )
    }
    await untilLeaderless(world)
  },
  goal: {peers: ['server1', 'server2', 'server3', 'server4', 'server5'], plansAreWrong: true},
  repair: cluster => [
    doctorWords(cluster),
    {
      by: `rm the file with the comma too many: config/${TUNING} of server1, server2 and server3`,
      act: async world => {
        for (const member of world.cluster.servers)
          await rm(join(world.cluster.files(member).configDir, TUNING), {force: true})
      },
    },
    {run: ['cluster', 'start', 'server1', 'server2', 'server3', '--name', cluster.name]},
    {by: 'give them some seconds to elect a leader', act: async world => world.sleep(5000)},
    doctorWords(cluster),
  ],
}

/** Two servers were both told to found a cluster. */
export const twoBootstrap: Scenario = {
  name: 'two-bootstrap',
  title: 'Two servers were started with bootstrap, and each founded a cluster.',
  story: [
    'server1 and server2 were both set up with bootstrap, by two people. server3 joined server1, where the data are.',
    'Now somebody told server2 about server1: they gossip, and each has a leader of its own.',
  ],
  lesson:
    'Two histories cannot be merged. One of them is chosen (that of server1, where the data are), the other server is made blank, loses its bootstrap setting, and joins.',
  servers: 3,
  raftProtocol: 3,
  writes: 200,
  settings: ({name, address}) => ({
    bootstrap_expect: undefined,
    ...(name === 'server3'
      ? {retry_join: [address.replace(/\d+$/, '1')]}
      : {bootstrap: true, retry_join: []}),
  }),
  writers: cluster => cluster.members(['server1', 'server3']),
  inject: async world => {
    const {cluster} = world
    const [first, second] = cluster.members(['server1', 'server2'])
    if (first === undefined || second === undefined) throw new Error('the scenario has three servers')
    await world.until('server3 is a peer', async () =>
      ((await peerSets(cluster)).get('server1') ?? []).includes('server3'),
    )
    await world.until('server2 leads itself', async () => (await leaderSeenBy(second.address)) !== '')
    await cluster.stop([second], 'SIGKILL')
    await cluster.layOut(second, {
      bootstrap_expect: undefined,
      bootstrap: true,
      retry_join: [first.address],
    })
    await cluster.start([second])
    // With two leaders a write may be acknowledged by the one that is given up: nobody is to be blamed for those
    world.load.pause()
    await untilLed(world, [second])
    await world.sleep(2000)
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: false},
  repair: cluster => [
    doctorWords(cluster),
    {run: ['cluster', 'kill', 'server2', '--name', cluster.name]},
    {run: ['cluster', 'wipe', 'server2', '--name', cluster.name]},
    {
      by: 'take bootstrap out of the configuration of server1 and server2',
      act: async world => {
        for (const member of world.cluster.servers)
          await world.cluster.layOut(member, {bootstrap_expect: undefined})
      },
    },
    {run: ['cluster', 'start', 'server2', '--name', cluster.name]},
    {by: 'wait until server2 has joined', act: async world => world.sleep(4000)},
    doctorWords(cluster),
  ],
}

const BALLAST = 'ballast'

/** The disks of two servers fill up. */
export const diskFull: Scenario = {
  name: 'disk-full',
  title: 'The disks of two of three servers are full.',
  story: [
    'Something filled the file systems that hold the data of server1 and server2.',
    'Nothing can be appended to their logs, so nothing can be committed.',
  ],
  lesson:
    'Room is what is missing, nothing else. Whoever deletes in raft/ to make some destroys the log; what does not belong there goes, and servers that gave up are started.',
  servers: 3,
  raftProtocol: 3,
  writes: 100,
  unplayable: () =>
    process.getuid?.() === 0 && existsSync('/proc/mounts')
      ? undefined
      : 'it needs root, for a small file system of its own under the data of two servers',
  prepare: async cluster => {
    const {execFile} = await import('node:child_process')
    const {promisify} = await import('node:util')
    for (const member of cluster.servers.slice(0, 2)) {
      const {data} = cluster.files(member)
      await mkdir(data, {recursive: true})
      await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=160m,mode=0700', 'tmpfs', data])
    }
  },
  inject: async world => {
    const {cluster} = world
    for (const member of cluster.servers.slice(0, 2)) await fillUp(join(cluster.files(member).data, BALLAST))
    const before = world.load.acknowledged.length
    await world.sleep(4000)
    if (world.load.acknowledged.length > before + 20) await world.sleep(4000)
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: true},
  repair: cluster => [
    doctorWords(cluster),
    {
      by: `rm the file that filled the disks of server1 and server2: data/${BALLAST}`,
      act: async world => {
        for (const member of world.cluster.servers)
          await rm(join(world.cluster.files(member).data, BALLAST), {force: true})
      },
    },
    {run: ['cluster', 'start', '--all', '--name', cluster.name]},
    {by: 'give them some seconds to elect a leader', act: async world => world.sleep(5000)},
    doctorWords(cluster),
  ],
}

async function fillUp(path: string): Promise<void> {
  const chunk = Buffer.alloc(1024 * 1024, 1)
  for (const size of [chunk.length, 4096]) {
    for (;;) {
      try {
        await writeFile(path, chunk.subarray(0, size), {flag: 'a'})
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        break
      }
    }
  }
}
