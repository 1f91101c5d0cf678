import type {Configuration} from '../../model/configuration.js'
import type {Finding} from '../../model/finding.js'
import {valueOf} from '../../model/reading.js'
import {quorateCommand, startCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
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
import {effectiveSet, groupBeliefs, mayElectItself} from '../peer-set.js'
import type {ServerFacts} from '../server-facts.js'
import {hasAddressId, matchesPeer} from '../server-facts.js'

const showSet = (set: Configuration): string =>
  `${set.servers.map(peer => (peer.suffrage === 'nonvoter' ? `${peer.address} (nonvoter)` : peer.address)).join(', ')}${set.index === undefined ? '' : ` @ ${set.index}`}`

/** Whether a server's set is only older: its log ends before the entry that set the other. */
function isOnlyBehind(server: ServerFacts, best: Configuration): boolean {
  return (
    !server.legacy && server.end !== undefined && best.index !== undefined && server.end.index < best.index
  )
}

/** PEER_SETS_DIFFER: servers count by different peer sets. */
export function peerSetsDiffer(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['peer-lacks-us'], {current: true})
  const best = facts.peerSet?.configuration
  const led = facts.leader.exists === 'yes'
  const groups = groupBeliefs(facts.servers)
    .map(group => ({
      ...group,
      believers: group.believers.filter(
        server => group.configuration === best || !(led && best !== undefined && isOnlyBehind(server, best)),
      ),
    }))
    .filter(group => group.believers.length > 0)
  if (groups.length < 2 && told.length === 0) return []
  const stale =
    best !== undefined &&
    groups.every(
      group => group.configuration === best || group.believers.every(one => isOnlyBehind(one, best)),
    )
  const sides = groups.map(group => listWords(group.believers.map(one => one.host)))
  return [
    makeFinding({
      code: 'PEER_SETS_DIFFER',
      severity: stale && groups.length > 1 ? 'warning' : 'error',
      summary:
        groups.length > 1
          ? `The servers believe in ${groups.length} different peer sets: ${sides.join(' | ')}.`
          : `${listWords(serversOf(told).map(one => one.host))} met a peer that does not have it in its peer set.`,
      explanation: stale
        ? 'The others only lack the newest membership entry; a leader brings it to them.'
        : 'Each server counts its quorum by its own set, so two sides may each elect a leader. Which set holds is decided by a leader that a quorum follows, or by you.',
      evidence: [
        ...groups.flatMap(group =>
          group.believers.flatMap(server =>
            server.believedFrom === undefined
              ? []
              : [evidenceOf(server.believedFrom, showSet(group.configuration))],
          ),
        ),
        ...told.map(matchEvidence),
      ],
      remedies: [
        remedy('nothing', 'Compare the sets side by side before anything is changed.', 'Changes nothing.', [
          quorateCommand(facts.context, 'peers', 'list'),
        ]),
      ],
      causes: stale ? [] : ['NO_LEADER'],
    }),
  ]
}

/** Whether a server that holds data, or runs without a leader, has nobody to hold an election with. */
function hasEmptySet(server: ServerFacts): boolean {
  const peers = server.believed?.servers
  if (peers === undefined) return false
  if (server.hasData !== 'yes' && !(server.hasData === 'unknown' && server.names === '')) return false
  const alone = server.legacy && peers.every(peer => matchesPeer(server, peer) === 'id')
  return (peers.length === 0 && !server.legacy) || (alone && mayElectItself(server) !== 'yes')
}

