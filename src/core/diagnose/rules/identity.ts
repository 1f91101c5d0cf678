import {isIpAddress, isIpv4, parseHostPort} from '../../codec/address.js'
import type {Server} from '../../model/configuration.js'
import {checkConfiguration} from '../../model/configuration.js'
import type {Finding} from '../../model/finding.js'
import {valueOf} from '../../model/reading.js'
import {quorateCommand} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {findServer, gossipViews, peerName} from '../facts.js'
import {
  evidenceOf,
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'
import {hasAddressId, matchesPeer} from '../server-facts.js'

const peersOf = (facts: ClusterFacts): readonly Server[] => facts.peerSet?.configuration.servers ?? []

const setEvidence = (facts: ClusterFacts, value: string) =>
  (facts.peerSet?.believers ?? []).flatMap(server =>
    server.believedFrom === undefined ? [] : [evidenceOf(server.believedFrom, value)],
  )

interface Moved {
  readonly peer: Server
  readonly server: ServerFacts
}

/** Peers whose server is known by its id and has no such address. */
function withoutAddress(facts: ClusterFacts, peer: Server): readonly Moved[] {
  const found = findServer(facts.servers, peer)
  if (found?.by !== 'id' || hasAddressId(peer)) return []
  const own = found.server.ownAddresses
  const at = parseHostPort(peer.address)
  if (own === undefined || at === undefined || own.has(at.host)) return []
  // Behind a translation a server is known by an address of no interface; only its settings or gossip tell.
  const gossiped = gossipViews(facts)
    .flatMap(view => view.members)
    .find(member => member.id === peer.id)?.address
  const known = found.server.server.config.kind === 'read' || (gossiped !== undefined && gossiped !== at.host)
  return known ? [{peer, server: found.server}] : []
}

/**
 * Peers at an address that their host still has, but that their server, by its own word in gossip, has given up for
 * another. With a leader that is a moment's matter: it takes the new one.
 */
function elsewhere(facts: ClusterFacts, peer: Server): readonly Moved[] {
  const server = findServer(facts.servers, peer)?.server
  if (facts.leader.exists === 'yes' || server?.running !== 'yes') return []
  if (server.server.api.members.kind === 'unread' || server.raftAddress === undefined) return []
  const at = parseHostPort(peer.address)
  if (at === undefined || !isIpAddress(at.host) || server.raftAddress === peer.address) return []
  return server.ownAddresses?.has(at.host) === true ? [{peer, server}] : []
}

/** STALE_ADDRESS: the peer set has an address that its server no longer has or uses. */
export function staleAddress(facts: ClusterFacts): readonly Finding[] {
  const lost = peersOf(facts).flatMap(peer => withoutAddress(facts, peer))
  const left = peersOf(facts).flatMap(peer => elsewhere(facts, peer))
  const way = readdress(facts, [...lost, ...left])
  const finding = ({peer, server}: Moved, words: string): Finding =>
    makeFinding({
      code: 'STALE_ADDRESS',
      severity: 'error',
      on: server,
      summary: `${server.host} is in the peer set as ${peer.address}, ${words}.`,
      explanation:
        'Raft configurations keep addresses. Others call the old one; with a leader it is corrected, without one it is not.',
      evidence: [
        ...setEvidence(facts, `${peer.id} at ${peer.address}`),
        readingEvidence(server.server.hostAddresses, list => list.join(', ')),
      ],
      remedies: [way],
      causes: ['NO_LEADER', 'TRANSIENT_LOSS', 'PEER_NOT_IN_SERF', 'SERVER_NOT_IN_RAFT'],
    })
  return [
    ...lost.map(moved => finding(moved, 'an address it does not have')),
    ...left.map(moved =>
      finding(moved, `an address it no longer uses: gossip has it at ${String(moved.server.raftAddress)}`),
    ),
    ...staleInFile(facts),
    ...allMoved(facts),
  ]
}

/** A recovery file that names this server rightly by id, at an address it does not have. */
function staleInFile(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const file = valueOf(server.server.peersFile)
    const entry = file?.dialect === 'objects' ? file.servers.find(one => one.id === server.nodeId) : undefined
    const at = entry === undefined ? undefined : parseHostPort(entry.address)
    const own = server.ownAddresses
    if (entry === undefined || at === undefined || own === undefined || server.server.config.kind !== 'read')
      return []
    if (own.has(at.host) || !isIpAddress(at.host)) return []
    return [
      makeFinding({
        code: 'STALE_ADDRESS',
        severity: 'error',
        on: server,
        summary: `The peers.json that waits on ${server.host} has it at ${entry.address}, an address it does not have.`,
        explanation: 'Votes go by id, so it may even lead; the others cannot reach it through that address.',
        evidence: [
          readingEvidence(server.server.peersFile, () => entry.address),
          readingEvidence(server.server.hostAddresses, list => list.join(', ')),
        ],
      }),
    ]
  })
}

