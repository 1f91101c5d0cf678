import t from 'tap'
import {end} from '../../helpers/fleet.js'
import {dataStatement} from '../../../src/core/planning/data-statement.js'
import type {KeptLog} from '../../../src/core/planning/strategy.js'
import {chooseStrategy, committedFloor, lacksCommit} from '../../../src/core/planning/strategy.js'
import type {Reached} from './raft-model.js'
import {asGood, reachable} from './raft-model.js'

// Every placement of short logs that Raft can reach, every choice of survivors, every election that the strategy
// allows afterwards: what the statement on data says must be true in each.

const sizes = [
  {voters: 1, limits: {terms: 3, length: 3}},
  {voters: 2, limits: {terms: 3, length: 3}},
  {voters: 3, limits: {terms: 3, length: 4}},
  {voters: 4, limits: {terms: 3, length: 3}},
  {voters: 5, limits: {terms: 3, length: 3}},
]
const states = sizes.map(({voters, limits}) => ({voters, reached: reachable(voters, limits)}))

const lastTerm = (log: string): number => Number(log.at(-1) ?? 0)
const byRank = (a: string, b: string): number => lastTerm(b) - lastTerm(a) || b.length - a.length
const quorum = (count: number): number => Math.floor(count / 2) + 1

const kept = (log: string, place: number, pointsKnown: boolean, known = 0): KeptLog => ({
  host: String(place),
  voter: true,
  end: end(log.length, lastTerm(log)),
  termAt: index =>
    pointsKnown || index === log.length || index === known ? Number(log[index - 1]) || undefined : undefined,
  committed: known,
})

/** Every set of logs that may be what is left, best first; equal sets of one placement once. */
function survivorSets(logs: readonly string[]): readonly (readonly string[])[] {
  const found = new Map<string, readonly string[]>()
  for (let mask = 1; mask < 1 << logs.length; mask++) {
    const left = logs.filter((_, bit) => (mask >> bit) & 1).sort(byRank)
    found.set(left.join(','), left)
  }
  return [...found.values()]
}

/** The logs that may lead when all of `files` recover with the same file: whoever some quorum would vote for. */
const electable = (files: readonly string[]): readonly string[] =>
  files.filter(log => files.filter(other => asGood(log, other)).length >= quorum(files.length))

interface Case {
  readonly voters: number
  readonly state: Reached
  readonly left: readonly string[]
  readonly best: string
}

function* cases(): Generator<Case> {
  for (const {voters, reached} of states)
    for (const state of reached)
      for (const all of survivorSets(state.logs)) {
        // Blank servers are never named in a file; they come back once a leader is verified.
        const left = all.filter(log => log !== '')
        const best = left[0]
        if (best !== undefined) yield {voters, state, left, best}
      }
}

const allCases = [...cases()]

/** The logs that may be the cluster's after a recovery by the strategy that the planner chooses; best first. */
function outcomes(ranked: readonly KeptLog[], logs: readonly string[]): readonly string[] {
  return chooseStrategy(ranked).kind === 'same-file' ? electable(logs) : logs.slice(0, 1)
}

/** Survivors in the planner's order: those that lack a known commit come last, then Raft's order. */
function inOrder(left: readonly string[], knower: number, known: number, pointsKnown: boolean) {
  const logs = left.map((log, place) => ({
    log,
    kept: kept(log, place, pointsKnown, place === knower ? known : 0),
  }))
  const lacks = (one: KeptLog): number =>
    Number(logs.some(other => other.kept !== one && lacksCommit(one, other.kept)))
  return [...logs].sort((a, b) => lacks(a.kept) - lacks(b.kept))
}

const commonLength = (a: string, b: string): number => {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}

