import {existsSync, readdirSync, readFileSync} from 'node:fs'
import t from 'tap'
import {crc64} from '../../../src/core/codec/checksums.js'
import {readSnapshots} from '../../../src/core/store/snapshots.js'
import {newestSnapshot} from '../../../src/core/model/disk-state.js'
import {runReader, sample} from '../../helpers/store-files.js'

const source = {host: 'h', via: 'file', what: 'snapshots'} as const

interface ExpectedMeta {
  readonly ID: string
  readonly Index: number
  readonly Term: number
  readonly Size: number
  readonly Configuration?: {readonly Servers: readonly {readonly ID: string; readonly Address: string}[]}
  readonly ConfigurationIndex?: number
}

t.test('the snapshots of every sample are read, newest first, and are intact', async t => {
  for (const name of readdirSync(sample()).filter(item => existsSync(sample(item, 'expected.json')))) {
    const servers = JSON.parse(readFileSync(sample(name, 'expected.json'), 'utf8')) as Record<
      string,
      {snapshots: readonly ExpectedMeta[]}
    >
    for (const [server, {snapshots}] of Object.entries(servers)) {
      const result = runReader(readSnapshots({deep: true, source}), sample(name, server, 'raft'))
      const metas = result.kind === 'read' ? result.value : []
      const expected = [...snapshots].sort(
        (a, b) => b.Term - a.Term || b.Index - a.Index || (a.ID < b.ID ? 1 : -1),
      )
      t.match(
        metas,
        expected.map(meta => ({
          id: meta.ID,
          index: meta.Index,
          term: meta.Term,
          sizeBytes: meta.Size,
          intact: {kind: 'read', value: true},
          temporary: false,
          ...(meta.Configuration === undefined
            ? {}
            : {
                configuration: {
                  servers: meta.Configuration.Servers.map(({ID, Address}) => ({id: ID, address: Address})),
                  index: meta.ConfigurationIndex,
                },
              }),
        })),
        `${name}/${server}`,
      )
      t.equal(metas.length, expected.length)
    }
  }
})

t.test('a version 0 snapshot has its peer set from its list of peers', async t => {
  const result = runReader(
    readSnapshots({deep: false, source}),
    sample('consul-0.6.4-snapshot-and-overflow', 's1', 'raft'),
  )
  t.match(result, {
    value: [
      {configuration: {servers: [{id: '127.0.1.51:8300', suffrage: 'voter'}]}, intact: {why: 'not-asked'}},
    ],
  })
})

const file = (text: string) => new TextEncoder().encode(text)
const meta = (fields: object) =>
  file(JSON.stringify({Version: 1, ID: '2-9-1', Index: 9, Term: 2, Size: 3, CRC: null, ...fields}))

t.test('the newest usable snapshot is chosen: not a temporary, a damaged or an unreadable one', async t => {
  const {high, low} = crc64(file('abc'))
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setUint32(0, high)
  new DataView(bytes.buffer).setUint32(4, low)
  const CRC = Buffer.from(bytes).toString('base64')
  const files = new Map([
    ['snapshots/2-9-1/meta.json', meta({CRC})],
    ['snapshots/2-9-1/state.bin', file('abc')],
    ['snapshots/2-10-1/meta.json', meta({ID: '2-10-1', Index: 10, CRC})],
    ['snapshots/2-10-1/state.bin', file('abd')],
    ['snapshots/3-11-1/meta.json', file('{"half')],
    ['snapshots/3-12-1.tmp/meta.json', meta({ID: '3-12-1', Index: 12, Term: 3})],
    ['snapshots/permTest/x', file('')],
  ])
  const result = runReader(readSnapshots({deep: true, source}), files)
  const metas = result.kind === 'read' ? result.value : []
  t.match(metas, [
    {id: '3-12-1', temporary: true},
    {id: '3-11-1', index: 11, term: 3, intact: {value: false}},
    {id: '2-10-1', intact: {value: false}},
    {id: '2-9-1', intact: {value: true}},
  ])
  t.equal(newestSnapshot(metas)?.id, '2-9-1')
})

t.test('a missing directory is a list of none', async t => {
  t.same(runReader(readSnapshots({deep: true, source}), sample('nowhere')), {kind: 'read', value: []})
})

t.test('CRC-64 has the published check value', async t => {
  const {high, low} = crc64(file('123456789'))
  t.equal(high.toString(16) + low.toString(16), '995dc9bbdf1939fa')
})
