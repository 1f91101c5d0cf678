import {noLogSentences} from '../model/log-words.js'
import {isIpAddress} from '../codec/address.js'
import type {Configuration, Server} from '../model/configuration.js'
import {voters} from '../model/configuration.js'
import type {LogEnd} from '../model/ids.js'
import {compareLogEnds} from '../model/ids.js'
import type {DataStatement, MilderWay, OpenRisk, PeersFixIntent, Plan, PlanResult} from '../model/plan.js'
import {quorumSize} from '../model/quorum.js'
import {assemble} from './assemble.js'
import type {PlanContext} from './context.js'
import {dataStatement} from './data-statement.js'
import type {Declared} from './declare.js'
import {checkAccounted, declare} from './declare.js'
import {excludedOf} from './excluded.js'
import {historiesOf, relationOf} from './histories.js'
import {checkActable, checkUnmasked, checkWritable, deadHost, planHost} from './hosts.js'
import type {PeerSetBefore} from './peer-sets.js'
import {peerSetBefore} from './peer-sets.js'
import type {Readdressed, RecoveryFile} from './recovery-file.js'
import {bootstrapOnce, checkRejoin, recoveryFile} from './recovery-file.js'
import {recoveryChecks, recoveryRisks} from './recovery-risks.js'
import type {Placed, RecoveryShape} from './recovery-phases.js'
import {recoveryPhases} from './recovery-phases.js'
import type {Refusal, Target} from './select.js'
import {isRefusal, refuse, select, targetName} from './select.js'
import type {Candidate, Situation} from './situation.js'
import {withPeers} from './situation.js'
import type {Strategy} from './strategy.js'
import {chooseStrategy, committedFloor} from './strategy.js'
import type {Ranked} from './survivors.js'
import {keptLog, knownPoints, rankSurvivors} from './survivors.js'

/** Everything decided about a recovery before its phases are laid out. */
export interface Decision {
  readonly before: PeerSetBefore
  readonly declared: Declared
  readonly ranked: readonly Ranked[]
  readonly strategy: Strategy
  /** Survivors that get the file. */
  readonly included: readonly Candidate[]
  /** Reached and left out: by the operator, by the strategy, as blank, or as of another history. */
  readonly setAside: readonly {readonly target: Target; readonly rejoins: boolean; readonly why: string}[]
  readonly data: DataStatement
}

/** Plans a recovery around what is gone, for a cluster without a leader. */
export function planRecovery(
  situation: Situation,
  intent: PeersFixIntent,
  context: PlanContext,
  options: {readonly why: string; readonly readdressed?: Readdressed} = {why: ''},
): PlanResult {
  const history = chooseHistory(situation, intent)
  if (isRefusal(history)) return history
  const best = rankSurvivors(history.members)
  const before = peerSetBefore(best.map(one => one.candidate))
  if (before === undefined) return peerSetUnknown(situation, best)
  const scoped = withPeers({...situation, peers: []}, scopeOf(before))
  const decision = decide(scoped, before, intent, history)
  if (isRefusal(decision)) return decision
  return layOut(scoped, decision, intent, context, options)
}

const scopeOf = (before: PeerSetBefore): readonly Server[] => [
  ...before.configuration.servers,
  ...(before.agreed ? [] : before.others.flatMap(set => set.servers)),
]

function peerSetUnknown(situation: Situation, ranked: readonly Ranked[]): Refusal {
  const best = ranked[0]
  const unread = situation.candidates.find(one => one.reached && !one.blank && one.end === undefined)
  const refusal = best === undefined && unread !== undefined ? checkWritable(unread) : undefined
  if (refusal !== undefined) return refusal
  if (best === undefined)
    return refuse(
      'NO_SURVIVOR',
      `No server that was reached holds a log. ${noLogSentences(situation.candidates.map(one => one.seen))}`.trim(),
      ['quorate doctor'],
    )
  const why = best.candidate.disk.problems.join(' ')
  return refuse(
    'PEER_SET_UNKNOWN',
    `The peer set of ${best.candidate.host}, which has the best log, is not known. ${why}`.trim(),
  )
}

