import {formatHostPort, parseHostPort} from '../../codec/address.js'
import {dialectFor} from '../../codec/peers-dialect.js'
import {atLeast, hasPeersInfoRule} from '../../codec/version.js'
import type {Finding} from '../../model/finding.js'
import type {FileFacts, PeersFile, PeersProblem, RaftFiles} from '../../model/observation.js'
import {isAbsent, valueOf} from '../../model/reading.js'
import {onHost, quorateCommand} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import type {ServerMatch} from '../findings.js'
import {
  evidenceOf,
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
  serversOf,
} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'
import {hasAddressId} from '../server-facts.js'

/** A server that has a peers.json, and the file. */
interface Holder {
  readonly server: ServerFacts
  readonly file: PeersFile
}

const holders = (facts: ClusterFacts): readonly Holder[] =>
  facts.servers.flatMap(server => {
    const file = valueOf(server.server.peersFile)
    return file === undefined ? [] : [{server, file}]
  })
const fileEvidence = ({server}: Holder, value: string) =>
  readingEvidence(server.server.peersFile, () => value)

const planAnew = (facts: ClusterFacts) =>
  remedy(
    'availability',
    'Let quorate plan the file: it takes ids, addresses and the dialect from the servers.',
    'The plan is shown first and nothing is written before it is accepted.',
    [quorateCommand(facts.context, 'peers', 'fix')],
  )

/** Journal lines of a refused peers.json; `cannot unmarshal` of the element type tells the other dialect. */
const refusals = (facts: ClusterFacts): readonly ServerMatch[] =>
  journalMatches(facts, ['recovery-parse', 'peers-read-old'], {current: true})
const isDialectText = (text: string): boolean =>
  /cannot unmarshal object into Go value of type string|cannot unmarshal string into Go value of type raft\.configEntry/.test(
    text,
  )
const isPermissionText = (text: string): boolean => /permission denied/.test(text)

/** The dialect a server reads, as far as its version, settings and peer set tell. */
function expectedDialect(server: ServerFacts): 'list' | 'objects' | undefined {
  const product = valueOf(server.server.product)
  if (product === undefined) return undefined
  const version = valueOf(server.server.version)
  const config = valueOf(server.server.config)
  const spoken = valueOf(server.server.api.self)?.raft?.protocolVersion
  const by = (raftProtocol: number | undefined): 'list' | 'objects' | undefined => {
    const dialect = dialectFor({product, version, raftProtocol})
    return dialect === 'live-list' ? 'list' : dialect
  }
  if (config !== undefined || spoken !== undefined) return by(config?.raftProtocol ?? spoken)
  if (by(2) === by(3)) return by(3)
  // Ids of their own in the peer set were given by protocol 3; addresses may be left from before an upgrade.
  return server.believed?.servers.some(peer => !hasAddressId(peer)) === true ? 'objects' : undefined
}

/** DIALECT_MISMATCH: a peers.json in the dialect of another Raft protocol. */
export function dialectMismatch(facts: ClusterFacts): readonly Finding[] {
  const wrong = holders(facts).filter(({server, file}) => {
    const expected = expectedDialect(server)
    // `[null]` decodes in either dialect, to an entry without id and address.
    const named =
      file.servers.length === 0 || file.servers.some(entry => entry.id !== '' || entry.address !== '')
    return (
      expected !== undefined &&
      ['list', 'objects'].includes(file.dialect) &&
      named &&
      file.dialect !== expected
    )
  })
  const told = refusals(facts).filter(found => isDialectText(found.match.text))
  const servers = [...new Set([...wrong.map(one => one.server), ...serversOf(told)])]
  return servers.map(server => {
    const holder = wrong.find(one => one.server === server)
    const expected = expectedDialect(server)
    return makeFinding({
      code: 'DIALECT_MISMATCH',
      severity: 'error',
      on: server,
      summary:
        holder === undefined
          ? `${server.host} refused a peers.json of another dialect.`
          : `peers.json on ${server.host} is a list of ${holder.file.dialect === 'list' ? 'strings' : 'objects'}; this server reads ${expected === 'list' ? 'strings' : 'objects'}.`,
      explanation:
        'The server does not start with it. Raft protocol 3 takes objects with id and address, older protocols take addresses.',
      evidence: [
        ...(holder === undefined ? [] : [fileEvidence(holder, holder.file.dialect)]),
        ...told.filter(found => found.server === server).map(matchEvidence),
      ],
      remedies: [planAnew(facts)],
      causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
    })
  })
}

