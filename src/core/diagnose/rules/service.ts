import type {Finding} from '../../model/finding.js'
import type {ServerConfig, Service} from '../../model/observation.js'
import {valueOf} from '../../model/reading.js'
import {onHost, startCommands} from '../commands.js'
import type {ClusterFacts} from '../facts.js'
import {gossipViews} from '../facts.js'
import {
  journalMatches,
  listWords,
  makeFinding,
  matchEvidence,
  readingEvidence,
  remedy,
  serversOf,
} from '../findings.js'
import type {ServerFacts} from '../server-facts.js'

const CLOCK_SKEW_MAX_MS = 5_000
const RESTARTS_MAX = 3

/** How a stop of this service would make the server leave the cluster; undefined when it would not. */
function leaveTrap(
  server: ServerFacts,
  service: Service | undefined,
  config: ServerConfig | undefined,
): string | undefined {
  const stop = service?.execStop.join(' ') ?? ''
  if (/\bleave\b/.test(stop)) return `its stop command is "${stop}"`
  const signal = service?.killSignal ?? 'SIGTERM'
  const interrupts = signal === 'SIGINT' || signal === '2'
  // Up to Consul 0.6 an interrupt makes servers leave unless told otherwise; from 0.7 on only when told to.
  const leavesOnInterrupt = server.legacy
    ? config?.skipLeaveOnInterrupt !== true
    : config?.skipLeaveOnInterrupt === false
  if (interrupts && config !== undefined && leavesOnInterrupt)
    return 'its service manager stops it with SIGINT, which makes it leave'
  if (!interrupts && config?.leaveOnTerminate === true) return 'leave_on_terminate is set'
  return undefined
}

/** LEAVE_TRAP: an ordinary stop takes the server out of the peer set. */
export function leaveTraps(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const service = valueOf(server.server.service)
    const config = valueOf(server.server.config)
    const trap = leaveTrap(server, service, config)
    if (trap === undefined) return []
    return [
      makeFinding({
        code: 'LEAVE_TRAP',
        severity: 'warning',
        on: server,
        summary: `Stopping ${server.host} makes it leave the cluster: ${trap}.`,
        explanation: server.legacy
          ? 'It empties its own peer list on the way. When all servers are stopped so, none can come back by itself.'
          : 'Each stop shrinks the peer set. Do not stop it by its service manager while a quorum matters.',
        evidence: [
          readingEvidence(
            server.server.service,
            one => `KillSignal ${one.killSignal ?? '?'}, ExecStop ${one.execStop.join(' ') || 'none'}`,
          ),
          readingEvidence(
            server.server.config,
            one =>
              `leave_on_terminate ${one.leaveOnTerminate ?? 'unset'}, skip_leave_on_interrupt ${one.skipLeaveOnInterrupt ?? 'unset'}`,
          ),
        ],
      }),
    ]
  })
}

/** RESTART_LOOP: the service manager starts the server again and again. */
export function restartLoop(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const service = valueOf(server.server.service)
    if (service === undefined) return []
    const gaveUp = service.result === 'start-limit-hit' || service.result === 'start-limit'
    const often = (service.restarts ?? 0) >= RESTARTS_MAX && service.state !== 'stopped'
    if (!gaveUp && !often && service.state !== 'restarting') return []
    return [
      makeFinding({
        code: 'RESTART_LOOP',
        severity: service.state === 'running' ? 'warning' : 'error',
        on: server,
        summary: gaveUp
          ? `${service.unit} on ${server.host} failed so often that its service manager gave up.`
          : `${service.unit} on ${server.host} was restarted ${service.restarts ?? 'several'} times.`,
        explanation: 'Each start fails for the same reason; the last lines of its journal name it.',
        evidence: [
          readingEvidence(
            server.server.service,
            one => `${one.state}, ${one.restarts ?? '?'} restarts, result ${one.result ?? '?'}`,
          ),
        ],
        remedies:
          gaveUp && service.manager === 'systemd'
            ? [
                remedy(
                  'nothing',
                  `Clear the start limit of ${server.host} once the reason is gone.`,
                  'Changes no Raft state.',
                  [
                    onHost(server.server, 'systemctl', 'reset-failed', service.unit),
                    onHost(server.server, 'systemctl', 'start', service.unit),
                  ],
                ),
              ]
            : [],
        causes: ['SERVICE_FAILED', 'TRANSIENT_LOSS', 'QUORUM_LOST'],
      }),
    ]
  })
}