function check(one: Case, knower: number, known: number, pointsKnown: boolean): string | undefined {
  const {committed} = one.state
  const ordered = inOrder(one.left, knower, known, pointsKnown)
  const logs = ordered.map(({log}) => log)
  const ranked = ordered.map(entry => entry.kept)
  const [best = ''] = logs
  const [bestLog] = ranked
  if (bestLog === undefined) return 'no log'
  const said = dataStatement({
    sets: [{voters: one.voters, compared: logs.length}],
    agreed: true,
    best: {host: '0', end: bestLog.end},
    committed: committedFloor(bestLog, ranked),
    committedTerm: undefined,
  })
  for (const after of outcomes(ranked, logs)) {
    const keeps = after.startsWith(committed)
    if (said.kept.all && !keeps) return 'said to keep all, and lost a commit'
    if (said.lost !== 'unknown' && !keeps) return `said to lose ${said.lost}, and lost a commit`
    if (!after.startsWith(committed.slice(0, said.kept.upTo?.index ?? 0)))
      return 'lost a commit below what is surely kept'
    const firstGhost = commonLength(after, committed) + 1
    if (after.length >= firstGhost) {
      if (said.added === undefined) return 'said to add nothing, and added entries'
      if (firstGhost <= said.added.from || after.length > said.added.to) return 'added outside the range'
    }
    if (after !== best) return 'another log than the best won'
    if (pointsKnown && !after.startsWith(committed.slice(0, known)))
      return 'lost what a survivor knew to be committed'
  }
  return undefined
}

t.test('no simulated recovery contradicts the statement on data, up to five voters', async t => {
  let count = 0
  const failures: string[] = []
  for (const one of allCases) {
    const {committed} = one.state
    for (const [knower, log] of one.left.entries())
      for (let known = 0; known <= commonLength(log, committed); known++)
        for (const pointsKnown of [true, false]) {
          count++
          const wrong = check(one, knower, known, pointsKnown)
          if (wrong !== undefined && failures.length < 5)
            failures.push(
              `${wrong}: logs ${one.state.logs.join(' ')}, committed ${committed}, left ${one.left.join(' ')}, known ${known} on ${knower}`,
            )
        }
  }
  t.same(failures, [])
  t.ok(count > 10_000, `${count} recoveries were simulated`)
  t.comment(`${count} recoveries`)
})

t.test('every survivor that gets the same file holds a prefix of what the leader will have', async t => {
  for (const one of allCases) {
    const strategy = chooseStrategy(one.left.map((log, place) => kept(log, place, true)))
    if (strategy.kind !== 'same-file') continue
    const stray = one.left.find(log => !one.best.startsWith(log))
    if (stray !== undefined) t.fail(`${stray} beside ${one.best}`)
  }
  t.pass('no tail conflicts under one file')
})

t.test('the statement is not merely cautious: what it calls unknown is lost in some case', async t => {
  const lost = allCases.some(one => !one.best.startsWith(one.state.committed))
  t.ok(lost, 'a minority can lack a commit')
  const allKept = allCases.filter(one => one.left.length > one.voters - quorum(one.voters))
  t.ok(allKept.length > 0)
  t.ok(allKept.every(one => one.best.startsWith(one.state.committed)))
})

t.test(
  'the tempting rule, the same file for whoever survives, loses commits that a survivor holds',
  async t => {
    const losers = allCases.filter(
      one =>
        one.best.startsWith(one.state.committed) &&
        electable(one.left).some(log => !log.startsWith(one.state.committed)),
    )
    t.ok(losers.length > 0, `${losers.length} cases`)
    const refused = losers.every(
      one => chooseStrategy(one.left.map((log, place) => kept(log, place, true))).kind === 'best-log-alone',
    )
    t.ok(refused, 'and is refused in each of them')
  },
)

t.test('a blank server in the recovery file would lose commits', async t => {
  const losers = allCases.filter(one => {
    const withBlank = [...one.left, '']
    return (
      one.best.startsWith(one.state.committed) &&
      electable(withBlank).some(log => !log.startsWith(one.state.committed)) &&
      outcomes(
        one.left.map((log, place) => kept(log, place, true)),
        one.left,
      ).every(log => log.startsWith(one.state.committed))
    )
  })
  t.ok(losers.length > 0, `${losers.length} cases that naming it would lose and leaving it out keeps`)
})
