import {atLeast} from '../../codec/version.js'
import type {Evidence, Finding} from '../../model/finding.js'
import {valueOf} from '../../model/reading.js'
import {onHost, restartCommands, startCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {gossipViews, isDeaf} from '../facts.js'
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

const DAY_MS = 86_400_000
/** `server_rejoin_age_max` when it is not set (Consul 1.15 and newer). */
const REJOIN_AGE_DEFAULT_MS = 7 * DAY_MS

/** One server's value of a setting, with where it was read. */
interface Told<T> {
  readonly name: string
  readonly value: T
  readonly evidence: Evidence
}

/** Values of servers, each name once: what a host says of itself wins over what gossip says of it. */
function oncePerName<T>(told: readonly Told<T>[]): readonly Told<T>[] {
  return told.filter((one, at) => told.findIndex(other => other.name === one.name) === at)
}

/** Values by the names that have them, as `a and b: 3; c: 5`. */
function spread<T>(told: readonly Told<T>[]): string {
  const values = [...new Set(told.map(one => one.value))]
  return values
    .map(
      value => `${listWords(told.filter(one => one.value === value).map(one => one.name))}: ${String(value)}`,
    )
    .join('; ')
}

const differ = (told: readonly Told<unknown>[]): boolean => new Set(told.map(one => one.value)).size > 1
const nameOf = (server: ServerFacts): string => server.nodeName ?? server.host

/** VERSIONS_DIFFER: servers run different versions of the product. */
export function versionsDiffer(facts: ClusterFacts): readonly Finding[] {
  const told = facts.servers.flatMap((server): Told<string>[] => {
    const version = valueOf(server.server.version)
    return version === undefined
      ? []
      : [{name: nameOf(server), value: version, evidence: readingEvidence(server.server.version)}]
  })
  const newer = journalMatches(facts, ['old-log-type'])
  if (!differ(told) && newer.length === 0) return []
  return [
    makeFinding({
      code: 'VERSIONS_DIFFER',
      severity: newer.length > 0 ? 'error' : 'warning',
      summary:
        newer.length > 0
          ? `${listWords(serversOf(newer).map(nameOf))} met log entries of a newer version.`
          : `The servers run different versions: ${spread(told)}.`,
      explanation:
        newer.length > 0
          ? 'A downgraded server skips what it does not know, and its contents differ from then on.'
          : 'Fine for the time of an upgrade. Old and new disagree on peers.json dialects, leave defaults and log entries.',
      evidence: [...told.map(one => one.evidence), ...newer.map(matchEvidence)],
    }),
  ]
}

/** PROTOCOLS_DIFFER: servers speak different Raft protocols, so they read different peers.json dialects. */
export function protocolsDiffer(facts: ClusterFacts): readonly Finding[] {
  const own = facts.servers.flatMap((server): Told<number>[] => {
    const spoken = valueOf(server.server.api.self)?.raft?.protocolVersion
    if (spoken !== undefined)
      return [
        {
          name: nameOf(server),
          value: spoken,
          evidence: readingEvidence(server.server.api.self, () => `raft protocol ${spoken}`),
        },
      ]
    const set = valueOf(server.server.config)?.raftProtocol
    return set === undefined
      ? []
      : [
          {
            name: nameOf(server),
            value: set,
            evidence: readingEvidence(server.server.config, () => `raft_protocol ${set}`),
          },
        ]
  })
  const heard = gossipViews(facts).flatMap(view =>
    view.members
      .filter(member => member.server && member.raftProtocol !== undefined && member.status === 'alive')
      .map((member): Told<number> => ({
        name: member.name,
        value: member.raftProtocol ?? 0,
        evidence: evidenceOf(
          view.server.server.api.members.source,
          `${member.name}: raft_vsn ${member.raftProtocol ?? '?'}`,
        ),
      })),
  )
  const told = oncePerName([...own, ...heard])
  const refused = journalMatches(facts, ['protocol-refused'], {current: true})
  if (!differ(told) && refused.length === 0) return []
  return [
    makeFinding({
      code: 'PROTOCOLS_DIFFER',
      severity: refused.length > 0 ? 'error' : 'warning',
      summary: differ(told)
        ? `The servers speak different Raft protocols: ${spread(told)}.`
        : journalOnly(refused, 'refused to start with the Raft protocol that is configured.'),
      explanation:
        'Up to protocol 2 addresses are the ids, from 3 on node-ids are. One peers.json cannot fit both.',
      evidence: [...told.map(one => one.evidence), ...refused.map(matchEvidence)],
    }),
  ]
}

const journalOnly = (told: readonly ServerMatch[], words: string): string =>
  `${listWords(serversOf(told).map(nameOf))} ${words}`

/** EXPECT_DIFFERS: bootstrap_expect is not the same everywhere, or meets a server in bootstrap mode. */
export function expectDiffers(facts: ClusterFacts): readonly Finding[] {
  const own = facts.servers.flatMap((server): Told<number>[] => {
    const value = valueOf(server.server.config)?.bootstrapExpect
    return value === undefined || value === 0
      ? []
      : [
          {
            name: nameOf(server),
            value,
            evidence: readingEvidence(
              server.server.config,
              config => `bootstrap_expect ${value} in ${config.bootstrapSource ?? '?'}`,
            ),
          },
        ]
  })
  const heard = gossipViews(facts).flatMap(view =>
    view.members
      .filter(member => member.server && member.expect !== undefined && member.expect > 0)
      .map((member): Told<number> => ({
        name: member.name,
        value: member.expect ?? 0,
        evidence: evidenceOf(
          view.server.server.api.members.source,
          `${member.name}: expect ${member.expect ?? '?'}`,
        ),
      })),
  )
  const told = oncePerName([...own, ...heard])
  const lines = journalMatches(facts, ['expect-mismatch', 'expect-bootstrap'])
  if (!differ(told) && lines.length === 0) return []
  return [
    makeFinding({
      code: 'EXPECT_DIFFERS',
      severity: facts.leader.exists === 'yes' ? 'warning' : 'error',
      summary: differ(told)
        ? `bootstrap_expect differs: ${spread(told)}.`
        : journalOnly(lines, 'met a server whose bootstrap settings do not fit its own.'),
      explanation:
        'New servers bootstrap only when all expect the same number. On servers that hold data the setting has no effect.',
      evidence: [...told.map(one => one.evidence), ...lines.map(matchEvidence)],
    }),
  ]
}

/** SEVERAL_BOOTSTRAP: more than one server may found a cluster by itself. */
export function severalBootstrap(facts: ClusterFacts): readonly Finding[] {
  const own = facts.servers.flatMap((server): Told<true>[] =>
    valueOf(server.server.config)?.bootstrap === true
      ? [
          {
            name: nameOf(server),
            value: true,
            evidence: readingEvidence(
              server.server.config,
              config => `bootstrap in ${config.bootstrapSource ?? '?'}`,
            ),
          },
        ]
      : [],
  )
  const heard = gossipViews(facts).flatMap(view =>
    view.members
      .filter(member => member.server && member.bootstrap)
      .map((member): Told<true> => ({
        name: member.name,
        value: true,
        evidence: evidenceOf(view.server.server.api.members.source, `${member.name}: bootstrap`),
      })),
  )
  const told = oncePerName([...own, ...heard])
  const lines = journalMatches(facts, ['two-bootstrap'])
  if (told.length < 2 && lines.length === 0) return []
  return [
    makeFinding({
      code: 'SEVERAL_BOOTSTRAP',
      severity: 'error',
      summary:
        told.length > 1
          ? `${listWords(told.map(one => one.name))} are all in bootstrap mode.`
          : journalOnly(lines, 'met another server in bootstrap mode.'),
      explanation:
        'Each may elect itself and found a cluster of its own beside the other. One must be chosen; the other rejoins blank.',
      evidence: [...told.map(one => one.evidence), ...lines.map(matchEvidence)],
      causes: ['SEVERAL_HISTORIES', 'TWO_LEADERS'],
    }),
  ]
}

/** BOOTSTRAP_LEFTOVER: a server of a larger peer set may still elect itself. */
export function bootstrapLeftover(facts: ClusterFacts): readonly Finding[] {
  if (facts.voters.length < 2) return []
  return facts.servers.flatMap(server => {
    const config = valueOf(server.server.config)
    if (config === undefined || !(config.bootstrap === true || config.bootstrapExpect === 1)) return []
    const setting = config.bootstrap === true ? 'bootstrap' : 'bootstrap_expect=1'
    return [
      makeFinding({
        code: 'BOOTSTRAP_LEFTOVER',
        severity: server.legacy ? 'error' : 'warning',
        on: server,
        summary: `${server.host} is set to ${setting} (${config.bootstrapSource ?? 'source unknown'}) and is one of ${facts.voters.length} voters.`,
        explanation: server.legacy
          ? 'Up to Consul 0.6 such a server elects itself at a restart, whatever data it holds.'
          : 'Without effect while it holds data; with an empty data directory it founds a new cluster of its own.',
        evidence: [
          readingEvidence(server.server.config, () => `${setting} in ${config.bootstrapSource ?? '?'}`),
        ],
        remedies: [
          remedy(
            'nothing',
            `Take ${setting} out of the settings of ${server.host}.`,
            'No restart is needed for it now.',
          ),
        ],
        causes: server.legacy ? ['SEVERAL_HISTORIES', 'TWO_LEADERS'] : [],
      }),
    ]
  })
}

function rejoinRefused(server: ServerFacts, lines: readonly ServerMatch[]): Finding {
  return makeFinding({
    code: 'REJOIN_AGE',
    severity: 'error',
    on: server,
    summary: `${server.host} refused to start because it was away for too long.`,
    explanation: 'Setting its server_metadata.json aside is enough; the data need not be wiped.',
    evidence: lines.map(matchEvidence),
    causes: ['SERVICE_FAILED', 'RESTART_LOOP'],
  })
}

const serves = (server: ServerFacts): boolean => server.running === 'yes' && !isDeaf(server)

/** REJOIN_AGE: Consul from 1.15 on refuses to start when it was last alive too long ago, or in the future. */
export function rejoinAge(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['rejoin-refused'], {current: true})
  return facts.servers.flatMap(server => {
    const lines = told.filter(found => found.server === server && !serves(server))
    const seenUnix = valueOf(server.server.lastSeenUnix)
    if (seenUnix === undefined) return lines.length === 0 ? [] : [rejoinRefused(server, lines)]
    if (serves(server)) return []
    if (atLeast(valueOf(server.server.version), '1.15.0') === false) return []
    const config = valueOf(server.server.config)
    // Without its settings the limit is not known.
    if (config === undefined && lines.length === 0) return []
    const limitMs = config?.rejoinAgeMaxMs ?? REJOIN_AGE_DEFAULT_MS
    const hostNowMs = facts.context.nowMs + (valueOf(server.server.clockOffsetMs) ?? 0)
    const ageMs = hostNowMs - seenUnix * 1000
    if (ageMs <= limitMs && ageMs >= -DAY_MS && lines.length === 0) return []
    const path = server.server.lastSeenUnix.source.what
    return [
      makeFinding({
        code: 'REJOIN_AGE',
        severity: 'error',
        on: server,
        summary:
          ageMs < 0
            ? `${server.host} was last alive in the future, says its server_metadata.json.`
            : `${server.host} was last alive ${Math.floor(ageMs / DAY_MS)} days ago and refuses to start after ${Math.floor(limitMs / DAY_MS)}.`,
        explanation:
          'The message of Consul suggests to wipe the data; that is not needed. Setting that one file aside is enough.',
        evidence: [readingEvidence(server.server.lastSeenUnix), ...lines.map(matchEvidence)],
        remedies: [
          remedy(
            'nothing',
            `Set server_metadata.json of ${server.host} aside, then start it.`,
            'The data stays as it is.',
            [
              onHost(server.server, 'mv', path, `${path}.aside`),
              ...(server.running === 'yes' ? restartCommands(server.server) : startCommands(server.server)),
            ],
          ),
        ],
        causes: ['SERVICE_FAILED', 'RESTART_LOOP', 'QUORUM_LOST', 'NO_LEADER'],
      }),
    ]
  })
}
