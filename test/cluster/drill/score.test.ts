import t from 'tap'
import {scoreDrill} from '../../../src/cluster/drill/score.js'
import type {DrillFacts} from '../../../src/cluster/drill/score.js'

const write = (number: number, atMs: number) => ({key: `k/${number}`, value: `v${number}`, atMs})

/** Three writes before the failure and one after it; two servers of two are there in the end. */
const facts: DrillFacts = {
  scenario: 'test',
  failedAtMs: 10_000,
  settledAtMs: 12_000,
  endedAtMs: 40_000,
  leaderLostAtMs: 10_500,
  leaderBackAtMs: 30_000,
  writesBackAtMs: 31_000,
  acknowledged: [write(1, 9000), write(2, 9100), write(3, 9200), write(4, 31_000)],
  held: new Set(['k/1', 'k/2', 'k/3']),
  found: new Map([1, 2, 3, 4].map(number => [`k/${number}`, `v${number}`])),
  peerSets: new Map([
    ['a', ['b', 'a']],
    ['b', ['a', 'b']],
  ]),
  strays: [],
  expectedPeers: ['a', 'b'],
  plansAreWrong: false,
  plansApplied: 1,
  commands: [{atMs: 15_000, words: ['doctor', '--cluster', 'x'], pid: 1, exit: 5}],
}

t.test('all that could be had is a hundred points', async t => {
  const report = scoreDrill(facts)
  t.match(report, {solved: true, score: 100, writes: {acknowledged: 4, found: 4}})
  t.same(report.seconds, {untilLost: 0.5, untilLeader: 20, untilWrites: 21, whole: 30})
  t.same(report.commands, [{seconds: 5, line: 'doctor --cluster x', exit: 5}])
})

t.test('a write that nobody held is counted and named, and costs nothing', async t => {
  const found = new Map([...(facts.found ?? [])].filter(([key]) => key !== 'k/3'))
  const report = scoreDrill({...facts, held: new Set(['k/1', 'k/2']), found})
  t.match(report, {solved: true, score: 100})
  t.same(report.writes.lostWithServers, ['k/3'])
  t.same(report.writes.givenUp, [])
  t.match(
    report.checks.find(check => check.name === 'writes')?.sentence,
    /1 write stood on servers that are gone/,
  )
})

t.test('a write that a server held, or that was promised afterwards, must be there', async t => {
  for (const gone of ['k/2', 'k/4']) {
    const found = new Map([...(facts.found ?? [])].filter(([key]) => key !== gone))
    const report = scoreDrill({...facts, found})
    t.match(report, {solved: false, score: 70})
    t.same(report.writes.givenUp, [gone])
  }
  const changed = scoreDrill({...facts, found: new Map([...(facts.found ?? []), ['k/1', 'something else']])})
  t.same(changed.writes.givenUp, ['k/1'], 'another value is not what was acknowledged')
})

t.test('nobody who answers is not the same as nothing lost', async t => {
  t.match(scoreDrill({...facts, found: undefined}), {solved: false, score: 70})
})

t.test('a leader that takes no writes is a quarter of one', async t => {
  t.equal(scoreDrill({...facts, writesBackAtMs: undefined}).score, 70)
  t.equal(scoreDrill({...facts, writesBackAtMs: undefined, leaderBackAtMs: undefined}).score, 60)
  t.equal(scoreDrill({...facts, leaderLostAtMs: undefined, leaderBackAtMs: undefined}).score, 100)
})

t.test('a peer set with somebody else in it, or a peer that is silent, is not the goal', async t => {
  const other = new Map([...facts.peerSets, ['b', ['a', 'b', '10.0.0.1:8300']]])
  t.match(scoreDrill({...facts, peerSets: other}), {solved: false, score: 80})
  t.match(scoreDrill({...facts, peerSets: new Map([['a', ['a', 'b']]])}), {solved: false, score: 80})
})

t.test('a server whose contents are others is not repaired, whatever its peer set', async t => {
  const report = scoreDrill({...facts, strays: ['b']})
  t.match(report, {solved: false, score: 90})
  t.match(report.checks.find(check => check.name === 'peers')?.sentence, /contents of b/)
})

t.test('a plan where waiting was enough costs ten points', async t => {
  t.equal(scoreDrill({...facts, plansAreWrong: true, plansApplied: 1}).score, 90)
  t.equal(scoreDrill({...facts, plansAreWrong: true, plansApplied: 0}).score, 100)
  t.equal(scoreDrill({...facts, plansApplied: 2}).score, 95)
})