interface ChosenHistory {
  readonly members: readonly Candidate[]
  /** Servers that hold a log of another history. */
  readonly foreign: readonly Candidate[]
}

/** The servers that hold a log of the one history, or of the one the operator named. */
function chooseHistory(situation: Situation, intent: PeersFixIntent): ChosenHistory | Refusal {
  const out = outOfPlay(situation, intent)
  if (isRefusal(out)) return out
  const reached = situation.candidates.filter(one => one.reached && !out.includes(one))
  const groups = historiesOf(reached)
  const [first, ...rest] = groups
  if (first === undefined) return {members: [], foreign: []}
  if (rest.length === 0) return {members: first.members, foreign: []}
  if (intent.history === undefined) return severalHistories(groups)
  const chosen = select(situation, intent.history)
  if (isRefusal(chosen)) return chosen
  const group = groups.find(one => one.members.some(member => member.host === chosen.candidate?.host))
  if (group === undefined)
    return refuse('UNKNOWN_SERVER', `${targetName(chosen)} holds no log, so it stands for no history.`)
  const foreign = groups.filter(one => one !== group).flatMap(one => one.members)
  return {members: group.members, foreign}
}

function outOfPlay(situation: Situation, intent: PeersFixIntent): readonly Candidate[] | Refusal {
  const found: Candidate[] = []
  for (const word of [...intent.remove, ...intent.declaredDead]) {
    const target = select(situation, word)
    if (isRefusal(target)) return target
    if (target.candidate !== undefined) found.push(target.candidate)
  }
  return found
}

function severalHistories(groups: ReturnType<typeof historiesOf>): Refusal {
  const lines = groups.map(group => {
    const [best] = rankSurvivors(group.members)
    const end = best === undefined ? '?' : `${best.end.index} @ ${best.end.term}`
    const apart = group.apartBecause === undefined ? '' : ` (${group.apartBecause})`
    return `${group.members.map(one => one.host).join(', ')}: up to ${end}${apart}`
  })
  const hints = groups.map(group => `quorate peers fix --history ${group.members[0]?.host ?? ''}`)
  return refuse(
    'SEVERAL_HISTORIES',
    `The servers hold logs of ${groups.length} histories: ${lines.join('; ')}.`,
    hints,
  )
}

function decide(
  situation: Situation,
  before: PeerSetBefore,
  intent: PeersFixIntent,
  history: ChosenHistory,
): Decision | Refusal {
  const declared = declare(situation, intent)
  if (isRefusal(declared)) return declared
  const open = checkAccounted(before.configuration, declared)
  if (open !== undefined) return open
  const inHistory = (one: Candidate): boolean => history.members.some(member => member.host === one.host)
  const foreign = (one: Candidate): boolean => history.foreign.some(member => member.host === one.host)
  const unreadable = declared.kept.find(one => !one.blank && one.end === undefined)
  if (unreadable !== undefined)
    return checkWritable(unreadable) ?? refuse('UNREAD_FACT', `The log of ${unreadable.host} was not read.`)
  const blank = declared.kept.filter(one => one.blank)
  const named = blank.find(one => intent.keep.length > 0 && one.reached)
  if (named !== undefined)
    return refuse('BLANK_SURVIVOR', `${named.host} is to be kept and holds no log.`, [
      `Leave it out of --keep: it rejoins blank once the recovered leader is verified.`,
    ])
  const survivors = declared.kept.filter(inHistory)
  const ranked = rankSurvivors(survivors)
  const best = ranked[0]
  if (best === undefined) return refuse('NO_SURVIVOR', 'No server that would be kept holds a log.')
  const better = betterLeftOut(declared, best)
  if (better !== undefined) return better
  const strategy = chooseStrategy(ranked.flatMap(one => keptLog(one.candidate) ?? []))
  const alone = strategy.kind === 'best-log-alone'
  const included = alone ? [best.candidate] : ranked.map(one => one.candidate)
  const setAside = [
    ...declared.setAside.map(target => ({target, rejoins: false, why: 'named by the operator'})),
    ...survivors
      .filter(one => !included.includes(one))
      .map(one => ({target: {peer: one.peer, candidate: one}, rejoins: true, why: strategy.why})),
    ...blank.map(one => ({target: {peer: one.peer, candidate: one}, rejoins: true, why: 'it holds no log'})),
    ...declared.kept.filter(foreign).map(one => ({
      target: {peer: one.peer, candidate: one},
      rejoins: true,
      why: 'it holds another history',
    })),
  ]
  const data = stateData(before, declared, ranked, best)
  return {before, declared, ranked, strategy, included, setAside, data}
}

