import type {DrillCheck, DrillReport} from '../../core/model/drill-report.js'
import type {CommandRun} from '../command-record.js'
import type {Acknowledged} from './load.js'

/** What a drill saw. */
export interface DrillFacts {
  readonly scenario: string
  readonly failedAtMs: number
  /** When the failure was whole. */
  readonly settledAtMs: number
  readonly endedAtMs: number
  readonly leaderLostAtMs: number | undefined
  readonly leaderBackAtMs: number | undefined
  readonly writesBackAtMs: number | undefined
  readonly acknowledged: readonly Acknowledged[]
  /** Keys that servers that were left after the failure had on their disks. */
  readonly held: ReadonlySet<string>
  /** What a consistent read gave in the end; undefined when nobody answered one. */
  readonly found: ReadonlyMap<string, string> | undefined
  /** Peer sets of the servers that run in the end, by server: names of peers. */
  readonly peerSets: ReadonlyMap<string, readonly string[]>
  /** Servers whose own contents are not those that a consistent read gives. */
  readonly strays: readonly string[]
  readonly expectedPeers: readonly string[]
  readonly plansAreWrong: boolean
  /** Plans of quorate that were applied on the cluster. */
  readonly plansApplied: number
  readonly commands: readonly CommandRun[]
}

const seconds = (fromMs: number, toMs: number | undefined): number | null =>
  toMs === undefined ? null : Math.max(0, Math.round((toMs - fromMs) / 100) / 10)

const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`

/**
 * Judges a drill: 40 points for a leader that takes writes, 30 for every acknowledged write that was still on a disk, 20
 * for servers that hold the same and agree on a peer set that names whom it should, 10 for having given up no more than needed. Solved is
 * whoever has all of the first three.
 */
export function scoreDrill(facts: DrillFacts): DrillReport {
  const after = (key: Acknowledged): boolean => key.atMs > facts.settledAtMs
  const isFound = ({key, value}: Acknowledged): boolean => facts.found?.get(key) === value
  const missing = facts.acknowledged.filter(one => !isFound(one))
  // A write acknowledged after the failure was promised by a server that was left
  const givenUp = missing.filter(one => facts.held.has(one.key) || after(one)).map(({key}) => key)
  const lost = missing.filter(one => !facts.held.has(one.key) && !after(one)).map(({key}) => key)
  const checks = [leaderCheck(facts), writesCheck(facts, givenUp, lost), peersCheck(facts), careCheck(facts)]
  return {
    scenario: facts.scenario,
    solved: checks.slice(0, 3).every(check => check.points === check.outOf),
    score: checks.reduce((sum, check) => sum + check.points, 0),
    checks,
    seconds: {
      untilLost: seconds(facts.failedAtMs, facts.leaderLostAtMs),
      untilLeader: seconds(facts.failedAtMs, facts.leaderBackAtMs),
      untilWrites: seconds(facts.failedAtMs, facts.writesBackAtMs),
      whole: seconds(facts.failedAtMs, facts.endedAtMs) ?? 0,
    },
    writes: {
      acknowledged: facts.acknowledged.length,
      found: facts.acknowledged.length - missing.length,
      lostWithServers: lost,
      givenUp,
    },
    commands: facts.commands.map(({atMs, words, exit}) => ({
      seconds: seconds(facts.failedAtMs, atMs) ?? 0,
      line: words.join(' '),
      exit,
    })),
  }
}

function leaderCheck(facts: DrillFacts): DrillCheck {
  const back = facts.leaderLostAtMs === undefined || facts.leaderBackAtMs !== undefined
  const writes = facts.writesBackAtMs !== undefined
  const sentence = !back
    ? 'There is no leader.'
    : !writes
      ? 'There is a leader, and it takes no writes.'
      : 'There is a leader, and it takes writes.'
  return {name: 'leader', points: back && writes ? 40 : back ? 10 : 0, outOf: 40, sentence}
}

function writesCheck(facts: DrillFacts, givenUp: readonly string[], lost: readonly string[]): DrillCheck {
  const all = facts.acknowledged.length
  if (facts.found === undefined)
    return {name: 'writes', points: 0, outOf: 30, sentence: `Nobody could be asked for the ${all} writes.`}
  const rest =
    lost.length === 0
      ? ''
      : ` ${count(lost.length, 'write')} stood on servers that are gone, and on no other: no repair brings them back.`
  const points = givenUp.length === 0 ? 30 : 0
  const sentence =
    givenUp.length === 0
      ? `All of the ${all - lost.length} acknowledged writes that a server still held are there.${rest}`
      : `${count(givenUp.length, 'acknowledged write')} that a server still held ${givenUp.length === 1 ? 'is' : 'are'} not there any more.${rest}`
  return {name: 'writes', points, outOf: 30, sentence}
}

/** Whether two lists hold the same names, in whatever order. */
export const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && [...a].sort().every((name, i) => name === [...b].sort()[i])

function peersCheck({peerSets, expectedPeers, strays}: DrillFacts): DrillCheck {
  const sets = [...peerSets]
  const wrong = sets.filter(([, peers]) => !sameNames(peers, expectedPeers))
  const silent = expectedPeers.filter(name => !peerSets.has(name))
  const good = wrong.length === 0 && silent.length === 0
  const sentence = good
    ? strays.length === 0
      ? `All of ${expectedPeers.join(', ')} run, hold the same, and agree on the peer set: it names them and nobody else.`
      : `The peer set is right, and the contents of ${strays.join(', ')} are not those of the others.`
    : silent.length > 0
      ? `${silent.join(', ')} should be ${silent.length === 1 ? 'a peer that runs' : 'peers that run'}, and ${silent.length === 1 ? 'does' : 'do'} not tell a peer set.`
      : `${wrong[0]?.[0] ?? ''} believes in the peer set ${wrong[0]?.[1].join(', ') || '(none)'}; ${expectedPeers.join(', ')} was to be reached.`
  return {name: 'peers', points: good && strays.length === 0 ? 20 : good ? 10 : 0, outOf: 20, sentence}
}

function careCheck({plansAreWrong, plansApplied}: DrillFacts): DrillCheck {
  const outOf = 10
  if (plansAreWrong && plansApplied > 0)
    return {
      name: 'care',
      points: 0,
      outOf,
      sentence: 'A plan that writes was applied, and waiting or starting was enough.',
    }
  const sentence = plansAreWrong
    ? 'Nothing was written where nothing had to be.'
    : plansApplied > 1
      ? `${plansApplied} plans were applied; one is enough.`
      : 'No more was changed than had to be.'
  return {name: 'care', points: !plansAreWrong && plansApplied > 1 ? 5 : outOf, outOf, sentence}
}
