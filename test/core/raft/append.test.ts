import t from 'tap'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import {configurationOf, emptyDisk} from './cluster.js'
import {Single, configurationEntry, diskWith, entry, only, responses} from './single.js'

const log = [1, 1, 2, 2] // 1: configuration, 2 to 4: commands
const follower = (terms: readonly number[] = log): Single => new Single(diskWith(['a', 'b', 'c'], terms))
/** What whoever follows the asker promises with the answer: its own heartbeat timeout. */
const loyal = {loyalMs: 1000}
const persisted = (effects: ReturnType<Single['step']>) => only(effects, 'persist')[0]

t.test('a heartbeat is answered at once and leaves the log alone', async t => {
  const single = follower()
  const effects = single.append({term: 2})
  t.same(responses(effects), [
    {rpc: 'append', term: 2, lastIndex: 4, success: true, noRetryBackoff: false, ...loyal},
  ])
  t.same(only(effects, 'persist'), [])
  t.same([single.status.lastIndex, single.status.commitIndex], [4, 0])
  t.equal(single.status.leader?.id, 'b')
})

t.test('a heartbeat of a new term is answered once the term is on disk', async t => {
  const single = follower()
  t.same(responses(single.append({term: 3})), [])
  t.same(responses(single.write()), [
    {rpc: 'append', term: 3, lastIndex: 4, success: true, noRetryBackoff: false, ...loyal},
  ])
})

t.test('a heartbeat overtakes entries on their way to disk', async t => {
  const single = follower()
  single.append({term: 2, prevIndex: 4, prevTerm: 2, entries: [entry(5, 2)]})
  t.equal(responses(single.append({term: 2})).length, 1)
})

t.test('entries are accepted once they are on disk, with the end of the log before them', async t => {
  const single = follower()
  const effects = single.append({term: 2, prevIndex: 4, prevTerm: 2, entries: [entry(5, 2), entry(6, 2)]})
  t.same(responses(effects), [])
  t.same(persisted(effects)?.append, [entry(5, 2), entry(6, 2)])
  t.same(responses(single.write()), [
    {rpc: 'append', term: 2, lastIndex: 4, success: true, noRetryBackoff: false, ...loyal},
  ])
})

t.test(
  'entries that came twice are accepted when the first of them is on disk, and not written again',
  async t => {
    const single = follower()
    const fields = {term: 2, prevIndex: 4, prevTerm: 2, entries: [entry(5, 2)]}
    single.append(fields)
    const again = single.append(fields)
    t.same([only(again, 'persist'), responses(again)], [[], []])
    t.equal(responses(single.write()).length, 2)
    t.equal(responses(single.append(fields)).length, 1)
  },
)

t.test('a leader of an old term is refused and told the new one', async t => {
  const single = follower()
  const effects = single.append({term: 1, prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)]})
  t.same(responses(effects), [{rpc: 'append', term: 2, lastIndex: 4, success: false, noRetryBackoff: false}])
  t.equal(single.status.leader, undefined)
})

t.test('entries behind a gap are refused with the end of our log', async t => {
  const effects = follower().append({term: 2, prevIndex: 9, prevTerm: 2, entries: [entry(10, 2)]})
  t.same(responses(effects), [
    {rpc: 'append', term: 2, lastIndex: 4, success: false, noRetryBackoff: true, ...loyal},
  ])
})

t.test('where the entry before differs, the refusal goes back to before its whole term', async t => {
  const single = follower([1, 1, 1, 2, 2, 2])
  single.append({term: 4, prevIndex: 6, prevTerm: 3, entries: [entry(7, 4)]})
  t.same(responses(single.write()), [
    {rpc: 'append', term: 4, lastIndex: 3, success: false, noRetryBackoff: true, ...loyal},
  ])
  t.equal(single.status.lastIndex, 6, 'nothing is cut on a refusal')
})

t.test('entries that differ are replaced from the first of them on', async t => {
  const single = follower([1, 1, 2, 2, 2])
  const effects = single.append({
    term: 4,
    prevIndex: 2,
    prevTerm: 1,
    entries: [entry(3, 2), entry(4, 4), entry(5, 4)],
  })
  t.same([persisted(effects)?.truncateFrom, persisted(effects)?.append], [4, [entry(4, 4), entry(5, 4)]])
  t.equal(responses(single.write()).length, 1)
})

t.test('entries that are all there cut nothing behind them', async t => {
  const single = follower()
  const effects = single.append({term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)]})
  t.same(only(effects, 'persist'), [])
  t.equal(single.status.lastIndex, 4)
})

