import t from 'tap'
import {serverAddress} from '../../../src/core/model/ids.js'
import {Cluster, emptyDisk} from './cluster.js'
import {Single, diskWith, only, responses, sends} from './single.js'

const three = () => diskWith(['a', 'b', 'c'], [1, 2, 2])
const granted = (effects: ReturnType<Single['step']>) =>
  responses(effects).map(response => 'granted' in response && response.granted)

/** A follower that started long enough ago to owe nobody anything. */
function settled(disk = three(), options: ConstructorParameters<typeof Single>[1] = {}): Single {
  const single = new Single(disk, options)
  single.step({on: 'tick'})
  single.tick(1000)
  return single
}

t.test('a vote is answered only when it is on disk', async t => {
  const single = settled()
  const effects = single.vote({term: 3, lastIndex: 3, lastTerm: 2})
  t.same(responses(effects), [])
  t.same(only(effects, 'persist')[0]?.hardState, {term: 3, votedFor: serverAddress('b:8300')})
  t.same(responses(single.write()), [{rpc: 'vote', term: 3, granted: true}])
})

t.test('there is one vote in a term, and the same candidate gets it again', async t => {
  const single = settled()
  single.vote({term: 3, lastIndex: 3, lastTerm: 2})
  single.write()
  t.same(granted(single.vote({term: 3, from: 'c', lastIndex: 3, lastTerm: 2})), [false])
  t.same(granted(single.vote({term: 3, lastIndex: 3, lastTerm: 2})), [true])
})

t.test('a vote outlives a restart', async t => {
  const single = settled({...three(), term: 3, votedFor: 'c:8300'})
  t.same(granted(single.vote({term: 3, lastIndex: 3, lastTerm: 2})), [false])
  t.same(granted(single.vote({term: 3, from: 'c', lastIndex: 3, lastTerm: 2})), [true])
})

t.test('a candidate whose log is behind gets no vote, but its term counts', async t => {
  for (const [lastIndex, lastTerm] of [
    [2, 2],
    [9, 1],
  ] as const) {
    const single = settled()
    single.vote({term: 7, lastIndex, lastTerm})
    t.same(responses(single.write()), [{rpc: 'vote', term: 7, granted: false}])
  }
})

t.test('a candidate of an old term is told the new one', async t => {
  t.same(responses(settled().vote({term: 1, lastIndex: 9, lastTerm: 1})), [
    {rpc: 'vote', term: 2, granted: false},
  ])
})

t.test('who hears a leader votes for no other, and does not take its term', async t => {
  const single = settled()
  single.append({term: 2})
  t.same(granted(single.vote({term: 3, from: 'c', lastIndex: 9, lastTerm: 2})), [false])
  t.equal(single.status.term, 2)
  t.same(granted(single.preVote({term: 3, from: 'c', lastIndex: 9, lastTerm: 2})), [false])
  single.tick(1000)
  t.same(granted(single.preVote({term: 3, from: 'c', lastIndex: 9, lastTerm: 2})), [true])
})

t.test('a candidate that the leader sent is voted for although the leader is heard', async t => {
  const single = settled()
  single.append({term: 2})
  single.vote({term: 3, from: 'c', lastIndex: 9, lastTerm: 2, leadershipTransfer: true})
  t.same(granted(single.write()), [true])
})

t.test('a server that has just started keeps the promise that it may have given before', async t => {
  const single = new Single(three())
  t.same(granted(single.vote({term: 3, lastIndex: 9, lastTerm: 2})), [false])
  single.tick(1000)
  single.vote({term: 3, lastIndex: 9, lastTerm: 2})
  t.same(granted(single.write()), [true])
})

t.test('a stranger gets a vote only with a log that is ahead of ours', async t => {
  const single = settled()
  t.same(granted(single.vote({term: 3, from: 'x', lastIndex: 3, lastTerm: 2})), [false])
  t.equal(single.status.term, 2)
  single.vote({term: 3, from: 'x', lastIndex: 4, lastTerm: 2})
  t.same(granted(single.write()), [true])
})

t.test('a candidate of before ids is known by its address', async t => {
  const single = settled()
  const request = {
    rpc: 'vote',
    term: 3,
    candidateId: '',
    candidate: 'b:8300',
    lastIndex: 3,
    lastTerm: 2,
    leadershipTransfer: false,
  } as unknown as Parameters<Single['request']>[0]
  single.request(request)
  t.same(granted(single.write()), [true])
})

t.test('a term that no election can have led to is not believed', async t => {
  const term = Number.MAX_SAFE_INTEGER
  const single = settled()
  t.same(granted(single.vote({term, lastIndex: 9, lastTerm: 2})), [false])
  t.same(granted(single.preVote({term, lastIndex: 9, lastTerm: 2})), [false])
  single.append({term})
  const [first] = sends(single.stand(), 'pre-vote')
  single.answer(first?.requestId ?? 0, {rpc: 'pre-vote', term, granted: false})
  t.equal(single.status.term, 2)
})

