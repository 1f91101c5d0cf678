import type {Server} from '../model/configuration.js'
import type {PlanHost, PlanRole} from '../model/plan.js'
import {isAbsent, valueOf} from '../model/reading.js'
import type {PlanContext} from './context.js'
import type {Refusal} from './select.js'
import {refuse} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {defaultRaftPort} from './situation.js'

const MIB = 1 << 20
/** What a copy may need beyond the raft directory itself: serf, settings, rounding to blocks. */
const COPY_MARGIN_BYTES = 16 * MIB
/** Consul's `server_rejoin_age_max` when it is not set: 168 h. */
const REJOIN_AGE_DEFAULT_MS = 168 * 3_600_000

/** The directory that the server keeps its data in; undefined when it was not found out. */
export function dataDirOf(candidate: Candidate): string | undefined {
  const running = valueOf(candidate.seen.processes)?.find(one => one.dataDir !== undefined)?.dataDir
  return valueOf(candidate.seen.disk)?.dataDir ?? running ?? valueOf(candidate.seen.config)?.dataDir
}

function raftDirOf(situation: Situation, dataDir: string): string {
  return situation.fleet.product === 'nomad' ? `${dataDir}/server/raft` : `${dataDir}/raft`
}

/** The directory named by `-config-dir` on the command line of the process or of its unit. */
export function configDirOf(candidate: Candidate): string | undefined {
  const argv = valueOf(candidate.seen.processes)?.[0]?.argv ?? []
  const commands = [argv, valueOf(candidate.seen.service)?.execStart ?? []]
  for (const command of commands) {
    const words = command.flatMap(word => word.split(/\s+/)).filter(word => word !== '')
    const found = words.flatMap((word, place) => {
      const match = /^--?config-dir(?:=(.+))?$/.exec(word)
      const value = match === null ? undefined : (match[1] ?? words[place + 1])
      return value?.startsWith('/') === true ? [value] : []
    })
    const last = found.at(-1)
    if (last !== undefined) return last.replace(/\/+$/, '')
  }
  return undefined
}

function serviceOf(candidate: Candidate): PlanHost['service'] {
  const service = valueOf(candidate.seen.service)
  if (service === undefined) return undefined
  return {
    manager: service.manager,
    unit: service.unit,
    enabled: service.enabled,
    masked: service.masked,
    wasRunning: candidate.runs === true,
  }
}

/** What the executor needs to know of a host, in a role. */
export function planHost(
  situation: Situation,
  candidate: Candidate,
  role: PlanRole,
  options: {readonly rejoins?: boolean; readonly entry?: Server | undefined} = {},
): PlanHost {
  const dataDir = dataDirOf(candidate) ?? ''
  const raftDir = dataDir === '' ? '' : raftDirOf(situation, dataDir)
  const files = valueOf(candidate.seen.files)
  const owner = files?.store ?? files?.raftDir ?? files?.dataDir
  const config = valueOf(candidate.seen.config)
  const entry = options.entry ?? candidate.peer
  return {
    host: candidate.host,
    role,
    rejoins: options.rejoins ?? false,
    id: String(entry?.id ?? candidate.id ?? ''),
    address: String(entry?.address ?? candidate.address ?? ''),
    nodeName: candidate.nodeName,
    version: valueOf(candidate.seen.version),
    service: serviceOf(candidate),
    dataDir,
    raftDir,
    storePath: valueOf(candidate.seen.store)?.path ?? (raftDir === '' ? '' : `${raftDir}/raft.db`),
    executable: valueOf(candidate.seen.processes)?.[0]?.executable,
    configFiles: (config?.sources ?? []).filter(path => path.startsWith('/')),
    configDir: configDirOf(candidate),
    owner: owner === undefined ? undefined : {uid: owner.uid, gid: owner.gid},
    httpPort: config?.ports.http,
    raftPort: config?.ports.server ?? defaultRaftPort(situation.fleet.product),
    end: candidate.end,
  }
}