function betterLeftOut(declared: Declared, best: Ranked): Refusal | undefined {
  for (const target of declared.setAside) {
    const {candidate} = target
    if (candidate?.end === undefined || candidate.blank) continue
    if (relationOf(best.candidate, candidate).kind !== 'same') continue
    if (compareLogEnds(candidate.end, best.end) > 0)
      return refuse(
        'REMOVES_BEST_LOG',
        `${candidate.host} is reached and holds the best log (${candidate.end.index} @ ${candidate.end.term}); ` +
          `the best log kept would be ${best.end.index} @ ${best.end.term} on ${best.candidate.host}.`,
        [`Keep ${candidate.host} for the recovery, and remove it through the leader afterwards.`],
      )
  }
  return undefined
}

/** Servers whose log was read and found no better than the best: the kept ones and those set aside. */
function comparedIds(declared: Declared, ranked: readonly Ranked[], best: Ranked): ReadonlySet<string> {
  const aside = declared.setAside.flatMap(target => {
    const {candidate} = target
    if (candidate?.end === undefined || candidate.blank) return []
    return relationOf(best.candidate, candidate).kind === 'same' ? [candidate] : []
  })
  const all = [...ranked.map(one => one.candidate), ...aside].filter(one => !one.replaced)
  return new Set(all.flatMap(one => (one.peer === undefined ? [] : [String(one.peer.id)])))
}

function stateData(
  before: PeerSetBefore,
  declared: Declared,
  ranked: readonly Ranked[],
  best: Ranked,
): DataStatement {
  const compared = comparedIds(declared, ranked, best)
  const count = (set: Configuration): {readonly voters: number; readonly compared: number} => {
    const all = voters(set)
    return {voters: all.length, compared: all.filter(one => compared.has(String(one.id))).length}
  }
  const logs = ranked.flatMap(one => keptLog(one.candidate) ?? [])
  const bestLog = keptLog(best.candidate)
  const committed = bestLog === undefined ? 0 : committedFloor(bestLog, logs)
  return dataStatement({
    sets: [before.configuration, ...before.others].map(count),
    agreed: before.agreed,
    best: {host: best.candidate.host, end: best.end},
    committed,
    committedTerm: knownPoints(best.candidate).get(committed),
  })
}

function layOut(
  situation: Situation,
  decision: Decision,
  intent: PeersFixIntent,
  context: PlanContext,
  options: {readonly why: string; readonly readdressed?: Readdressed},
): PlanResult {
  for (const one of decision.included) {
    const refusal = checkActable(one) ?? checkUnmasked(one) ?? checkWritable(one)
    if (refusal !== undefined) return refusal
  }
  for (const {target, rejoins} of decision.setAside) {
    if (target.candidate === undefined) continue
    const refusal =
      checkActable(target.candidate) ??
      checkUnmasked(target.candidate) ??
      (rejoins ? checkRejoin(target.candidate) : undefined)
    if (refusal !== undefined) return refusal
  }
  const file = recoveryFile(situation, decision.included, options.readdressed)
  if (isRefusal(file)) return file
  const once = bootstrapOnce(decision.included, file)
  if (typeof once === 'object') return once
  const plan = makePlan(situation, decision, file, intent, context, options)
  return {kind: 'plan', plan, milder: milderWays(decision)}
}

/** Bringing enough of the dead back would lose nothing at all; said first, for the operator may still be able to. */
function milderWays(decision: Decision): readonly MilderWay[] {
  const all = voters(decision.before.configuration)
  const isVoter = (id: string | undefined): boolean => all.some(server => String(server.id) === id)
  const kept = decision.ranked.filter(one => isVoter(one.candidate.peer?.id)).length
  const missing = quorumSize(all.length) - kept
  const dead = decision.declared.dead.filter(target => isVoter(target.peer?.id))
  if (missing <= 0 || dead.length < missing || !decision.before.agreed) return []
  const names = dead.map(targetName).join(', ')
  const title =
    dead.length === missing
      ? `bring back ${names} with its data, and nothing is lost`
      : `bring back ${missing} of ${names} with their data, and nothing is lost`
  return [{title, risk: 'availability', commands: []}]
}