t.test(
  'a persist of entries that were replaced since does not vouch for those that replaced them',
  async t => {
    const single = follower()
    single.append({term: 2, prevIndex: 4, prevTerm: 2, entries: [entry(5, 2), entry(6, 2)]})
    const effects = single.append({term: 3, prevIndex: 4, prevTerm: 2, entries: [entry(5, 3), entry(6, 3)]})
    const [first] = [1]
    const done = single.step({on: 'persisted', persistId: first})
    t.equal(single.status.persistedIndex, 4)
    t.same(
      responses(done).map(one => 'term' in one && one.term),
      [2],
    )
    t.equal(persisted(effects)?.truncateFrom, 5)
    t.same(
      responses(single.write()).map(one => 'term' in one && one.term),
      [3],
    )
    t.equal(single.status.persistedIndex, 6)
  },
)

t.test('what is committed is what the leader says, as far as this request vouches for', async t => {
  const single = follower()
  single.append({term: 2, prevIndex: 2, prevTerm: 1, leaderCommit: 99})
  t.equal(single.status.commitIndex, 2)
  single.append({term: 2, prevIndex: 4, prevTerm: 2, leaderCommit: 3})
  t.equal(single.status.commitIndex, 3)
  single.append({term: 2, prevIndex: 4, prevTerm: 2, leaderCommit: 1})
  t.equal(single.status.commitIndex, 3, 'it never falls')
})

t.test('what is committed is applied once it is on our own disk', async t => {
  const single = follower([1])
  const effects = single.append({term: 1, prevIndex: 1, prevTerm: 1, entries: [entry(2, 1)], leaderCommit: 2})
  t.same(only(effects, 'apply'), [])
  single.read()
  const [first] = only(single.write(), 'apply')
  t.same(first?.entries, [entry(2, 1)])
})

t.test('a committed entry is never replaced, whoever asks for it', async t => {
  const single = follower()
  single.append({term: 2, prevIndex: 4, prevTerm: 2, leaderCommit: 3})
  single.append({term: 3, prevIndex: 1, prevTerm: 1, entries: [entry(2, 3)]})
  t.same(
    responses(single.write()).map(one => 'success' in one && one.success),
    [false],
  )
  t.equal(single.status.lastIndex, 4)
})

t.test('entries out of order are refused', async t => {
  for (const entries of [
    [entry(6, 2)],
    [entry(5, 2), entry(7, 2)],
    [entry(5, 1)],
    [entry(5, 9)],
    [{...configurationEntry(5, 2, configurationOf('a')), data: Uint8Array.of(0xc1)}],
  ]) {
    const effects = follower().append({term: 2, prevIndex: 4, prevTerm: 2, entries})
    t.same(
      responses(effects).map(one => 'success' in one && one.success),
      [false],
    )
    t.same(only(effects, 'persist'), [])
  }
})

t.test('a configuration counts from its entry on, and the one before again when it is cut', async t => {
  const single = follower()
  const names = (): readonly string[] => single.status.latest.configuration.servers.map(one => one.id)
  single.append({
    term: 2,
    prevIndex: 4,
    prevTerm: 2,
    entries: [
      configurationEntry(5, 2, configurationOf('a', 'b')),
      configurationEntry(6, 2, configurationOf('a')),
    ],
  })
  t.same(names(), ['a'])
  single.append({term: 3, prevIndex: 5, prevTerm: 2, entries: [entry(6, 3)]})
  t.same(names(), ['a', 'b'])
  single.append({term: 4, prevIndex: 4, prevTerm: 2, entries: [entry(5, 4)]})
  t.same(names(), ['a', 'b', 'c'])
})

t.test('an empty server takes the log of a leader from its beginning', async t => {
  const single = new Single(emptyDisk())
  const first = configurationEntry(1, 1, configurationOf('a', 'b'))
  single.append({term: 1, prevIndex: 0, prevTerm: 0, entries: [first, entry(2, 1)], leaderCommit: 1})
  t.equal(responses(single.write()).length, 1)
  t.same([single.status.lastIndex, single.status.commitIndex], [2, 1])
})

t.test('a leader of before ids is named by the configuration', async t => {
  const single = follower()
  single.append({term: 2, leaderId: serverId(''), leader: serverAddress('c:8300')})
  t.same(single.status.leader, {id: 'c', address: 'c:8300'})
})

t.test('a second leader of the term that we lead is turned away', async t => {
  const single = follower()
  single.win('b')
  t.equal(single.status.role, 'leader')
  const effects = single.append({term: 3})
  t.same(
    responses(effects).map(one => 'success' in one && one.success),
    [false],
  )
  t.equal(single.status.role, 'leader')
})