/** PEER_SET_EMPTY: a server with data knows no peers, the mark of a graceful leave of Consul up to 0.6. */
export function peerSetEmpty(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['no-peers-old', 'no-peers'], {current: true})
  const concerned = [...new Set([...facts.servers.filter(hasEmptySet), ...serversOf(told)])]
  return concerned.flatMap(server => {
    // A journal line speaks of an earlier start when the set that is there now says otherwise.
    if (server.believed !== undefined && !hasEmptySet(server)) return []
    const match = told.find(found => found.server === server)
    const left = valueOf(server.server.serfSnapshot)?.left
    const alone = facts.peerSet !== undefined && facts.leader.exists === 'yes'
    if (alone && facts.leader.server === server) return []
    return [
      makeFinding({
        code: 'PEER_SET_EMPTY',
        severity: alone ? 'warning' : 'error',
        on: server,
        summary: `${server.host} knows no peers but itself${left === true ? ': it left gracefully' : ''}, so it never stands for election.`,
        explanation:
          server.legacy || match?.match.signature === 'no-peers-old'
            ? 'Consul up to 0.6 writes null into peers.json when it leaves. The log still holds the data; a server with an empty list waits for ever.'
            : 'A server without a peer set was never bootstrapped, left, or lost its data directory.',
        evidence: [
          ...(server.believedFrom === undefined
            ? []
            : [evidenceOf(server.believedFrom, server.legacy ? peersText(server) : 'no servers')]),
          ...(match === undefined ? [] : [matchEvidence(match)]),
        ],
        remedies: alone
          ? [
              remedy(
                'nothing',
                `Join ${server.host} to the servers that have a leader.`,
                'It is taken in again as a new peer.',
              ),
            ]
          : [
              remedy(
                'availability',
                'Write the same peer list on all servers that hold the data, with all of them stopped.',
                'Nothing is lost when all of them are named; the plan orders stop, write and start.',
                [quorateCommand(facts.context, 'peers', 'fix')],
              ),
            ],
        causes: ['NO_LEADER'],
      }),
    ]
  })
}

function peersText(server: ServerFacts): string {
  const file = valueOf(server.server.peersFile)
  return file === undefined ? 'no peers.json' : file.text.trim() === '' ? 'no bytes' : file.text.trim()
}

/** Whether a set holds this server and nobody else. */
function isAlone(server: ServerFacts): boolean {
  const peers = server.believed?.servers
  const [only] = peers ?? []
  return peers?.length === 1 && only !== undefined && matchesPeer(server, only) === 'id'
}

/** The largest peer set in a server's log that names more than itself. */
function formerSet(server: ServerFacts): Configuration | undefined {
  const entries = valueOf(server.server.store)?.configurations ?? []
  return entries
    .map(entry => entry.configuration)
    .filter(set => set.servers.length > 1)
    .at(-1)
}

/** LAST_LEAVER_ALONE: the servers left one after the other, and the last holds a set of itself alone. */
export function lastLeaverAlone(facts: ClusterFacts): readonly Finding[] {
  if (facts.leader.exists === 'yes') return []
  return facts.servers.flatMap(server => {
    const former = formerSet(server)
    if (!isAlone(server) || former === undefined) return []
    return [
      makeFinding({
        code: 'LAST_LEAVER_ALONE',
        severity: 'error',
        on: server,
        summary: `${server.host} holds a peer set of itself alone; its log names ${former.servers.length} servers before.`,
        explanation: server.legacy
          ? 'Consul up to 0.6 holds no election when its list names only itself; it needs bootstrap_expect=1 for one start, or the full list on all servers.'
          : 'After all servers left gracefully the last one keeps itself. Started, it leads by itself, and the others join it: no recovery file is needed.',
        evidence: [
          ...(server.believedFrom === undefined || server.believed === undefined
            ? []
            : [evidenceOf(server.believedFrom, showSet(server.believed))]),
          evidenceOf(server.server.store.source, `before: ${showSet(former)}`),
        ],
        remedies: server.legacy
          ? [
              remedy(
                'availability',
                'Write the full list on all servers that hold the data.',
                'The plan orders stop, write and start.',
                [quorateCommand(facts.context, 'peers', 'fix')],
              ),
            ]
          : [
              remedy(
                'nothing',
                `Start ${server.host}, let it lead, then start the others and join them to it.`,
                'Changes no Raft state by hand. Nothing can be lost.',
                startCommands(server.server),
              ),
            ],
        causes: ['NO_LEADER', 'PEER_SETS_DIFFER'],
      }),
    ]
  })
}