type Kind = PeersProblem['kind']
/** Stops the start from Consul 0.7 on. */
const fatalKinds: readonly Kind[] = [
  'syntax',
  'byte-order-mark',
  'wrong-type',
  'mixed-dialects',
  'empty-id',
  'empty-address',
  'duplicate-id',
  'duplicate-address',
  'no-voter',
]
/** The live list of Consul up to 0.6 is not checked for legality: only what does not parse stops the start. */
const fatalKindsOld: readonly Kind[] = ['syntax', 'byte-order-mark', 'wrong-type', 'mixed-dialects']
const harmfulKindsOld: readonly Kind[] = ['empty-address', 'empty-id', 'duplicate-address', 'duplicate-id']

/** An empty live list is a peer set of its own (PEER_SET_EMPTY), an empty recovery file is refused. */
function invalidProblems({server, file}: Holder): readonly PeersProblem[] {
  if (server.legacy) {
    if (file.dialect === 'empty') return []
    return file.problems.filter(problem => [...fatalKindsOld, ...harmfulKindsOld].includes(problem.kind))
  }
  return file.problems.filter(problem => fatalKinds.includes(problem.kind))
}

/** PEERS_JSON_INVALID: a peers.json that does not parse, or names an illegal peer set. */
export function peersJsonInvalid(facts: ClusterFacts): readonly Finding[] {
  const bad = holders(facts).flatMap(holder => {
    const problems = invalidProblems(holder)
    const empty = !holder.server.legacy && holder.file.dialect === 'empty'
    return problems.length === 0 && !empty ? [] : [{...holder, problems}]
  })
  const told = refusals(facts).filter(
    found => !isDialectText(found.match.text) && !isPermissionText(found.match.text),
  )
  const servers = [...new Set([...bad.map(one => one.server), ...serversOf(told)])]
  return servers.map(server => {
    const holder = bad.find(one => one.server === server)
    const problem = holder?.problems[0]
    const starts =
      server.legacy &&
      holder !== undefined &&
      holder.problems.every(one => harmfulKindsOld.includes(one.kind))
    const where = problem === undefined ? '' : `, line ${problem.line}: ${problem.text}`
    return makeFinding({
      code: 'PEERS_JSON_INVALID',
      severity: starts ? 'warning' : 'error',
      on: server,
      summary:
        holder === undefined
          ? `${server.host} refused its peers.json.`
          : `peers.json on ${server.host} is not a legal peer set${where === '' ? ': it names no server' : where}.`,
      explanation: starts
        ? 'Consul up to 0.6 starts with it and counts what it says, doubled and empty entries too.'
        : 'The server does not start with it, and the file stays where it is.',
      evidence: [
        ...(holder === undefined
          ? []
          : [
              fileEvidence(
                holder,
                problem === undefined ? holder.file.text : `${problem.kind}: ${problem.text}`,
              ),
            ]),
        ...told.filter(found => found.server === server).map(matchEvidence),
      ],
      remedies: [planAnew(facts)],
      causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
    })
  })
}

/** PEERS_JSON_UNKNOWN_KEY: a key that the server ignores in silence. */
export function peersJsonUnknownKey(facts: ClusterFacts): readonly Finding[] {
  return holders(facts).flatMap(holder => {
    const problems = holder.file.problems.filter(problem => problem.kind === 'unknown-key')
    if (problems.length === 0) return []
    return [
      makeFinding({
        code: 'PEERS_JSON_UNKNOWN_KEY',
        severity: 'warning',
        on: holder.server,
        summary: `peers.json on ${holder.server.host} has keys that are ignored: ${listWords(problems.map(one => one.text))}.`,
        explanation:
          'Only id, address and non_voter count. Whoever meant a nonvoter by another key gets a voter.',
        evidence: problems.map(one => fileEvidence(holder, `line ${one.line}: ${one.text}`)),
        remedies: [planAnew(facts)],
      }),
    ]
  })
}

const recoveryFiles = (facts: ClusterFacts): readonly Holder[] =>
  holders(facts).filter(({server}) => !server.legacy)