/** One plan for all that moved: a set that is right in part elects as little as before. */
function readdress(facts: ClusterFacts, moved: readonly Moved[]) {
  const names = listWords([...new Set(moved.map(one => one.server.host))])
  const pairs = moved.flatMap(({peer, server}) =>
    server.raftAddress === undefined ? [] : ['--readdress', `${peer.address}=${server.raftAddress}`],
  )
  return remedy(
    'availability',
    `Give ${names} ${moved.length === 1 ? 'its new address' : 'their new addresses'} in the peer set.`,
    'The plan writes the addresses the servers have now; nothing is lost.',
    pairs.length < 2 * moved.length ? [] : [quorateCommand(facts.context, 'peers', 'fix', ...pairs)],
  )
}

/** Where ids are addresses a moved server cannot be told from a foreign one, unless none is where it was. */
function allMoved(facts: ClusterFacts): readonly Finding[] {
  const peers = peersOf(facts)
  const holding = facts.servers.filter(
    server => server.hasData === 'yes' && server.ownAddresses !== undefined,
  )
  if (holding.length === 0 || holding.length !== facts.servers.length) return []
  const others = peers.filter(peer => !holding.some(server => server.raftAddress === peer.address))
  if (peers.length === 0 || !peers.every(peer => hasAddressId(peer))) return []
  if (others.length !== peers.length || peers.length > holding.length + 1) return []
  if (holding.some(server => peers.some(peer => matchesPeer(server, peer) !== 'no'))) return []
  return [
    makeFinding({
      code: 'STALE_ADDRESS',
      severity: 'error',
      summary: `None of the ${peers.length} addresses in the peer set belongs to a server that holds the data.`,
      explanation:
        'All servers have new addresses. Up to Raft protocol 2 an address is also the id, so none of them finds itself in the set.',
      evidence: [
        ...setEvidence(facts, peers.map(peer => peer.address).join(', ')),
        ...holding.map(server => readingEvidence(server.server.hostAddresses, list => list.join(', '))),
      ],
      remedies: [
        remedy(
          'availability',
          'Give the servers their new addresses in the peer set.',
          'Name each pair of old and new; nothing is lost.',
          [quorateCommand(facts.context, 'peers', 'list')],
        ),
      ],
      causes: ['NO_LEADER', 'QUORUM_LOST'],
    }),
  ]
}

function isLocalAddress(address: string): boolean {
  const host = parseHostPort(address)?.host ?? address
  if (isIpv4(host)) return host.startsWith('127.') || host === '0.0.0.0'
  return host === '::1' || host === '::' || host.toLowerCase() === 'localhost'
}

/** Whether several hosts are on the machine that quorate runs on: a practice cluster. */
function shareThisMachine(facts: ClusterFacts): boolean {
  const here = facts.servers.filter(
    one => valueOf(one.server.reached)?.transport === 'local' || isLocalAddress(`${one.server.address}:0`),
  )
  return here.length > 1
}

