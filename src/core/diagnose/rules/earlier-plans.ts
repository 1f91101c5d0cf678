import type {Server} from '../../model/configuration.js'
import type {Finding} from '../../model/finding.js'
import {serverAddress, serverId} from '../../model/ids.js'
import type {ExcludedRecord, Trace} from '../../model/observation.js'
import {valueOf} from '../../model/reading.js'
import {onHost} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {findServer} from '../facts.js'
import {evidenceOf, listWords, makeFinding, remedy} from '../findings.js'
import {relateLogs} from '../histories.js'
import type {ServerFacts} from '../server-facts.js'
import {matchesPeer} from '../server-facts.js'

const tracesOf = (server: ServerFacts, kind: Trace['kind']): readonly Trace[] =>
  (valueOf(server.server.traces) ?? []).filter(trace => trace.kind === kind)

/** FENCED_SERVER: an earlier plan of ours set this server aside. */
export function fencedServer(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const traces = tracesOf(server, 'fenced')
    const [trace] = traces
    if (trace === undefined) return []
    // Its old data lie aside: a peer of the present set runs on what it was sent since it joined again.
    const rejoined = server.running === 'yes' && facts.voters.some(one => one.server === server)
    const astray = server.running === 'yes' && !rejoined
    return [
      makeFinding({
        code: 'FENCED_SERVER',
        severity: astray ? 'error' : 'info',
        on: server,
        summary: `${server.host} was set aside by plan ${trace.plan}${astray ? ', and yet it runs' : rejoined ? ' and has joined again' : ''}.`,
        explanation: rejoined
          ? 'Its old data are kept where the plan put them, and nothing reads them. Delete them when they are of no more use.'
          : 'Its old data must not start beside the recovered servers. It may join again blank.',
        evidence: traces.map(one => evidenceOf(server.server.traces.source, one.path)),
      }),
    ]
  })
}

interface Held {
  readonly server: ServerFacts
  readonly trace: Trace
}

/** The records of excluded servers by plan, with every host that holds one. */
function recordsByPlan(facts: ClusterFacts): ReadonlyMap<string, readonly Held[]> {
  const plans = new Map<string, Held[]>()
  for (const server of facts.servers)
    for (const trace of tracesOf(server, 'excluded'))
      plans.set(trace.plan, [...(plans.get(trace.plan) ?? []), {server, trace}])
  return plans
}

type ExcludedServer = ExcludedRecord['servers'][number]

function excludedServers(held: readonly Held[]): readonly ExcludedServer[] {
  const all = held.flatMap(({trace}) => trace.excluded?.servers ?? [])
  return all.filter(
    (one, at) => all.findIndex(other => other.id === one.id && other.address === one.address) === at,
  )
}

/**
 * Whether an excluded server is known to be no danger any more: it was reached and is blank, or fenced, or it is a
 * member again that believes in the present peer set and holds the present history. Not knowing is not enough.
 */
function isHarmless(facts: ClusterFacts, excluded: ExcludedServer): boolean {
  const peer: Server = {
    id: serverId(excluded.id),
    address: serverAddress(excluded.address),
    suffrage: 'voter',
  }
  const server = findServer(facts.servers, peer)?.server
  if (server?.server.reached.kind !== 'read') return false
  if (server.hasData === 'no') return true
  if (server.hasData !== 'yes' && tracesOf(server, 'fenced').length > 0) return true
  return isPresentMember(facts, server)
}

function isPresentMember({peerSet}: ClusterFacts, server: ServerFacts): boolean {
  if (peerSet === undefined || !peerSet.believers.includes(server)) return false
  const named = peerSet.configuration.servers.some(peer =>
    ['id', 'address'].includes(matchesPeer(server, peer)),
  )
  const relations = peerSet.believers.filter(one => one !== server).map(one => relateLogs(server, one))
  const apart = relations.some(relation => relation === 'foreign' || relation === 'forked')
  return named && relations.includes('same') && !apart
}

const nameOf = ({name, address}: ExcludedServer): string =>
  name === undefined ? address : `${name} (${address})`

/** UNFENCED_EXCLUDED: a plan excluded servers that could not be fenced, and they may come back with their old data. */
export function unfencedExcluded(facts: ClusterFacts): readonly Finding[] {
  return [...recordsByPlan(facts)].flatMap(([plan, held]) => {
    const excluded = excludedServers(held)
    const standing = excluded.filter(one => !isHarmless(facts, one))
    // A record that cannot be read names nobody, so that nobody is known to be harmless
    if (standing.length === 0 && excluded.length > 0) return []
    const names =
      standing.length > 0 ? listWords(standing.map(nameOf)) : 'servers that its record does not name legibly'
    const others =
      standing.length > 0 && standing.length < excluded.length
        ? ` Of the ${excluded.length} it excluded the others are no danger any more.`
        : ''
    const arithmetic = held.find(({trace}) => trace.excluded !== undefined)?.trace.excluded?.arithmetic ?? ''
    return [
      makeFinding({
        code: 'UNFENCED_EXCLUDED',
        severity: 'warning',
        summary: `Plan ${plan} excluded ${names} without a fence: out of reach then, and not known to be harmless now.`,
        explanation:
          `${arithmetic}${others} With its old data each still holds the old peer set; enough of them can elect a leader of their own.`.trim(),
        evidence: held.map(({server, trace}) => evidenceOf(server.server.traces.source, trace.path)),
        remedies: [
          remedy(
            'nothing',
            `Destroy ${names}, or wipe the raft directory before the server may start.`,
            'Once that is done, these lines clear the record; until then doctor goes on reporting it.',
            held.map(({server, trace}) => onHost(server.server, 'rm', trace.path)),
          ),
        ],
        causes: ['TWO_LEADERS'],
      }),
    ]
  })
}