/** PEERS_JSON_PRESENT: a recovery file waits for the next start. */
export function peersJsonPresent(facts: ClusterFacts): readonly Finding[] {
  return recoveryFiles(facts).map(holder =>
    makeFinding({
      code: 'PEERS_JSON_PRESENT',
      severity: 'warning',
      on: holder.server,
      summary:
        holder.server.running === 'yes'
          ? `${holder.server.host} runs beside a peers.json that its next start will take.`
          : `${holder.server.host} has a peers.json that its next start will take.`,
      explanation:
        'A recovery was begun by hand, or something keeps writing the file. Whoever restarts this server forces its peer set.',
      evidence: [fileEvidence(holder, holder.file.text)],
      remedies: [
        remedy(
          'nothing',
          'Find out who wrote it, then take it away or finish the recovery.',
          'Keep a copy outside the raft directory.',
          [quorateCommand(facts.context, 'history')],
        ),
      ],
    }),
  )
}

/** PEERS_JSON_DIFFERS: a recovery file that is not the same on all servers. */
export function peersJsonDiffers(facts: ClusterFacts): readonly Finding[] {
  const files = recoveryFiles(facts)
  if (files.length === 0) return []
  const without = facts.servers.filter(
    server => !server.legacy && isAbsent(server.server.peersFile) && server.hasData === 'yes',
  )
  const kinds = new Set(files.map(one => one.file.sha256))
  // Beside a leader the others have taken theirs already, or never had one.
  const partial = without.length > 0 && facts.leader.exists !== 'yes'
  if (kinds.size < 2 && !partial) return []
  return [
    makeFinding({
      code: 'PEERS_JSON_DIFFERS',
      severity: 'error',
      summary:
        kinds.size > 1
          ? `${listWords(files.map(one => one.server.host))} have ${kinds.size} different peers.json.`
          : `${listWords(files.map(one => one.server.host))} ${files.length === 1 ? 'has' : 'have'} a peers.json, ${listWords(without.map(one => one.host))} ${without.length === 1 ? 'has' : 'have'} none.`,
      explanation:
        'Every server of a recovery must take the same file while all are stopped. Otherwise each side counts by its own set and two leaders are possible.',
      evidence: [
        ...files.map(one => fileEvidence(one, `sha256 ${one.file.sha256.slice(0, 12)}`)),
        ...without.map(server => readingEvidence(server.server.peersFile)),
      ],
      remedies: [planAnew(facts)],
      causes: ['PEER_SETS_DIFFER'],
    }),
  ]
}

const mayRead = (file: FileFacts, user: NonNullable<RaftFiles['serviceUser']>): boolean =>
  user.uid === 0 || allowed(file, user, 4)

/** Whether an ordinary user has a permission (4 read, 2 write) by owner, group or others, in the kernel's order. */
export function allowed(file: FileFacts, user: NonNullable<RaftFiles['serviceUser']>, bit: number): boolean {
  if (file.uid === user.uid) return (file.mode & (bit << 6)) !== 0
  if (file.gid === user.gid) return (file.mode & (bit << 3)) !== 0
  return (file.mode & bit) !== 0
}

/** PEERS_JSON_PERMISSIONS: the service's user cannot read peers.json, or cannot take it away. */
export function peersJsonPermissions(facts: ClusterFacts): readonly Finding[] {
  const told = [
    ...refusals(facts).filter(found => isPermissionText(found.match.text)),
    ...journalMatches(facts, ['recovery-delete'], {current: true}),
  ]
  return facts.servers.flatMap(server => {
    const files = valueOf(server.server.files)
    const user = files?.serviceUser
    const lines = told.filter(found => found.server === server)
    const peersJson = files?.peersJson
    const unreadable = peersJson !== undefined && user !== undefined && !mayRead(peersJson, user)
    const stuck =
      peersJson !== undefined &&
      files?.raftDir !== undefined &&
      user !== undefined &&
      user.uid !== 0 &&
      !server.legacy &&
      !allowed(files.raftDir, user, 2)
    if (!unreadable && !stuck && lines.length === 0) return []
    const dir = files?.raftDir
    const facts_ = unreadable ? peersJson : stuck ? dir : undefined
    const commands =
      facts_ === undefined || files?.store === undefined
        ? []
        : [onHost(server.server, 'chown', `--reference=${files.store.path}`, facts_.path)]
    return [
      makeFinding({
        code: 'PEERS_JSON_PERMISSIONS',
        severity: 'error',
        on: server,
        summary: unreadable
          ? `${user.name} cannot read peers.json on ${server.host}.`
          : stuck
            ? `${user?.name ?? 'The service'} cannot delete peers.json on ${server.host}: the raft directory is not its own.`
            : `${server.host} could not read or delete its peers.json.`,
        explanation: unreadable
          ? 'The server does not start.'
          : 'The recovery is done on disk, then the start fails because the file cannot be taken away, and every further start repeats it.',
        evidence: [
          ...(facts_ === undefined
            ? []
            : [
                evidenceOf(
                  server.server.files.source,
                  `${facts_.path} mode ${(facts_.mode & 0o7777).toString(8)} uid ${facts_.uid}`,
                ),
              ]),
          ...lines.map(matchEvidence),
        ],
        remedies: [
          remedy(
            'nothing',
            'Give the file or the directory to the service’s user.',
            'Changes no Raft state.',
            commands,
          ),
        ],
        causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
      }),
    ]
  })
}

