import type {Configuration} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {OpenRisk} from '../model/plan.js'
import {quorumSize} from '../model/quorum.js'
import {isAbsent, valueOf} from '../model/reading.js'
import type {Decision} from './recovery.js'
import type {Placed} from './recovery-phases.js'
import {targetName} from './select.js'

/** How the dead, who cannot be fenced, stand against the quorum of the peer set before (safety rule S2). */
export function deadArithmetic(before: Configuration, deadIds: ReadonlySet<string>): string {
  const all = voters(before)
  const dead = all.filter(server => deadIds.has(String(server.id))).length
  const quorum = quorumSize(all.length)
  const verdict =
    dead >= quorum
      ? `together they are a quorum (${quorum} of ${all.length}) and could elect a leader of their own if they return`
      : `${quorum} of ${all.length} would be a quorum, so by themselves they cannot elect a leader`
  return `${dead} of ${all.length} voters are dead and not fenced: ${verdict}.`
}

/** The risks that stay open in a recovery. */
export function recoveryRisks(parts: {
  readonly decision: Decision
  readonly after: Configuration
  readonly promoted: readonly string[]
  readonly hostNames: readonly string[]
}): readonly OpenRisk[] {
  const {decision, after} = parts
  const risks: OpenRisk[] = []
  const add = (code: OpenRisk['code'], text: string, mustAccept: boolean): void => {
    risks.push({code, text, mustAccept})
  }
  if (decision.data.lost === 'unknown')
    add('DATA_LOSS', decision.data.sentences.at(-1) ?? 'Committed entries may be lost.', true)
  const before = decision.before.configuration
  const deadIds = new Set(
    decision.declared.dead.flatMap(target => (target.peer === undefined ? [] : [String(target.peer.id)])),
  )
  const dead = voters(before).filter(server => deadIds.has(String(server.id))).length
  if (dead >= quorumSize(voters(before).length)) {
    const names = decision.declared.dead.map(targetName).join(', ')
    add('UNFENCED_MAJORITY', `${names}: ${deadArithmetic(before, deadIds)}`, true)
  }
  if (decision.strategy.kind === 'best-log-alone' && decision.strategy.conflicting.length > 0)
    add(
      'DIVERGENT_TAIL',
      `The entries at the end of ${decision.strategy.conflicting.join(' and ')} that the best log does not have are given up; their raft directories are kept, fenced.`,
      true,
    )
  if (parts.promoted.length > 0)
    add('NONVOTER_PROMOTION', `${parts.promoted.join(', ')} become voters.`, true)
  if (!decision.before.agreed) add('PEER_SET_UNKNOWN', decision.before.doubt, true)
  const unread = decision.setAside.filter(
    ({target}) => target.candidate?.reached === true && target.candidate.end === undefined,
  )
  if (unread.length > 0) {
    const names = unread.map(({target}) => targetName(target)).join(', ')
    add(
      'UNREAD_LOG',
      `The log of ${names} was not read; it may hold entries that the best log does not.`,
      true,
    )
  }
  if (parts.hostNames.length > 0)
    add(
      'HOST_NAMES',
      `${parts.hostNames.join(', ')}: a host name where the product expects an IP address.`,
      true,
    )
  const count = voters(after).length
  if (count < 3)
    add(
      'NO_FAULT_TOLERANCE',
      `${count} ${count === 1 ? 'voter' : 'voters'} afterwards: losing one loses the quorum.`,
      false,
    )
  return risks
}

/** What was checked when the plan was made, in sentences; apply checks it again. */
export function recoveryChecks(parts: {
  readonly decision: Decision
  readonly dialect: 'live-list' | 'list' | 'objects'
  readonly included: readonly Placed[]
}): readonly string[] {
  const {decision, included} = parts
  const checks: string[] = []
  const {configuration, agreed, doubt} = decision.before
  const index = configuration.index === undefined ? '' : `, written at index ${configuration.index}`
  if (!agreed) checks.push(`peer set: ${doubt}`)
  else if (decision.before.allLeft === true)
    checks.push('every live list is empty; the log names who was there, and each of them left with its log')
  else checks.push(`the servers agree on the peer set${index}`)
  checks.push(`strategy: ${decision.strategy.why}`)
  if (parts.dialect === 'live-list') checks.push('Consul up to 0.6: peers.json is the live list')
  else {
    const withInfo = included.filter(one => valueOf(one.candidate.seen.peersInfo) === true).length
    checks.push(
      withInfo === included.length
        ? 'raft/peers.info is there: without it peers.json is deleted unread'
        : 'raft/peers.info is missing somewhere and is created first: without it peers.json is deleted unread',
    )
    checks.push(
      parts.dialect === 'objects'
        ? 'Raft protocol 3: peers.json lists id, address and non_voter'
        : 'Raft protocol below 3: peers.json lists addresses',
    )
  }
  const trapped = included.filter(one => valueOf(one.candidate.seen.config)?.leaveOnTerminate === true)
  checks.push(
    trapped.length === 0
      ? 'no server is stopped in a way that makes it leave the cluster'
      : `leave_on_terminate is on at ${trapped.map(one => one.host.host).join(', ')}: killed instead of terminated`,
  )
  const left = included.filter(
    one => !isAbsent(one.candidate.seen.peersFile) && parts.dialect !== 'live-list',
  )
  const found = left.filter(one => one.candidate.seen.peersFile.kind === 'read')
  if (found.length > 0)
    checks.push(
      `a peers.json lies on ${found.map(one => one.host.host).join(', ')}: it is copied, then replaced`,
    )
  const moved = included.filter(
    one => one.candidate.peer !== undefined && String(one.candidate.peer.address) !== one.host.address,
  )
  for (const one of moved)
    checks.push(
      `${one.host.host} was ${one.candidate.peer?.address ?? '?'} and is ${one.host.address} in the file`,
    )
  return checks
}