/** LOOPBACK_ADDRESS: a peer is named by an address that means each host itself. */
export function loopbackAddress(facts: ClusterFacts): readonly Finding[] {
  const peers = peersOf(facts)
  const local = peers.filter(peer => isLocalAddress(peer.address))
  if (peers.length < 2 || local.length === 0 || shareThisMachine(facts)) return []
  return [
    makeFinding({
      code: 'LOOPBACK_ADDRESS',
      severity: 'error',
      summary: `The peer set names ${local.length} of ${peers.length} servers by an address that only each host itself can reach: ${listWords(local.map(peer => peer.address))}.`,
      explanation:
        'Every host takes such an address for itself. Set advertise to an address the others can reach.',
      evidence: setEvidence(facts, local.map(peer => peer.address).join(', ')),
      remedies: [
        remedy(
          'availability',
          'Set the advertised address and correct the peer set.',
          'Needs a stop and a start of the server.',
        ),
      ],
    }),
  ]
}

/** DUPLICATE_ID: one id stands for two servers. */
export function duplicateId(facts: ClusterFacts): readonly Finding[] {
  const byId = new Map<string, ServerFacts[]>()
  for (const server of facts.servers) {
    if (server.nodeId !== undefined) byId.set(server.nodeId, [...(byId.get(server.nodeId) ?? []), server])
  }
  const told = journalMatches(facts, ['node-id-conflict'])
  const doubles = [...byId].filter(([, servers]) => servers.length > 1)
  const inSet = checkConfiguration({servers: peersOf(facts)}).filter(
    problem => problem.kind === 'duplicate-id',
  )
  // Up to Raft protocol 2 addresses are the ids and node-ids are not used: equal ones harm only an upgrade.
  const used = peersOf(facts).length === 0 || peersOf(facts).some(peer => !hasAddressId(peer))
  if (doubles.length === 0 && told.length === 0 && inSet.length === 0) return []
  const hosts = doubles.flatMap(([, servers]) => servers)
  return [
    makeFinding({
      code: 'DUPLICATE_ID',
      severity: used || inSet.length > 0 ? 'error' : 'warning',
      summary:
        hosts.length > 0
          ? `${listWords(hosts.map(server => server.host))} carry the same node-id.`
          : 'A server id stands for two servers.',
      explanation: used
        ? 'Usually a cloned disk. Votes and peers go by id: one of the two must get a new one, with its node-id file kept as a copy.'
        : 'Harmless up to Raft protocol 2, where addresses are the ids. With protocol 3 it breaks the cluster.',
      evidence: [
        ...hosts.map(server => readingEvidence(server.server.nodeId)),
        ...inSet.flatMap(problem => (problem.kind === 'duplicate-id' ? setEvidence(facts, problem.id) : [])),
        ...told.map(matchEvidence),
      ],
    }),
  ]
}

/** DUPLICATE_ADDRESS: one address stands for two servers. */
export function duplicateAddress(facts: ClusterFacts): readonly Finding[] {
  const byAddress = new Map<string, ServerFacts[]>()
  for (const server of facts.servers) {
    if (server.raftAddress === undefined) continue
    byAddress.set(server.raftAddress, [...(byAddress.get(server.raftAddress) ?? []), server])
  }
  const doubles = [...byAddress].filter(([, servers]) => servers.length > 1)
  const inSet = checkConfiguration({servers: peersOf(facts)}).flatMap(problem =>
    problem.kind === 'duplicate-address' ? [problem.address] : [],
  )
  if (doubles.length === 0 && inSet.length === 0) return []
  const hosts = doubles.flatMap(([, servers]) => servers)
  return [
    makeFinding({
      code: 'DUPLICATE_ADDRESS',
      severity: 'error',
      summary:
        inSet.length > 0
          ? `The peer set has ${listWords(inSet)} under two ids.`
          : `${listWords(hosts.map(server => server.host))} advertise the same address.`,
      explanation: 'Raft talks to whoever answers there, so votes and entries reach the wrong server.',
      evidence: [
        ...inSet.flatMap(address => setEvidence(facts, address)),
        ...hosts.map(server => readingEvidence(server.server.config, () => server.raftAddress ?? '?')),
      ],
    }),
  ]
}