/** The port at which the Raft transport of the fleet listens, when that is one port. */
function fleetPort(facts: ClusterFacts): number | undefined {
  const ports = new Set(
    facts.servers.flatMap(server => {
      const port = valueOf(server.server.config)?.ports.server
      return port === undefined ? [] : [port]
    }),
  )
  if (ports.size === 1) return [...ports][0]
  const inSet = new Set(facts.peerSet?.configuration.servers.map(peer => parseHostPort(peer.address)?.port))
  return ports.size === 0 && inSet.size === 1 ? [...inSet][0] : undefined
}

/** PEERS_JSON_WRONG_PORT: an address in peers.json at which no Raft transport listens. */
export function peersJsonWrongPort(facts: ClusterFacts): readonly Finding[] {
  const port = fleetPort(facts)
  return holders(facts).flatMap(holder => {
    const formal = holder.file.problems
      .filter(problem => problem.kind === 'scheme' || problem.kind === 'no-port')
      .map(problem => problem.text)
    const foreign = holder.file.servers.flatMap(entry => {
      const at = parseHostPort(entry.address)
      return at === undefined || port === undefined || at.port === port
        ? []
        : [formatHostPort(at.host, at.port)]
    })
    const wrong = [...formal, ...foreign]
    if (wrong.length === 0) return []
    return [
      makeFinding({
        code: 'PEERS_JSON_WRONG_PORT',
        severity: 'error',
        on: holder.server,
        summary: `peers.json on ${holder.server.host} has addresses that are not host and Raft port${port === undefined ? '' : ` ${port}`}: ${listWords(wrong)}.`,
        explanation: 'The server takes them without a check and calls where nobody listens.',
        evidence: [fileEvidence(holder, holder.file.text)],
        remedies: [planAnew(facts)],
        causes: ['NO_LEADER'],
      }),
    ]
  })
}

/** PEERS_INFO_MISSING: without peers.info a recovery file is deleted unread (`setupRaft`, agent/consul/server.go). */
export function peersInfoMissing(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['recovery-discarded'], {current: true})
  return facts.servers.flatMap(server => {
    const product = valueOf(server.server.product)
    const rules =
      product !== undefined &&
      hasPeersInfoRule(product, valueOf(server.server.version)) === true &&
      !server.legacy
    const lines = told.filter(found => found.server === server)
    const missing = rules && valueOf(server.server.peersInfo) === false && server.hasData === 'yes'
    if (!missing && lines.length === 0) return []
    const present = server.server.peersFile.kind === 'read'
    const isNew = atLeast(valueOf(server.server.version), '0.7.0') === true
    return [
      makeFinding({
        code: 'PEERS_INFO_MISSING',
        severity: present || lines.length > 0 ? 'error' : 'warning',
        on: server,
        summary: missing
          ? `${server.host} has no raft/peers.info${present ? ': it will delete its peers.json unread' : ''}.`
          : `${server.host} deleted a peers.json unread.`,
        explanation:
          'A start without peers.info takes itself for the first one after an upgrade: it writes peers.info and throws peers.json away. The old peer set stays in force.',
        evidence: [
          ...(missing || isNew ? [readingEvidence(server.server.peersInfo)] : []),
          ...lines.map(matchEvidence),
        ],
        remedies: [planAnew(facts)],
      }),
    ]
  })
}
