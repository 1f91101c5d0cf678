import type {Finding} from '../../model/finding.js'
import {newestSnapshot} from '../../model/disk-state.js'
import {compareLogEnds} from '../../model/ids.js'
import {valueOf} from '../../model/reading.js'
import {stopCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {findServer} from '../facts.js'
import {
  evidenceOf,
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
} from '../findings.js'
import {divergentKeyWords, sideWords} from '../../verifying/contents-words.js'
import {relateLogs} from '../histories.js'
import type {LogRelation} from '../histories.js'
import type {ServerFacts} from '../server-facts.js'

/** Entries a follower may be behind before doctor speaks of it; a busy leader is a few hundred ahead. */
const LAG_MAX_ENTRIES = 1000

const holdingData = (facts: ClusterFacts): readonly ServerFacts[] =>
  facts.servers.filter(server => server.hasData === 'yes')

const endSource = (server: ServerFacts) =>
  server.running === 'yes' && server.server.api.self.kind === 'read'
    ? server.server.api.self.source
    : server.server.store.source
const endEvidence = (server: ServerFacts) =>
  evidenceOf(
    endSource(server),
    server.end === undefined ? '?' : `${server.host} ends at ${server.end.index} @ ${server.end.term}`,
  )

/** Pairs of servers with this relation between their logs. */
function pairs(facts: ClusterFacts, relation: LogRelation): readonly (readonly [ServerFacts, ServerFacts])[] {
  const servers = holdingData(facts)
  return servers.flatMap((a, at) =>
    servers.slice(at + 1).flatMap(b => (relateLogs(a, b) === relation ? [[a, b] as const] : [])),
  )
}

/** SEVERAL_HISTORIES: logs that were never one, so their positions cannot be compared. */
export function severalHistories(facts: ClusterFacts): readonly Finding[] {
  const foreign = pairs(facts, 'foreign')
  if (foreign.length === 0) return []
  const servers = [...new Set(foreign.flat())]
  return [
    makeFinding({
      code: 'SEVERAL_HISTORIES',
      severity: 'fatal',
      summary: `The logs of ${listWords(servers.map(server => server.host))} are not of one history.`,
      explanation:
        'Some server was bootstrapped anew or belongs to another cluster. A higher term or index of one history says nothing about the other. Which one is kept is your decision.',
      evidence: servers.map(endEvidence),
      remedies: [
        remedy(
          'nothing',
          'Look what each side holds before anything is started.',
          'Keep a copy of every data directory.',
        ),
      ],
      causes: ['PEER_SETS_DIFFER'],
    }),
  ]
}

/** DIVERGENT_TAIL: one history whose ends hold different entries. */
export function divergentTail(facts: ClusterFacts): readonly Finding[] {
  const forked = pairs(facts, 'forked')
  if (forked.length === 0) return []
  const servers = [...new Set(forked.flat())]
  const led = facts.leader.exists === 'yes'
  return [
    makeFinding({
      code: 'DIVERGENT_TAIL',
      severity: led ? 'warning' : 'error',
      summary: `The logs of ${listWords(servers.map(server => server.host))} hold different entries at the same index.`,
      explanation: led
        ? 'A leader cuts off the tail that was not committed.'
        : 'At most one of the tails was committed. A recovery file takes every entry it finds for committed, so it may name only one side; the other rejoins without its log.',
      evidence: servers.map(endEvidence),
    }),
  ]
}

/** STATE_DIVERGENT: servers have applied the same and hold different contents. */
export function stateDivergent(facts: ClusterFacts): readonly Finding[] {
  const {contents} = facts.fleet
  if (contents?.divergent === undefined) return []
  const {sides, keys, examples} = contents.divergent
  const readingOf = (host: string) => facts.servers.find(server => server.host === host)?.server.api.contents
  const keysOf = (host: string) => {
    const reading = readingOf(host)
    return reading === undefined ? undefined : valueOf(reading)?.keys
  }
  const [example] = examples
  return [
    makeFinding({
      code: 'STATE_DIVERGENT',
      severity: 'fatal',
      summary: `Servers hold different contents: ${keys} of ${contents.keys} keys up to index ${contents.upTo} differ for good: ${sideWords(sides, keysOf)}.`,
      explanation: `They follow one leader and one peer set and will differ for ever: Raft compares positions, not contents. It comes from two recoveries, or from new servers that bootstrapped beside the old.${example === undefined ? '' : ` For example, ${divergentKeyWords(example)}.`}`,
      evidence: contents.hosts.flatMap(host => {
        const reading = readingOf(host)
        if (reading === undefined) return []
        const differing = examples.map(divergentKeyWords).join('; ')
        return [
          readingEvidence(
            reading,
            value => `${value.keys} keys, sha256 ${value.sha256.slice(0, 12)}; ${differing}`,
          ),
        ]
      }),
      remedies: [
        remedy(
          'acknowledged-writes',
          'Keep one side and let the others rejoin blank.',
          'First export what only the other side holds; it is lost otherwise.',
        ),
      ],
    }),
  ]
}

/** LOG_GAP: entries between the newest snapshot and the log are missing, so the server cannot start. */
export function logGap(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const store = valueOf(server.server.store)
    const snapshots = valueOf(server.server.snapshots)
    if (store === undefined || snapshots === undefined || store.lastIndex === 0) return []
    const base = newestSnapshot(snapshots)?.index ?? 0
    const gaps = (store.gaps ?? []).filter(gap => gap.after > base + 1)
    const atStart = store.firstIndex > base + 1
    if (!atStart && gaps.length === 0) return []
    const [gap] = gaps
    return [
      makeFinding({
        code: 'LOG_GAP',
        severity: 'error',
        on: server,
        summary: atStart
          ? `The log of ${server.host} begins at ${store.firstIndex}, but its newest snapshot ends at ${base}.`
          : `The log of ${server.host} has a gap between ${gap?.before ?? '?'} and ${gap?.after ?? '?'}.`,
        explanation:
          'The entries between are gone; the server stops with "log not found" when it needs them. Rebuild it from another server.',
        evidence: [
          readingEvidence(server.server.store, value => `log ${value.firstIndex} to ${value.lastIndex}`),
          readingEvidence(server.server.snapshots, list => `${list.length} snapshots, newest at ${base}`),
        ],
        causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
      }),
    ]
  })
}