/** DUPLICATE_NAME: two servers go by one node name, so gossip takes them for one that moves. */
export function duplicateName(facts: ClusterFacts): readonly Finding[] {
  const byName = new Map<string, ServerFacts[]>()
  for (const server of facts.servers) {
    if (server.nodeName !== undefined)
      byName.set(server.nodeName, [...(byName.get(server.nodeName) ?? []), server])
  }
  const doubles = [...byName].filter(([, servers]) => servers.length > 1)
  const told = journalMatches(facts, ['name-conflict'])
  if (doubles.length === 0 && told.length === 0) return []
  const hosts = doubles.flatMap(([, servers]) => servers)
  return [
    makeFinding({
      code: 'DUPLICATE_NAME',
      severity: 'error',
      summary:
        hosts.length > 0
          ? `${listWords(hosts.map(server => server.host))} use the same node name.`
          : 'A node name is used by two servers.',
      explanation: 'Gossip keeps members by name: the two take turns at being alive and failed.',
      evidence: [
        ...hosts.map(server => readingEvidence(server.server.config, () => server.nodeName ?? '?')),
        ...told.map(matchEvidence),
      ],
    }),
  ]
}

/** MIXED_IDS: some peers have ids, some addresses for ids, as halfway through an upgrade to Raft protocol 3. */
export function mixedIds(facts: ClusterFacts): readonly Finding[] {
  const peers = peersOf(facts)
  const old = peers.filter(peer => hasAddressId(peer))
  if (old.length === 0 || old.length === peers.length) return []
  return [
    makeFinding({
      code: 'MIXED_IDS',
      severity: 'warning',
      summary: `${old.length} of ${peers.length} peers still have their address for an id: ${listWords(old.map(peer => peerName(facts, peer)))}.`,
      explanation:
        'An upgrade to Raft protocol 3 was not finished. A recovery file must then carry ids as each server knows itself.',
      evidence: setEvidence(facts, old.map(peer => peer.id).join(', ')),
    }),
  ]
}

/** ID_MISMATCH: a peer set or a recovery file has another id for a server than it has itself. */
export function idMismatch(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const id = server.nodeId
    if (id === undefined) return []
    const inSet = (server.believed?.servers ?? []).filter(
      peer => !hasAddressId(peer) && matchesPeer(server, peer) === 'address',
    )
    const file = valueOf(server.server.peersFile)
    const here = (address: string): boolean =>
      address === server.raftAddress ||
      server.ownAddresses?.has(parseHostPort(address)?.host ?? address) === true
    const named = file?.dialect === 'objects' ? file.servers : []
    const inFile = named.some(entry => entry.id === id)
      ? []
      : named.filter(entry => entry.id !== '' && (here(entry.address) || entry.id.toLowerCase() === id))
    const wrong = [...inSet.map(peer => String(peer.id)), ...inFile.map(entry => entry.id)]
    if (wrong.length === 0) return []
    return [
      makeFinding({
        code: 'ID_MISMATCH',
        severity: 'error',
        on: server,
        summary: `${server.host} is named by the id ${wrong[0] ?? ''}, but its own is ${id}.`,
        explanation:
          'Ids are compared letter by letter, upper and lower case apart. A server that is named by another id is accepted without an error and never stands for election.',
        evidence: [
          readingEvidence(server.server.nodeId),
          ...(inSet.length === 0 || server.believedFrom === undefined
            ? []
            : [evidenceOf(server.believedFrom, wrong[0] ?? '')]),
          ...(inFile.length === 0
            ? []
            : [readingEvidence(server.server.peersFile, () => inFile[0]?.id ?? '')]),
        ],
        remedies: [
          remedy(
            'availability',
            'Write the peer set again with the id from the node-id file.',
            'A recovery can be repeated; nothing more is lost by it.',
            [quorateCommand(facts.context, 'peers', 'fix')],
          ),
        ],
        causes: ['SELF_NOT_IN_CONFIGURATION'],
      }),
    ]
  })
}