/** SERVICE_FAILED: a server is not running, because its service failed or was stopped. */
export function serviceFailed(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const service = valueOf(server.server.service)
    if (server.running !== 'no' || service === undefined) return []
    const failed = service.state === 'failed'
    const voter = facts.voters.some(one => one.server === server)
    // Where nobody knows a peer, a server with an empty peer set would only wait.
    const hopeless = facts.arithmetic === undefined && server.believed?.servers.length === 0
    const how = failed
      ? `failed${service.exitCode === undefined ? '' : ` with status ${service.exitCode}`}`
      : 'is stopped'
    return [
      makeFinding({
        code: 'SERVICE_FAILED',
        severity: voter ? 'error' : 'warning',
        on: server,
        summary: `${service.unit} on ${server.host} ${how}.`,
        explanation: failed
          ? 'A server that is stopped while there is no leader ends with status 1 as well; that alone is no damage.'
          : 'Somebody or something stopped it; it does not come back by itself.',
        evidence: [
          readingEvidence(server.server.service, one => `${one.state}, result ${one.result ?? '?'}`),
        ],
        remedies: [
          remedy(
            'nothing',
            `Start ${server.host}.`,
            'Changes no Raft state. Nothing can be lost.',
            startCommands(server.server),
          ),
        ].filter(one => one.commands.length > 0 && server.startable === 'yes' && !hopeless),
        causes: ['TRANSIENT_LOSS', 'QUORUM_LOST', 'QUORUM_AT_RISK', 'FAILED_MEMBER_VOTES'],
      }),
    ]
  })
}

/** What gossip says of a host that did not answer us. */
function gossipWord(facts: ClusterFacts, server: ServerFacts): string {
  for (const view of gossipViews(facts)) {
    const member = view.members.find(
      one =>
        one.name === server.nodeName || one.name === server.host || one.address === server.server.address,
    )
    if (member !== undefined) return ` ${view.server.host} has it as ${member.status} in gossip.`
  }
  return ''
}

/** UNREACHABLE: a host was not reached. That is no sign that its server is dead. */
export function unreachable(facts: ClusterFacts): readonly Finding[] {
  return facts.servers.flatMap(server => {
    const {reached} = server.server
    if (reached.kind === 'read' || reached.why === 'not-asked') return []
    const refused = reached.why === 'denied'
    const detail = reached.detail === undefined ? '' : `: ${reached.detail.replace(/[.\s]+$/, '')}`
    // A host of the fleet whose server is no peer of a cluster that is led: what it holds is nobody's loss.
    const outside = facts.leader.exists === 'yes' && !facts.voters.some(one => one.server === server)
    return [
      makeFinding({
        code: 'UNREACHABLE',
        severity: outside ? 'warning' : 'error',
        on: server,
        summary: refused
          ? `${server.host} does not let us in${detail}.`
          : `${server.host} does not answer (${reached.why})${detail}.`,
        explanation: `It may be gone, or only cut off from here.${gossipWord(facts, server)}`,
        evidence: [readingEvidence(reached)],
        causes: ['QUORUM_LOST', 'FAILED_MEMBER_VOTES'],
      }),
    ]
  })
}

/** CLOCK_SKEW: the clocks of the hosts are apart. */
export function clockSkew(facts: ClusterFacts): readonly Finding[] {
  const known = facts.servers.flatMap(server => {
    const offsetMs = valueOf(server.server.clockOffsetMs)
    return offsetMs === undefined ? [] : [{server, offsetMs}]
  })
  const offsets = known.map(one => one.offsetMs)
  const sorted = [...offsets].sort((a, b) => a - b)
  const middle = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
  const spreadMs = (sorted.at(-1) ?? 0) - (sorted[0] ?? 0)
  const off = known.filter(one => Math.abs(one.offsetMs - middle) > CLOCK_SKEW_MAX_MS)
  const ours = known.length > 0 && Math.abs(middle) > CLOCK_SKEW_MAX_MS
  if (spreadMs <= CLOCK_SKEW_MAX_MS && !ours) return []
  const concerned = off.length > 0 ? off : known
  return [
    makeFinding({
      code: 'CLOCK_SKEW',
      severity: 'warning',
      summary:
        spreadMs > CLOCK_SKEW_MAX_MS
          ? `The clocks of the servers are ${Math.round(spreadMs / 1000)} s apart: ${listWords(concerned.map(one => `${one.server.host} ${one.offsetMs > 0 ? '+' : ''}${Math.round(one.offsetMs / 1000)} s`))}.`
          : `The clocks of all servers are ${Math.round(Math.abs(middle) / 1000)} s off ours.`,
      explanation:
        'Raft does not mind, but certificates, tokens, the rejoin age and the times in journals do.',
      evidence: known.map(one => readingEvidence(one.server.server.clockOffsetMs, ms => `${ms} ms`)),
    }),
  ]
}

/** TLS_FAILS: servers refuse each other over certificates. */
export function tlsFails(facts: ClusterFacts): readonly Finding[] {
  const told = journalMatches(facts, ['tls-refused'], {current: true})
  if (told.length === 0) return []
  return [
    makeFinding({
      code: 'TLS_FAILS',
      severity: 'error',
      summary: `${listWords(serversOf(told).map(server => server.host))} cannot talk to the others: TLS fails.`,
      explanation:
        'An expired certificate, another CA or a wrong name looks like a lost quorum. peers.json does not cure it.',
      evidence: told.map(matchEvidence),
      remedies: [remedy('nothing', 'Renew or correct the certificates.', 'Changes no Raft state.')],
      causes: ['NO_LEADER', 'TRANSIENT_LOSS', 'FAILED_MEMBER_VOTES', 'TERM_RUNAWAY'],
    }),
  ]
}
