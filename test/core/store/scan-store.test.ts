import {existsSync, readdirSync, readFileSync} from 'node:fs'
import path from 'node:path'
import t from 'tap'
import {consulMessage} from '../../../src/core/store/consul-messages.js'
import {timeText} from '../../../src/core/store/log-entry.js'
import {settle} from '../../../src/core/store/requests.js'
import {addToTally, emptyTally} from '../../../src/core/store/scan.js'
import type {LogRecord, ScanTally} from '../../../src/core/store/scan.js'
import {openScan} from '../../../src/core/store/scan-store.js'
import type {Source} from '../../helpers/store-files.js'
import {runReader, sample} from '../../helpers/store-files.js'

const WHOLE = {from: 0, to: Number.MAX_SAFE_INTEGER, deep: true}

function scan(source: Source, options = WHOLE): {records: LogRecord[]; tally: ScanTally} | string {
  const records: LogRecord[] = []
  let tally = emptyTally
  const opened = runReader(settle(openScan(options)), source)
  if (opened.kind === 'unread') return opened.detail
  for (;;) {
    const block = runReader(settle(opened.value.next()), source)
    if (block.kind === 'unread') return block.detail
    if (block.value.length === 0) break
    records.push(...block.value)
    tally = addToTally(tally, block.value)
  }
  const end = runReader(settle(opened.value.finish()), source)
  return end.kind === 'unread' ? end.detail : {records, tally}
}

const NAMES: Readonly<Record<string, string>> = {
  Command: 'command',
  Noop: 'noop',
  Barrier: 'barrier',
  'AddPeer(Deprecated)': 'add-peer',
  'RemovePeer(Deprecated)': 'remove-peer',
  Configuration: 'configuration',
}

t.test('a deep walk over every sample counts the entries that an independent parser counted', async t => {
  for (const name of readdirSync(sample()).filter(item => existsSync(sample(item, 'expected.json')))) {
    const servers = JSON.parse(readFileSync(sample(name, 'expected.json'), 'utf8')) as Record<
      string,
      {logCount: number; logFirst?: number; logLast?: number; entryTypes: Record<string, number>}
    >
    for (const [server, expected] of Object.entries(servers)) {
      const result = scan(sample(name, server, 'raft'))
      if (typeof result === 'string') {
        t.fail(`${name}/${server}: ${result}`)
        continue
      }
      const types = Object.fromEntries(Object.entries(expected.entryTypes).map(([key, n]) => [NAMES[key], n]))
      t.match(
        result.tally,
        {
          entries: expected.logCount,
          firstIndex: expected.logFirst ?? 0,
          lastIndex: expected.logLast ?? 0,
          gaps: [],
          termsFalling: [],
        },
        `${name}/${server}`,
      )
      t.same(result.tally.types, types, `${name}/${server} types`)
    }
  }
})

const boltFile = (file: string) =>
  new Map([['raft.db', new Uint8Array(readFileSync(sample('raft-boltdb-v2', file)))]])
const walFiles = (name: string) =>
  new Map<string, Uint8Array>(
    readdirSync(sample('raft-wal', name)).map(
      file =>
        [`wal/${file}`, new Uint8Array(readFileSync(path.join(sample('raft-wal', name), file)))] as const,
    ),
  )
const times = (result: ReturnType<typeof scan>) =>
  typeof result === 'string'
    ? result
    : result.records.map(record =>
        record.appendedAt === undefined ? undefined : timeText(record.appendedAt),
      )

const INSTANT = '2024-05-17T10:20:30.123456789Z'

t.test('the time of an entry is the same in every encoding, and the zero time is none', async t => {
  for (const codec of ['055', '115']) {
    const [first, second, third, fourth] = times(scan(boltFile(`raft150-boltdb222-msgpack${codec}.db`)))
    t.same([first, second, third, fourth], [INSTANT, undefined, INSTANT, INSTANT], codec)
  }
  for (const format of ['legacytime', 'newtime'])
    t.same(
      times(scan(boltFile(`raft161-boltdb230-${format}.db`))),
      [INSTANT, undefined, INSTANT, '2024-05-17T10:20:30Z', '1969-12-31T23:59:55.000000007Z', INSTANT],
      format,
    )
  t.same(times(scan(walFiles('simple'))).slice(0, 4), [INSTANT, undefined, INSTANT, INSTANT])
})

t.test('segments are gone over in order: only what is valid in them, and nothing that is torn', async t => {
  const indexes = (name: string, options = WHOLE) => {
    const result = scan(walFiles(name), options)
    return typeof result === 'string' ? result : result.records.map(record => record.index)
  }
  t.same(
    indexes('rotated-truncated'),
    Array.from({length: 58}, (_, i) => 38 + i),
  )
  t.same(indexes('rotated-truncated', {from: 69, to: 73, deep: false}), [69, 70, 71, 72, 73])
  t.same(indexes('torn-tail'), [1, 2, 3, 4, 5, 6, 7])
})

t.test('a deep walk notices a changed byte in the middle of a sealed segment', async t => {
  const files = walFiles('rotated-truncated')
  const name = [...files.keys()].find(key => key.includes('0037-')) ?? ''
  const copy = files.get(name)?.slice() ?? new Uint8Array(0)
  copy[2000] = (copy[2000] ?? 0) ^ 1
  files.set(name, copy)
  t.match(scan(files), /wrong checksum|should reach/)
})

t.test('a range is read from its first entry on', async t => {
  const result = scan(sample('consul-0.6.4-snapshot-and-overflow', 's1', 'raft'), {
    from: 8338,
    to: 8339,
    deep: false,
  })
  t.match(result, {
    records: [
      {index: 8338, type: 'command'},
      {index: 8339, term: 1},
    ],
  })
  t.ok(typeof result !== 'string' && result.records.length === 2)
})

t.test(
  "Consul's commands are named by their first byte, with and without the flag to ignore them",
  async t => {
    t.equal(consulMessage(0), 'register')
    t.equal(consulMessage(2), 'kvs')
    t.equal(consulMessage(0x80 | 6), 'coordinate-batch-update')
    t.equal(consulMessage(43), 'update-virtual-ip')
    t.equal(consulMessage(100), 'message-100')
  },
)