function makePlan(
  situation: Situation,
  decision: Decision,
  file: RecoveryFile,
  intent: PeersFixIntent,
  context: PlanContext,
  options: {readonly why: string; readonly readdressed?: Readdressed},
): Plan {
  const entryFor = (place: number): Server | undefined => file.configuration.servers[place]
  const included: Placed[] = decision.included.map((candidate, place) => ({
    candidate,
    host: planHost(situation, candidate, 'included', {entry: entryFor(place)}),
  }))
  const setAside: Placed[] = decision.setAside.flatMap(({target, rejoins}) =>
    target.candidate === undefined
      ? []
      : [{candidate: target.candidate, host: planHost(situation, target.candidate, 'set-aside', {rejoins})}],
  )
  const dead = decision.declared.dead.flatMap(target =>
    target.peer === undefined ? [] : [deadHost(situation, target.peer, target.candidate)],
  )
  const after = afterRejoin(file.configuration, setAside)
  const shape: Omit<RecoveryShape, 'plan'> = {
    included,
    setAside,
    configuration: file.configuration,
    fileText: file.text,
    legacy: file.dialect === 'live-list',
    bootstrapOnce: bootstrapOnce(decision.included, file) === 'write',
    needsPeersInfo: file.dialect !== 'live-list' && ['consul', 'nomad'].includes(situation.fleet.product),
    excluded: excludedOf(situation.fleet.cluster, decision.before.configuration, dead),
  }
  const risks: readonly OpenRisk[] = recoveryRisks({
    decision,
    after,
    promoted: file.promoted,
    hostNames: file.configuration.servers.map(one => String(one.address)).filter(one => !isNumeric(one)),
  })
  return assemble(
    situation,
    {
      method: decision.strategy.kind === 'same-file' ? 'recovery-file' : 'best-log-alone',
      because: becauseOf(decision, options.why),
      intent,
      before: decision.before.configuration,
      after,
      data: decision.data,
      hosts: [...included.map(one => one.host), ...setAside.map(one => one.host), ...dead],
      ranking: rankingOf(decision),
      risks,
      checks: recoveryChecks({decision, dialect: file.dialect, included}),
      upAfter: voters(after).length,
      phases: plan => recoveryPhases({...shape, plan}, context),
    },
    context,
  )
}

const isNumeric = (address: string): boolean =>
  isIpAddress(address.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''))

function rankingOf(decision: Decision): Plan['ranking'] {
  return decision.ranked.map(({candidate, end, reason}): {host: string; end: LogEnd; reason: string} => ({
    host: candidate.host,
    end,
    reason,
  }))
}

function becauseOf(decision: Decision, why: string): string {
  const all = voters(decision.before.configuration)
  const needed = quorumSize(all.length)
  const kept = all.filter(server => decision.ranked.some(one => one.candidate.peer?.id === server.id)).length
  const lost =
    decision.before.allLeft === true
      ? `every server left gracefully and its live list is empty, so that none stands for election; ${kept} of ${all.length} voters are kept, the one that left first included`
      : `there is no leader to ask: ${kept} of ${all.length} voters are kept, and ${needed} are a quorum`
  const reason = why === '' ? lost : why
  return decision.strategy.kind === 'same-file' ? reason : `${reason}; ${decision.strategy.why}`
}

function afterRejoin(configuration: Configuration, setAside: readonly Placed[]): Configuration {
  const back = setAside.flatMap(({candidate, host}) => {
    if (!host.rejoins || candidate.id === undefined || candidate.address === undefined) return []
    return [
      {
        id: candidate.id,
        address: candidate.address,
        suffrage: candidate.peer?.suffrage ?? ('voter' as const),
      },
    ]
  })
  return {servers: [...configuration.servers, ...back]}
}