/** A server that was declared dead; only its name in the peer set is known. */
export function deadHost(situation: Situation, peer: Server, candidate: Candidate | undefined): PlanHost {
  return {
    host: candidate?.host ?? String(peer.address),
    role: 'dead',
    rejoins: false,
    id: String(peer.id),
    address: String(peer.address),
    nodeName: candidate?.nodeName,
    version: undefined,
    service: undefined,
    dataDir: '',
    raftDir: '',
    storePath: '',
    executable: undefined,
    configFiles: [],
    configDir: undefined,
    owner: undefined,
    httpPort: undefined,
    raftPort: defaultRaftPort(situation.fleet.product),
    end: undefined,
  }
}

const because = (reading: {
  readonly kind: string
  readonly why?: string
  readonly detail?: string
}): string =>
  reading.why === undefined
    ? ''
    : ` (${reading.why}${reading.detail === undefined ? '' : `: ${reading.detail}`})`

/** Refuses when a host cannot be acted on: no root, or nothing known that stops and starts its server. */
export function checkActable(candidate: Candidate): Refusal | undefined {
  const {host, seen} = candidate
  const access = valueOf(seen.reached)
  if (access === undefined) return refuse('UNREAD_FACT', `${host} is not reached${because(seen.reached)}.`)
  if (access.root === 'none')
    return refuse('NO_ROOT', `The plan must act as root on ${host}, and ${access.user} has no way to it.`)
  if (candidate.runs === undefined)
    return refuse('UNREAD_FACT', `Whether the server runs on ${host} was not read${because(seen.processes)}.`)
  const service = valueOf(seen.service)
  if (service === undefined)
    return refuse(
      'NO_SERVICE_MANAGER',
      `What starts and stops the server on ${host} was not found${because(seen.service)}.`,
      [`Name it in the inventory: service, unit and manager of ${host}.`],
    )
  const unitDown =
    (service.state === 'stopped' || service.state === 'failed') && service.mainPid === undefined
  if (candidate.runs && unitDown)
    return refuse(
      'NO_SERVICE_MANAGER',
      `The server of ${host} runs, and ${service.unit} of ${service.manager} is stopped: something else started it.`,
      [`Name what runs it in the inventory, or stop it on ${host} and start it by ${service.unit}.`],
    )
  if (dataDirOf(candidate) === undefined)
    return refuse('UNREAD_FACT', `The data directory on ${host} was not found${because(seen.disk)}.`)
  return undefined
}

/**
 * Refuses when the unit of a server that the plan must stop, hold or start is masked: systemd starts no masked unit
 * (systemd.unit(5)), and the hold, a drop-in, has no effect on one.
 */
export function checkUnmasked(candidate: Candidate): Refusal | undefined {
  const service = valueOf(candidate.seen.service)
  if (service?.masked !== true) return undefined
  return refuse(
    'NO_SERVICE_MANAGER',
    `${service.unit} is masked on ${candidate.host}, and ${service.manager} neither holds nor starts a masked unit.`,
    [`systemctl unmask ${service.unit} on ${candidate.host}`],
  )
}

