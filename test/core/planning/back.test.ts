import t from 'tap'
import type {JournalEntry} from '../../../src/core/model/journal.js'
import type {Plan, Step} from '../../../src/core/model/plan.js'
import type {PeersFile, ServerObservation} from '../../../src/core/model/observation.js'
import {planBack} from '../../../src/core/planning/back.js'
import {
  end,
  fleet,
  liveConsul,
  missing,
  peerSet,
  silent,
  stoppedConsul,
  storeOf,
  withFacts,
} from '../../helpers/fleet.js'
import {context, outline, plan, planned, ready, refusedWith, stepsOf, survivors, withLog} from './planning.js'

const seven = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const gone = ['d', 'e', 'f', 'g']
const kept = survivors(['a', 'b', 'c'], seven).map(one => withLog(one, one.host === 'a' ? 80 : 78, 13))
const made = planned(plan([...kept, ...gone.map(silent)], {remove: gone}))
const files = planned(
  plan([...survivors(['a', 'b'], ['a', 'b', 'c', 'd', 'e']), ...['c', 'd', 'e'].map(silent)], {
    remove: ['c', 'd', 'e'],
  }),
)

/** A journal in which every step was begun and done, up to and with the first that `last` picks. */
function journal(of: Plan, last: (step: Step) => boolean): JournalEntry[] {
  const steps = stepsOf(of)
  const upTo = steps.findIndex(last)
  return steps
    .slice(0, upTo + 1)
    .map((step, seq) => ({type: 'begin', seq, atMs: 0, plan: of.id, step: step.id, host: step.host}))
}

const oursOn = (host: string, of: Plan): PeersFile => {
  const write = stepsOf(of).find(
    step => step.host === host && step.action.do === 'write-file' && step.action.path.endsWith('peers.json'),
  )
  if (write?.action.do !== 'write-file') throw new Error(`no file on ${host}`)
  return {text: write.action.text, sha256: write.action.sha256, dialect: 'objects', servers: [], problems: []}
}
const stopped = (host: string, of: readonly string[], index: number, file?: PeersFile): ServerObservation =>
  ready(stoppedConsul, host, {
    configuration: peerSet(of, 5),
    end: end(index, 13),
    facts: file === undefined ? {} : {peersFile: file},
  })
const five = ['a', 'b', 'c', 'd', 'e']
const back = (of: Plan, entries: readonly JournalEntry[], servers: readonly ServerObservation[]) =>
  planBack(of, entries, fleet({servers}), context)

t.test('before the first start our files are moved away and what ran is started again', async t => {
  const entries = journal(files, step => step.action.do === 'read-back')
  const got = planned(
    back(
      files,
      entries,
      ['a', 'b'].map(host => stopped(host, five, 78, oursOn(host, files))),
    ),
  )
  t.equal(got.method, 'back')
  t.equal(got.of, files.id)
  t.same(outline(got), [
    'lock a:lock b:lock',
    'hold a:hold-service b:hold-service',
    'stop a:stop-service b:stop-service',
    'prove a:prove-stopped b:prove-stopped',
    'reread a:reread-log b:reread-log',
    'write a:move-away a:move-away b:move-away b:move-away',
    'start a:release-service a:start-service b:release-service b:start-service',
    'release a:unlock b:unlock',
  ])
  const away = stepsOf(got).find(step => step.action.do === 'move-away')
  t.match(away?.requires, [{is: 'locked'}, {is: 'held'}, {is: 'stopped', hosts: ['a', 'b']}])
  t.match(
    stepsOf(got).flatMap(step => (step.host === 'a' && step.action.do === 'move-away' ? [step.action] : [])),
    [
      {path: `/var/lib/quorate/excluded-${files.id}`, to: new RegExp(`${files.id}/taken-back/excluded-`)},
      {path: '/var/consul/raft/peers.json'},
    ],
    'with them the record of the servers that were excluded',
  )
})

t.test('fences are undone', async t => {
  const entries = journal(made, step => step.action.do === 'copy')
  const fencedHost = (host: string) =>
    withFacts(stopped(host, seven, 78), {store: missing(host, 'absent'), snapshots: missing(host, 'absent')})
  const got = planned(back(made, entries, [stopped('a', seven, 80), fencedHost('b'), fencedHost('c')]))
  const fences = stepsOf(got).flatMap(step =>
    step.action.do === 'fence' ? [`${step.host} ${step.action.from}`] : [],
  )
  t.same(fences, [`b /var/consul/raft.fenced-${made.id}`, `c /var/consul/raft.fenced-${made.id}`])
})

t.test('where a server has taken the file its raft directory comes back from the copy', async t => {
  const entries = journal(files, step => step.action.do === 'start-service' && step.host === 'b')
  const took = (host: string) =>
    ready(stoppedConsul, host, {
      facts: {store: storeOf({configuration: peerSet(['a', 'b'], 1), end: end(78, 13)})},
    })
  const got = planned(back(files, entries, [took('a'), took('b')]))
  t.match(
    stepsOf(got)
      .filter(step => step.action.do === 'restore-copy')
      .map(step => step.action),
    [{from: `/var/backups/quorate/${files.id}`, paths: ['/var/consul/raft']}, {}],
  )
})

t.test('S5: once a leader leads, or a log has grown, there is no way back', async t => {
  const entries = journal(files, step => step.action.do === 'start-service' && step.host === 'b')
  const leading = ['a', 'b'].map(host =>
    ready(liveConsul, host, {configuration: peerSet(['a', 'b'], 1), leader: 'a', end: end(78, 13)}),
  )
  t.equal(refusedWith(back(files, entries, leading)), 'BACK_IMPOSSIBLE')
  t.equal(
    refusedWith(back(files, entries, [stopped('a', five, 78), stopped('b', five, 79)])),
    'BACK_IMPOSSIBLE',
  )
})

t.test('S5: a host out of reach, or one with a file that is not ours, stands in the way', async t => {
  const entries = journal(files, step => step.action.do === 'read-back')
  const got = back(files, entries, [stopped('a', five, 78, oursOn('a', files)), silent('b')])
  t.equal(refusedWith(got), 'UNREAD_FACT')
  if (got.kind === 'refused')
    t.match(got.why, /b does not answer; it may still hold \/var\/consul\/raft\/peers\.json/)
  const other: PeersFile = {...oursOn('b', files), sha256: 'another'}
  const foreign = back(files, entries, [
    stopped('a', five, 78, oursOn('a', files)),
    stopped('b', five, 78, other),
  ])
  t.equal(refusedWith(foreign), 'BACK_IMPOSSIBLE')
})

t.test('a plan that has done nothing needs no way back', async t => {
  t.equal(refusedWith(back(files, [], survivors(['a', 'b'], five))), 'nothing-to-do')
})
