import {existsSync, readFileSync} from 'node:fs'
import {rm} from 'node:fs/promises'
import {writeDurably} from '../adapters/durable-file.js'
import type {ServiceManager, ServiceResult} from '../ports/service-manager.js'
import {LocalCluster} from './cluster.js'
import {awaitEnd, findAgent, signalAgent} from './process.js'
import {clusterDirectory, memberFiles} from './state.js'
import type {MemberFiles} from './state.js'

type Environment = Readonly<Record<string, string | undefined>>

/** What SIGKILL may take to be done by the kernel. */
const KILL_MS = 10_000

const done = (note: string, already = false): ServiceResult => ({
  ok: true,
  note: already ? `${note} It was so already.` : note,
})

/**
 * The manager of local clusters as a service manager of hosts; a unit is `CLUSTER/SERVER`. Agents are never started by
 * themselves, so a hold only keeps `cluster start` and `cluster up` from it. A stop sends the signal itself: nothing
 * between it and the agent could make it leave.
 */
export function clusterServiceManager(env: Environment): ServiceManager {
  const filesOf = (unit: string): MemberFiles => {
    const [cluster = '', member = ''] = unit.split('/')
    return memberFiles(clusterDirectory(env, cluster), member)
  }
  const holder = ({hold}: MemberFiles): string | undefined =>
    existsSync(hold) ? readFileSync(hold, 'utf8').trim() : undefined
  return {
    name: 'cluster',
    hold: async (_, {unit}, plan) => {
      const files = filesOf(unit)
      const there = holder(files)
      if (there !== undefined && there !== plan) return {ok: false, note: `${unit} is held by plan ${there}.`}
      if (there === undefined) await writeDurably(files.hold, `${plan}\n`)
      return done(`${unit} will not be started.`, there !== undefined)
    },
    held: async (_, {unit}, plan) => Promise.resolve(holder(filesOf(unit)) === plan),
    release: async (_, {unit}, plan) => {
      const files = filesOf(unit)
      const there = holder(files)
      if (there === plan) await rm(files.hold, {force: true})
      return done(`${unit} may be started again.`, there !== plan)
    },
    stop: async (_, {unit}, {firstSignal, graceMs}) => {
      const files = filesOf(unit)
      if (!signalAgent(files, firstSignal)) return done(`${unit} is stopped.`, true)
      // A paused process takes no signal but SIGKILL before it goes on
      if (await awaitEnd(files, findAgent(files)?.paused === true ? 0 : graceMs))
        return done(`${unit} is stopped.`)
      signalAgent(files, 'SIGKILL')
      if (await awaitEnd(files, KILL_MS)) return done(`${unit} is stopped, by SIGKILL in the end.`)
      return {ok: false, note: `${unit} does not end.`}
    },
    start: async (_, {unit}) => {
      const [name = '', word = ''] = unit.split('/')
      const cluster = await LocalCluster.open(env, name)
      const members = cluster.members([word])
      const ran = members.every(member => cluster.process(member) !== undefined)
      await cluster.start(members)
      return done(`${unit} is started.`, ran)
    },
  }
}
