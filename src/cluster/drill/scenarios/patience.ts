import type {LocalCluster} from '../../cluster.js'
import type {ClusterMember} from '../../state.js'
import type {Scenario} from '../scenario.js'
import {doctorWords} from './losses.js'

const near = (cluster: LocalCluster): readonly ClusterMember[] => cluster.members(['server1', 'server2'])
const far = (cluster: LocalCluster): readonly ClusterMember[] =>
  cluster.members(['server3', 'server4', 'server5'])

const HEALS_AFTER_MS = {auto: 15_000, byHand: 90_000}

/** Three servers and the way to them are cut off; they go on by themselves. */
export const partition: Scenario = {
  name: 'partition',
  title: 'Three of five servers do not answer: dead, or only out of reach?',
  story: [
    'server3, server4 and server5 stand in the other building. Nobody there answers, neither to the servers nor to you.',
    'server1 and server2 have no leader. Your phone rings.',
  ],
  lesson:
    'They were not dead. On the other side of the cut they were a majority, elected a leader and went on taking writes. A recovery here would have made two clusters out of one. Silence is not death: ask somebody who can see the machines, or wait.',
  servers: 5,
  raftProtocol: 3,
  writes: 200,
  inject: async world => {
    const {cluster} = world
    await cluster.partition([near(cluster), far(cluster)], false)
    await cluster.setReachable(far(cluster), false)
    await world.sleep(4000)
    const afterMs = world.auto ? HEALS_AFTER_MS.auto : HEALS_AFTER_MS.byHand
    setTimeout(() => void healed(cluster).catch(() => undefined), afterMs).unref()
  },
  goal: {peers: ['server1', 'server2', 'server3', 'server4', 'server5'], plansAreWrong: true},
  repair: cluster => [
    doctorWords(cluster),
    {
      by: 'call the other building, and wait',
      act: async world => world.sleep(HEALS_AFTER_MS.auto),
    },
    doctorWords(cluster),
  ],
}

async function healed(cluster: LocalCluster): Promise<void> {
  await cluster.heal()
  await cluster.setReachable(far(cluster), true)
}