/** Where a server was in its log, each time that it was looked at: its store and its API are read at different moments. */
function positionsOf({server: {store, api}, end}: ServerFacts): readonly number[] {
  const told = [end?.index, valueOf(store)?.lastIndex, valueOf(api.self)?.raft?.lastLogIndex]
  return told.filter(index => index !== undefined)
}

/**
 * How far a server is behind the best one. Under a leader the logs grow while they are read: then it is how far it was
 * behind, at its latest, the place where the best one was at its earliest; and if only one of them was read in both
 * ways, nobody knows.
 */
function lagBehind(best: ServerFacts, server: ServerFacts, grows: boolean): number {
  const [ahead, behind] = [positionsOf(best), positionsOf(server)]
  if (!grows) return (best.end?.index ?? 0) - (server.end?.index ?? 0)
  return ahead.length === behind.length ? Math.min(...ahead) - Math.max(...behind) : 0
}

/** LOG_LAG: a server is far behind the best log. */
export function logLag(facts: ClusterFacts): readonly Finding[] {
  const known = holdingData(facts).flatMap(server =>
    server.end === undefined ? [] : [{server, end: server.end}],
  )
  const best = [...known].sort((a, b) => compareLogEnds(b.end, a.end))[0]?.server
  if (best === undefined) return []
  return known.flatMap(({server}) => {
    const grows = facts.leader.exists === 'yes' && server.running === 'yes'
    const lag = lagBehind(best, server, grows)
    const related = server === best ? 'same' : relateLogs(server, best)
    if (lag <= LAG_MAX_ENTRIES || related === 'foreign') return []
    return [
      makeFinding({
        code: 'LOG_LAG',
        severity: 'warning',
        on: server,
        summary: `${server.host} is ${lag} entries behind ${best.host}.`,
        explanation:
          facts.leader.exists === 'yes'
            ? 'The leader brings it up, by a snapshot if it no longer has the entries.'
            : 'It does not have what was written last and cannot be elected over a server that does.',
        evidence: [endEvidence(server), endEvidence(best)],
      }),
    ]
  })
}

/** BLANK_VOTER: a server without any log stands where the peer set has a voter. */
export function blankVoter(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['recovery-failed'], {current: true}).filter(found =>
    /no initial state/.test(found.match.text),
  )
  return facts.servers.flatMap(server => {
    const lines = told.filter(found => found.server === server)
    const voter = facts.voters.find(one => findServer(facts.servers, one.peer)?.server === server)
    const named = server.server.peersFile.kind === 'read' && !server.legacy
    const blank = server.hasData === 'no' && voter !== undefined
    if (!blank && lines.length === 0 && !(server.hasData === 'no' && named)) return []
    const running = server.running === 'yes'
    return [
      makeFinding({
        code: 'BLANK_VOTER',
        severity: facts.leader.exists === 'yes' ? 'warning' : 'error',
        on: server,
        summary: blank
          ? `${server.host} holds no log and stands in the peer set as a voter (${voter.peer.address}).`
          : `${server.host} was given a recovery file, but holds no log.`,
        explanation:
          'A blank server grants any vote, so a server that is behind can win with it and throw away what the others have. Keep it stopped until a leader is verified, then let it join.',
        evidence: [
          readingEvidence(server.server.store, value => `last index ${value.lastIndex}`),
          ...lines.map(matchEvidence),
        ],
        remedies:
          running && facts.leader.exists !== 'yes'
            ? [
                remedy(
                  'nothing',
                  `Stop ${server.host} until the others have a leader.`,
                  'It holds nothing.',
                  stopCommands(server.server),
                ),
              ]
            : [],
      }),
    ]
  })
}