/** Whether a server is certainly not named in the set it believes in. */
function isOutside(server: ServerFacts): boolean {
  const peers = server.believed?.servers ?? []
  if (peers.length === 0) return false
  const matches = peers.map(peer => matchesPeer(server, peer))
  if (matches.some(one => one === 'id' || one === 'unknown')) return false
  // With ids of their own a foreign id at our address is another identity; without them the address is the id.
  return peers.every(peer => hasAddressId(peer)) || server.nodeId !== undefined
}

/** Whether a recovery file waits for this server that does not name it as it knows itself. */
function fileOmits(server: ServerFacts): boolean {
  const file = valueOf(server.server.peersFile)
  if (file === undefined || server.legacy || file.servers.length === 0) return false
  const own =
    file.dialect === 'objects' ? server.nodeId : file.dialect === 'list' ? server.raftAddress : undefined
  return own !== undefined && !file.servers.some(entry => entry.id === own)
}

function omittedByFile(facts: ClusterFacts, server: ServerFacts): Finding {
  return makeFinding({
    code: 'SELF_NOT_IN_CONFIGURATION',
    severity: 'error',
    on: server,
    summary: `The peers.json that waits on ${server.host} does not name it as it knows itself.`,
    explanation: 'It takes the file without an error and then never stands for election.',
    evidence: [
      readingEvidence(server.server.peersFile, file => file.text),
      ...(server.nodeId === undefined ? [] : [readingEvidence(server.server.nodeId)]),
    ],
    remedies: [
      remedy(
        'availability',
        'Let quorate plan the file.',
        'The plan takes ids and addresses from the servers.',
        [quorateCommand(facts.context, 'peers', 'fix')],
      ),
    ],
  })
}

/** SELF_NOT_IN_CONFIGURATION: a server is no peer in its own peer set, or in the one it is about to take. */
export function selfNotInConfiguration(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['not-in-config'], {current: true})
  const omitted = facts.servers.filter(fileOmits)
  const concerned = [...new Set([...facts.servers.filter(isOutside), ...omitted, ...serversOf(told)])]
  return concerned.flatMap(server => {
    if (!isOutside(server) && omitted.includes(server)) return [omittedByFile(facts, server)]
    const match = told.find(found => found.server === server)
    const set = effectiveSet(server)
    const left = valueOf(server.server.serfSnapshot)?.left === true
    if (!isOutside(server) && set !== undefined && !server.legacy && server.running === 'no') return []
    return [
      makeFinding({
        code: 'SELF_NOT_IN_CONFIGURATION',
        severity: server.legacy || left ? 'info' : 'error',
        on: server,
        summary: `${server.host} is not in its own peer set${left ? ': it left gracefully' : ''}.`,
        explanation: server.legacy
          ? 'Legal up to Consul 0.6: a server counts itself in any case.'
          : 'It never stands for election. It was removed, or the set names it by another id or address.',
        evidence: [
          ...(server.believedFrom === undefined || server.believed === undefined
            ? []
            : [evidenceOf(server.believedFrom, showSet(server.believed))]),
          ...(server.nodeId === undefined ? [] : [readingEvidence(server.server.nodeId)]),
          ...(match === undefined ? [] : [matchEvidence(match)]),
        ],
        remedies:
          server.legacy || left || facts.leader.exists === 'yes'
            ? []
            : [
                remedy(
                  'availability',
                  'Plan a peer set that names this server as it knows itself.',
                  'The plan takes ids from node-id.',
                  [quorateCommand(facts.context, 'peers', 'fix')],
                ),
              ],
        causes: server.legacy || left ? [] : ['NO_LEADER'],
      }),
    ]
  })
}