/** Refuses when a host cannot be given a recovery file: what it holds, who owns it and whether a copy fits must be read. */
export function checkWritable(candidate: Candidate): Refusal | undefined {
  const {host, seen} = candidate
  if (seen.store.kind === 'unread' && seen.store.why === 'unsupported')
    return refuse(
      'UNSUPPORTED_STORE',
      `The log of ${host} is of a kind that quorate does not read${because(seen.store)}.`,
    )
  if (candidate.end === undefined)
    return refuse('UNREAD_FACT', `The end of the log of ${host} was not read${because(seen.store)}.`, [
      `quorate peers fix --remove ${host}   leaves it out: it is stopped and its data is fenced`,
    ])
  if (valueOf(seen.version) === undefined)
    return refuse('UNREAD_FACT', `The version on ${host} was not read${because(seen.version)}.`)
  if (candidate.id === undefined)
    return refuse('UNREAD_FACT', `The node-id of ${host} was not read${because(seen.nodeId)}.`)
  const disk = valueOf(seen.disk)
  if (disk?.raftBytes !== undefined && disk.freeBytes < disk.raftBytes + COPY_MARGIN_BYTES)
    return refuse(
      'NO_SPACE',
      `${host} has ${Math.floor(disk.freeBytes / MIB)} MiB free and the copy of its raft directory needs ` +
        `${Math.ceil((disk.raftBytes + COPY_MARGIN_BYTES) / MIB)} MiB.`,
      [`Make room on ${host}, or leave it out: quorate peers fix --remove ${host}`],
    )
  if (disk?.readOnly === true)
    return refuse('NO_SPACE', `The data directory of ${host} is mounted read-only.`)
  const files = valueOf(seen.files)
  if (files?.store === undefined && files?.raftDir === undefined && files?.dataDir === undefined)
    return refuse('UNREAD_FACT', `The owner of the raft files on ${host} was not read${because(seen.files)}.`)
  const file = files.peersJson
  if (file !== undefined && file.kind !== 'file')
    return refuse(
      'UNREAD_FACT',
      `${file.path} on ${host} is a ${file.kind === 'other' ? 'special file' : file.kind}, and only a regular file is replaced.`,
      [`Look at it on ${host}, and move it away.`],
    )
  return undefined
}

/** What is copied before anything is written: only what was seen to exist. */
export function copyPaths(candidate: Candidate, host: PlanHost): readonly string[] {
  const there = (reading: {readonly kind: string; readonly why?: string}): boolean =>
    reading.kind === 'read' || ['denied', 'unparsable', 'corrupt', 'changed'].includes(reading.why ?? '')
  const {seen} = candidate
  const nodeIdFile = seen.nodeId.kind === 'read' && seen.nodeId.source.via === 'file'
  return [
    host.raftDir,
    ...(there(seen.serfSnapshot) ? [`${host.dataDir}/serf`] : []),
    ...(nodeIdFile ? [`${host.dataDir}/node-id`] : []),
    ...(seen.lastSeenUnix.kind === 'read' ? [`${host.dataDir}/server_metadata.json`] : []),
    ...host.configFiles,
  ]
}

/** Bytes the copies need on the host, with a margin. */
export function copyBytes(candidate: Candidate): number {
  return (valueOf(candidate.seen.disk)?.raftBytes ?? 0) + COPY_MARGIN_BYTES
}

/** Whether the server would refuse to start because it was away too long (`server_rejoin_age_max`, Consul agent). */
export function rejoinAgeExceeded(candidate: Candidate, context: PlanContext): boolean {
  const lastSeen = valueOf(candidate.seen.lastSeenUnix)
  if (lastSeen === undefined) return false
  const limit = valueOf(candidate.seen.config)?.rejoinAgeMaxMs ?? REJOIN_AGE_DEFAULT_MS
  return context.nowMs - lastSeen * 1000 > limit
}

/**
 * Whether the server will not find the others by itself after a start: its gossip snapshot ends in a leave or knows
 * nobody, and its settings name nobody to join (safety rule S6). Unread counts as yes, for a join does no harm.
 */
export function needsJoin(candidate: Candidate): boolean {
  const config = valueOf(candidate.seen.config)
  if (config !== undefined && config.retryJoin.length > 0) return false
  const snapshot = valueOf(candidate.seen.serfSnapshot)
  if (snapshot === undefined || isAbsent(candidate.seen.serfSnapshot)) return true
  const forgotten = snapshot.left && config?.rejoinAfterLeave !== true
  return forgotten || snapshot.members.filter(member => member.name !== candidate.nodeName).length === 0
}