t.test('what a stranger calls itself is made safe before it is shown', async t => {
  const single = settled()
  const effects = single.vote({term: 3, from: '\u001b[31mx', lastIndex: 3, lastTerm: 2})
  const [line] = only(effects, 'tell').flatMap(({news}) => (news.news === 'log' ? [news.text] : []))
  t.match(line, 'e[31mx:8300')
  t.notMatch(line, '\u001b')
})

t.test('a pre-vote changes nothing', async t => {
  const single = settled()
  const before = single.status
  t.same(responses(single.preVote({term: 3, lastIndex: 3, lastTerm: 2})), [
    {rpc: 'pre-vote', term: 3, granted: true},
  ])
  t.same(single.status, before)
})

t.test('nobody stands before a quorum would vote for them', async t => {
  const single = settled()
  const asked = single.stand()
  t.equal(sends(asked, 'pre-vote').length, 2)
  t.equal(single.status.role, 'pre-candidate')
  t.equal(single.status.term, 2)
  for (const one of sends(asked, 'pre-vote')) single.answer(one.requestId, undefined)
  t.equal(single.status.role, 'pre-candidate')
  t.equal(sends(single.tick(2000), 'pre-vote').length, 2, 'it asks again')
  t.equal(single.status.term, 2)
})

t.test('our own vote counts, and others are asked, once it is on disk', async t => {
  const single = settled()
  const [first] = sends(single.stand(), 'pre-vote')
  const stood = single.answer(first?.requestId ?? 0, {rpc: 'pre-vote', term: 3, granted: true})
  t.same(sends(stood, 'vote'), [])
  t.same(only(stood, 'persist')[0]?.hardState, {term: 3, votedFor: serverAddress('a:8300')})
  const asked = sends(single.write(), 'vote')
  t.equal(asked.length, 2)
  single.answer(asked[0]?.requestId ?? 0, {rpc: 'vote', term: 3, granted: true})
  t.equal(single.status.role, 'leader')
})

t.test('without pre-votes a server stands at once', async t => {
  const single = settled(three(), {preVote: false})
  single.stand()
  t.equal(single.status.role, 'candidate')
  t.equal(single.status.term, 3)
})

t.test('a candidate that learns of a newer term follows it', async t => {
  const single = settled(three(), {preVote: false})
  single.stand()
  const [first] = sends(single.write(), 'vote')
  single.answer(first?.requestId ?? 0, {rpc: 'vote', term: 9, granted: false})
  t.same([single.status.role, single.status.term], ['follower', 9])
})

t.test(
  'a pre-candidate that learns of a newer term follows it, but not of the term it asked about',
  async t => {
    for (const [term, role, after] of [
      [3, 'pre-candidate', 2],
      [4, 'follower', 4],
    ] as const) {
      const single = settled()
      const [first] = sends(single.stand(), 'pre-vote')
      single.answer(first?.requestId ?? 0, {rpc: 'pre-vote', term, granted: false})
      t.same([single.status.role, single.status.term], [role, after])
    }
  },
)

t.test('a server without a configuration, or without a vote, never stands', async t => {
  const blank = settled(emptyDisk())
  blank.tick(60_000)
  t.equal(blank.status.role, 'follower')
  const stranger = settled(diskWith(['b', 'c'], [1, 2]))
  stranger.tick(60_000)
  t.equal(stranger.status.role, 'follower')
})

t.test('told to take over, a server stands at once and says who sent it', async t => {
  const single = settled()
  single.append({term: 2})
  const effects = single.request({rpc: 'timeout-now'})
  t.same(responses(effects), [{rpc: 'timeout-now'}])
  const asked = sends(single.write(), 'vote')
  t.same(
    asked.map(one => one.request.rpc === 'vote' && one.request.leadershipTransfer),
    [true, true],
  )
  t.equal(single.status.term, 3)
})

t.test('the only voter leads at once', async t => {
  const single = new Single(diskWith(['a'], [1, 1]))
  single.step({on: 'tick'})
  single.write()
  t.equal(single.status.role, 'leader')
  single.write()
  single.apply()
  t.equal(single.status.established, true)
})

t.test('a server that was not running for a while listens before it stands', async t => {
  const single = settled()
  single.append({term: 2})
  single.stall(30_000)
  t.equal(single.status.role, 'follower')
  single.tick(200)
  t.equal(single.status.role, 'pre-candidate')
})

t.test('a partitioned server does not raise its term, and disturbs nobody when it comes back', async t => {
  const cluster = Cluster.of(['a', 'b', 'c'])
  const leader = cluster.elect()
  const {term} = cluster.server(leader)
  const away = leader === 'a' ? 'b' : 'a'
  cluster.isolate(away)
  cluster.run(30_000)
  cluster.cut.clear()
  cluster.run(5000)
  t.equal(cluster.leader(), leader)
  t.equal(cluster.server(away).term, term)
})

t.test('a new leader is found within three timeouts of a kill', async t => {
  for (let seed = 1; seed <= 20; seed++) {
    const cluster = Cluster.of(['a', 'b', 'c'], {}, seed)
    const killed = cluster.elect()
    cluster.server(killed).crash()
    const atMs = cluster.nowMs
    const next = cluster.elect()
    t.not(next, killed)
    t.ok(cluster.nowMs - atMs < 3000, `seed ${seed}: ${cluster.nowMs - atMs} ms`)
  }
})
