import {existsSync, readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'
import t from 'tap'
import {readStore} from '../../../src/core/store/read-store.js'
import {freshCost, runReader, sample} from '../../helpers/store-files.js'

interface Expected {
  readonly logFirst: number
  readonly logLast: number
  readonly logCount: number
  readonly logLastTerm: number
  readonly currentTerm: number
  readonly lastVoteTerm: number
  readonly lastVoteCand: string | null
  readonly configEntriesInLog: readonly (readonly [number, number, string, readonly unknown[]])[]
  readonly bolt: {readonly metaTxids: readonly number[]; readonly fileSize: number}
}

const servers = readdirSync(sample())
  .filter(name => existsSync(sample(name, 'expected.json')))
  .flatMap(name => {
    const expected = JSON.parse(readFileSync(sample(name, 'expected.json'), 'utf8')) as Record<
      string,
      Expected
    >
    return Object.entries(expected).map(([server, values]) => ({name, server, values}))
  })

t.test('every sample of a real server is read as an independent parser read it', async t => {
  t.ok(servers.length >= 18, 'the samples are there')
  for (const {name, server, values} of servers) {
    const cost = freshCost()
    const result = runReader(readStore({byteBudget: 16 * 1024 * 1024}), sample(name, server, 'raft'), cost)
    const title = path.join(name, server)
    if (result.kind !== 'read') {
      t.fail(`${title}: ${result.why} ${result.detail}`)
      continue
    }
    const state = result.value
    t.match(
      state,
      {
        kind: 'boltdb',
        path: 'raft.db',
        sizeBytes: values.bolt.fileSize,
        currentTerm: values.currentTerm,
        lastVoteTerm: values.lastVoteTerm ?? 0,
        lastVoteCandidate: values.lastVoteCand ?? '',
        firstIndex: values.logFirst ?? 0,
        lastIndex: values.logLast ?? 0,
        lastTerm: values.logLastTerm ?? 0,
        configurationsComplete: true,
        configurationsKnownFrom: 0,
        txid: Math.max(...values.bolt.metaTxids),
        bytesRead: cost.bytes,
      },
      title,
    )
    t.same(state.gaps, [], `${title} has no gaps`)
    t.same(state.damage, [], `${title} has no damage`)
    t.same(
      state.configurations.map(entry => [
        entry.index,
        entry.term,
        entry.configuration.servers.map(({id, address}) => [id, address]),
      ]),
      values.configEntriesInLog.map(([index, term, , list]) => [
        index,
        term,
        list.map(item => (typeof item === 'string' ? [item, item] : (item as string[]).slice(1))),
      ]),
      title,
    )
  }
})

const readOne = (file: string) => {
  const bytes = new Uint8Array(readFileSync(sample(file)))
  return runReader(readStore(), new Map([['raft.db', bytes]]))
}

t.test('damaged files get the verdict that a server would suffer', async t => {
  t.match(readOne('raftdb-damaged/newer-meta-bad.db'), {
    kind: 'read',
    value: {firstIndex: 1, lastIndex: 77, lastTerm: 13, damage: [/Meta page 1/]},
  })
  t.match(readOne('raftdb-damaged/older-meta-bad.db'), {
    kind: 'read',
    value: {firstIndex: 1, lastIndex: 78, lastTerm: 13, damage: [/Meta page 0/]},
  })
  const refused: readonly (readonly [string, RegExp])[] = [
    ['both-metas-bad', /no valid meta/],
    ['truncated-4096', /too small/],
    ['truncated-8192', /ends before/],
    ['truncated-40000', /ends before/],
    ['zero-length', /would start on it as new/],
    ['all-zero', /no valid meta/],
    ['root-page-flags-bad', /neither branch nor leaf/],
  ]
  for (const [name, detail] of refused)
    t.match(readOne(`raftdb-damaged/${name}.db`), {kind: 'unread', why: 'corrupt', detail}, name)
})

t.test('torn copies are told although both their metas are right', async t => {
  t.match(readOne('torn-live-copy/missing-bucket.db'), {
    kind: 'unread',
    why: 'corrupt',
    detail: /bucket logs/,
  })
  t.match(readOne('torn-live-copy/index-gap.db'), {
    kind: 'unread',
    why: 'corrupt',
    detail: /indexes that belong elsewhere/,
  })
})

t.test('a raft.db of newer writers is read: extensions, both time encodings, nonvoters', async t => {
  for (const name of ['raft150-boltdb222-msgpack055', 'raft150-boltdb222-msgpack115'])
    t.match(
      readOne(`raft-boltdb-v2/${name}.db`),
      {
        kind: 'read',
        value: {
          currentTerm: 3,
          lastVoteTerm: 3,
          lastVoteCandidate: '10.0.0.1:8300',
          firstIndex: 1,
          lastIndex: 8,
          lastTerm: 3,
          configurations: [
            {
              index: 1,
              configuration: {servers: [{suffrage: 'voter'}, {suffrage: 'voter'}, {suffrage: 'nonvoter'}]},
            },
          ],
        },
      },
      name,
    )
  for (const name of ['raft161-boltdb230-legacytime', 'raft161-boltdb230-newtime'])
    t.match(readOne(`raft-boltdb-v2/${name}.db`), {kind: 'read', value: {lastIndex: 6, lastTerm: 3}}, name)
})

t.test('a directory without a store is absent, and an LMDB one is named as unsupported', async t => {
  t.match(runReader(readStore(), new Map()), {kind: 'unread', why: 'absent'})
  t.match(runReader(readStore(), new Map([['mdb/data.mdb', new Uint8Array(1)]])), {
    kind: 'unread',
    why: 'unsupported',
    detail: /LMDB/,
  })
})

t.test(
  'terms are read at chosen indexes, and a search that runs out of budget says how far it got',
  async t => {
    const source = sample('consul-0.6.4-snapshot-and-overflow', 's1', 'raft')
    const cost = freshCost()
    const result = runReader(readStore({termsAt: [1, 4000, 8340, 9000]}), source, cost)
    t.match(result, {kind: 'read', value: {terms: [{index: 1, term: 1}, {index: 4000}, {index: 8340}]}})
    t.ok(cost.bytes < 256 * 1024, `${cost.bytes} bytes`)
    const state = result.kind === 'read' ? result.value : undefined
    t.equal(state?.configurationsComplete, false)
    t.ok((state?.configurationsKnownFrom ?? 0) > 1 && (state?.configurationsKnownFrom ?? 0) < 8340)
    t.same(state?.configurations, [])
    const near = runReader(readStore({snapshotIndex: 8320}), source)
    t.match(near, {kind: 'read', value: {configurationsComplete: true, configurations: []}})
  },
)

t.test('a small store is read in four rounds, whatever its tree looks like', async t => {
  const cost = freshCost()
  const source = sample('consul-0.7.5-cluster', 's1', 'raft')
  t.equal(runReader(readStore(), source, cost).kind, 'read')
  t.equal(cost.rounds, 4, 'which store, its head, the rest, the metas again')
})

t.test(
  'raft-wal directories are read: one tail, sealed segments with an empty tail, a torn tail',
  async t => {
    const wal = (name: string, options = {}) => {
      const directory = sample('raft-wal', name)
      const files = readdirSync(directory).filter(file => file !== 'README.md')
      return runReader(
        readStore(options),
        new Map(files.map(file => [`wal/${file}`, new Uint8Array(readFileSync(path.join(directory, file)))])),
      )
    }
    const stable = {currentTerm: 3, lastVoteTerm: 3, lastVoteCandidate: '10.0.0.1:8300', lastTerm: 3}
    const configurations = [{index: 1, term: 3, configuration: {servers: {length: 3}}}]
    t.match(wal('simple', {termsAt: [2, 99]}), {
      kind: 'read',
      value: {
        ...stable,
        firstIndex: 1,
        lastIndex: 8,
        configurations,
        configurationsComplete: true,
        terms: [{index: 2}],
      },
    })
    t.match(wal('rotated-truncated', {termsAt: [38, 70, 71, 95, 96]}), {
      kind: 'read',
      value: {
        ...stable,
        firstIndex: 38,
        lastIndex: 95,
        configurations: [],
        configurationsComplete: true,
        configurationsKnownFrom: 0,
        terms: [{index: 38}, {index: 70}, {index: 71}, {index: 95}],
        damage: [],
      },
    })
    t.match(wal('torn-tail'), {
      kind: 'read',
      value: {...stable, firstIndex: 1, lastIndex: 7, configurations, damage: [/torn/]},
    })
  },
)
