import type {LocalCluster} from '../../cluster.js'
import {leaderSeenBy} from '../../api.js'
import type {DrillWorld, RepairStep, Scenario} from '../scenario.js'

/** A recovery as the operator of a local cluster would ask for it: nobody is there to be asked back. */
export function fixWords(cluster: LocalCluster, ...words: readonly string[]): RepairStep {
  return {
    run: [
      ...['peers', 'fix', '--cluster', cluster.name, ...words, '--confirm', cluster.name],
      ...['DATA_LOSS', 'UNFENCED_MAJORITY', 'DIVERGENT_TAIL', 'NO_FAULT_TOLERANCE'].flatMap(code => [
        '--accept',
        code,
      ]),
      ...['--reconcile', '5'],
    ],
  }
}

/** A look at the cluster. */
export const doctorWords = (cluster: LocalCluster): RepairStep => ({
  run: ['doctor', '--cluster', cluster.name],
})

/** Waits until nobody who runs names a leader. */
export async function untilLeaderless({cluster, until}: DrillWorld): Promise<void> {
  await until('the leader is lost', async () => {
    const running = cluster.servers.filter(member => cluster.process(member)?.paused === false)
    const seen = await Promise.all(running.map(async member => leaderSeenBy(member.address)))
    return seen.every(leader => leader === undefined || leader === '')
  })
}

const remove = (names: readonly string[]): readonly string[] => names.flatMap(name => ['--remove', name])

const BURNT = ['server3', 'server4', 'server5']

const takeOutTheBurnt = (cluster: LocalCluster): readonly RepairStep[] => [
  doctorWords(cluster),
  fixWords(cluster, ...remove(BURNT)),
  doctorWords(cluster),
]

/** Settings without autopilot's tidying, which takes a failed server out while it still can and so spoils the failure. */
export const noCleanUp = (): Readonly<Record<string, unknown>> => ({
  autopilot: {cleanup_dead_servers: false, server_stabilization_time: '1s'},
})

/** Three of five burn. */
export const majorityDead: Scenario = {
  name: 'majority-dead',
  title: 'Three of five servers are dead for good.',
  story: [
    'server3, server4 and server5 stood in one rack, and the rack burned. They never come back.',
    'server1 and server2 run, and answer every write with "No cluster leader".',
  ],
  lesson:
    'Two of five cannot vote for a leader, and the dead cannot be voted out without one: the peer set had to be written by hand, the same on both, while both were stopped. Servers that burned need no fence; had they only been out of reach, waiting would have been the answer.',
  servers: 5,
  raftProtocol: 3,
  writes: 200,
  inject: async world => {
    await world.cluster.destroy(world.cluster.members(BURNT))
    await untilLeaderless(world)
  },
  goal: {peers: ['server1', 'server2'], plansAreWrong: false},
  repair: takeOutTheBurnt,
}

/** As before, and one of the two that are left was down for a while. */
export const oneSurvivorBehind: Scenario = {
  name: 'one-survivor-behind',
  title: 'Three of five are dead, and of the two that are left one is behind.',
  story: [
    'server2 was down for a night. While it was, server3, server4 and server5 burned; then somebody started server2.',
    'There is no leader, and the logs of server1 and server2 do not end at the same place.',
  ],
  lesson:
    'Only server1 holds the last writes. Whoever recovers must make sure that its log wins: a peer set of both lets both stand for election, and only the longer log can get both votes.',
  servers: 5,
  raftProtocol: 3,
  writes: 150,
  settings: noCleanUp,
  inject: async world => {
    const {cluster, load} = world
    const [late] = cluster.members(['server2'])
    await cluster.stop(cluster.members(['server2']), 'SIGKILL')
    await load.write(60, 20_000)
    world.failing()
    await cluster.destroy(cluster.members(BURNT))
    if (late !== undefined) await cluster.start([late])
    await untilLeaderless(world)
  },
  goal: {peers: ['server1', 'server2'], plansAreWrong: false},
  repair: takeOutTheBurnt,
}

/** Every server leaves at once, as on a shutdown of the whole site. */
export const allLeft: Scenario = {
  name: 'all-left',
  title: 'All servers left gracefully at once; peers.json reads null.',
  story: [
    'The site was shut down for maintenance; every server was stopped by a signal that makes it leave. All are started again.',
    'They speak Raft protocol 0, whose live list of peers was emptied by the leaving. Nobody stands for election.',
  ],
  lesson:
    'Each server threw the others and then itself out of its list. Nothing is lost: every server has its log. The list must be written again, in the dialect of the protocol, on all of them while all are stopped.',
  servers: 3,
  raftProtocol: 0,
  writes: 200,
  inject: async world => {
    const {cluster} = world
    await cluster.stop(cluster.servers, 'SIGINT', 20_000)
    await cluster.stop(cluster.servers, 'SIGKILL')
    await cluster.start(cluster.servers)
    await world.until('they answer again', async () => {
      const seen = await Promise.all(cluster.servers.map(async member => leaderSeenBy(member.address)))
      return seen.every(leader => leader !== undefined)
    })
  },
  goal: {peers: ['server1', 'server2', 'server3'], plansAreWrong: false},
  repair: cluster => [doctorWords(cluster), fixWords(cluster), doctorWords(cluster)],
}

/** The voters are gone and only copies that never vote are left. */
export const onlyNonvoters: Scenario = {
  name: 'only-nonvoters',
  title: 'All voters are dead; only servers that never vote are left.',
  story: [
    'server1, server2 and server3 were the voters, and their machines are gone. server4 and server5 are read replicas.',
    'They hold a copy of the log and may never stand for election.',
  ],
  lesson:
    'A replica acknowledges nothing, so it may lack the last writes, and nobody is left to tell. Making one a voter is a promotion that only a recovery file brings about, and a risk that has to be accepted by name.',
  servers: 3,
  nonvoters: 2,
  raftProtocol: 3,
  writes: 200,
  inject: async world => {
    await world.cluster.destroy(world.cluster.members(['server1', 'server2', 'server3']))
    await untilLeaderless(world)
  },
  goal: {peers: ['server4', 'server5'], plansAreWrong: false},
  repair: cluster => {
    const fix = fixWords(
      cluster,
      ...remove(['server1', 'server2', 'server3']),
      '--accept',
      'NONVOTER_PROMOTION',
    )
    return [doctorWords(cluster), fix, doctorWords(cluster)]
  },
}
