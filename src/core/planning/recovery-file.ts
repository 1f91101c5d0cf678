import {dialectFor} from '../codec/peers-dialect.js'
import {writePeersJson} from '../codec/peers-json.js'
import type {Configuration, Server} from '../model/configuration.js'
import {checkConfiguration} from '../model/configuration.js'
import {serverId} from '../model/ids.js'
import {valueOf} from '../model/reading.js'
import {configDirOf} from './hosts.js'
import type {Refusal} from './select.js'
import {isRefusal, refuse} from './select.js'
import type {Candidate, Situation} from './situation.js'

/** Where addresses change: by server id, to the new address. */
export type Readdressed = ReadonlyMap<string, Server['address']>

/** A blank server must not be able to found a cluster of its own when it starts (safety rule S4). */
export function checkRejoin(candidate: Candidate): Refusal | undefined {
  const config = valueOf(candidate.seen.config)
  if (config === undefined)
    return refuse(
      'UNREAD_FACT',
      `The settings of ${candidate.host} were not read; it would rejoin blank, and bootstrap settings must be known for that.`,
    )
  const changeable = configDirOf(candidate) !== undefined && config.bootstrapSource !== 'flag'
  if (config.bootstrap === true || (config.bootstrapExpect === 1 && !changeable))
    return refuse(
      'BOOTSTRAP_SET',
      `${candidate.host} would rejoin blank and is set to bootstrap by itself (${config.bootstrapSource ?? 'bootstrap'}).`,
      [`Take bootstrap out of the settings of ${candidate.host} first.`],
    )
  return undefined
}

/** The recovery file: the same bytes for every server it names. */
export interface RecoveryFile {
  readonly configuration: Configuration
  readonly text: string
  readonly dialect: 'live-list' | 'list' | 'objects'
  /** Nonvoters that become voters. */
  readonly promoted: readonly string[]
}

/** Makes the recovery file for the servers that get it, in the dialect they read. */
export function recoveryFile(
  situation: Situation,
  included: readonly Candidate[],
  readdressed: Readdressed | undefined,
): RecoveryFile | Refusal {
  const {product} = situation.fleet
  const dialects = new Set(
    included.map(one =>
      dialectFor({
        product,
        version: valueOf(one.seen.version),
        raftProtocol: valueOf(one.seen.config)?.raftProtocol,
      }),
    ),
  )
  const [dialect, another] = [...dialects]
  if (dialect === undefined)
    return refuse(
      'UNREAD_FACT',
      'The version of a survivor does not tell which dialect of peers.json it reads.',
    )
  if (another !== undefined)
    return refuse(
      'ILLEGAL_PEER_SET',
      'The survivors read different dialects of peers.json, so no one file serves them all.',
      ['Bring them to one version and Raft protocol, or keep only those that agree.'],
    )
  const entries: Server[] = []
  for (const one of included) {
    const entry = entryOf(one, dialect, readdressed)
    if (isRefusal(entry)) return entry
    entries.push(entry)
  }
  const anyVoter = entries.some(entry => entry.suffrage === 'voter')
  const flat = dialect !== 'objects' || !anyVoter
  const promoted = entries
    .filter(entry => flat && entry.suffrage === 'nonvoter')
    .map(entry => String(entry.address))
  const configuration: Configuration = {
    servers: entries.map(entry => (flat ? {...entry, suffrage: 'voter'} : entry)),
  }
  const problem = checkConfiguration(configuration)[0]
  if (problem !== undefined)
    return refuse('ILLEGAL_PEER_SET', `The peer set after would be illegal: ${problem.kind}.`)
  const text = writePeersJson(configuration, dialect === 'objects' ? 'objects' : 'list')
  return {configuration, text, dialect, promoted}
}

/** The entry of a server in the file: its id as it names itself, its address as it listens now. */
function entryOf(
  candidate: Candidate,
  dialect: RecoveryFile['dialect'],
  readdressed: Readdressed | undefined,
): Server | Refusal {
  const moved = candidate.peer === undefined ? undefined : readdressed?.get(String(candidate.peer.id))
  const address = moved ?? candidate.address
  if (address === undefined)
    return refuse('UNREAD_FACT', `The Raft address of ${candidate.host} was not found out.`)
  const suffrage = candidate.peer?.suffrage ?? 'voter'
  if (dialect !== 'objects') return {id: serverId(address), address, suffrage}
  const nodeId =
    valueOf(candidate.seen.api.self)?.nodeId ??
    valueOf(candidate.seen.config)?.nodeId ??
    valueOf(candidate.seen.nodeId)
  if (nodeId === undefined)
    return refuse(
      'UNREAD_FACT',
      `The node-id of ${candidate.host} was not read, and Raft protocol 3 goes by it.`,
    )
  return {id: serverId(nodeId), address, suffrage}
}

/** Whether the one survivor of Consul up to 0.6 needs bootstrap_expect=1 once, or why it cannot be given (S12). */
export function bootstrapOnce(
  included: readonly Candidate[],
  file: RecoveryFile,
): Refusal | 'write' | undefined {
  const [only, second] = file.configuration.servers
  const survivor = included[0]
  if (file.dialect !== 'live-list' || only === undefined || second !== undefined || survivor === undefined)
    return undefined
  const config = valueOf(survivor.seen.config)
  if (config?.bootstrap === true || config?.bootstrapExpect === 1) return undefined
  const flagged = config?.bootstrapSource === 'flag'
  if (flagged || config === undefined || configDirOf(survivor) === undefined)
    return refuse(
      'BOOTSTRAP_SET',
      `${survivor.host} is the only server and elects itself only with bootstrap_expect=1 at one start; ` +
        `${flagged ? 'a flag on its command line stands in the way' : 'it has no configuration directory where that could be set'}.`,
      [
        flagged
          ? `Take -bootstrap-expect off the command line of ${survivor.host}.`
          : `Start ${survivor.host} with -config-dir, or keep a second server.`,
      ],
    )
  return 'write'
}
