import {existsSync, readFileSync} from 'node:fs'
import t from 'tap'
import {believedState, diskState, isLegacyConsul} from '../../../src/core/model/disk-state.js'
import {logIndex} from '../../../src/core/model/ids.js'
import type {ServerObservation} from '../../../src/core/model/observation.js'
import {read, unread} from '../../../src/core/model/reading.js'
import type {Reading} from '../../../src/core/model/reading.js'
import {readStore} from '../../../src/core/store/read-store.js'
import type {StoreResult} from '../../../src/core/store/requests.js'
import {readSnapshots} from '../../../src/core/store/snapshots.js'
import {runReader, sample} from '../../helpers/store-files.js'

const source = {host: 'a', via: 'file', what: 'test'} as const
const none = unread('not-asked', source)
const absent = unread('absent', source)

const reading = <T>(result: StoreResult<T>): Reading<T> =>
  result.kind === 'read' ? read(result.value, source) : unread(result.why, source, result.detail)

const api = {
  leader: none,
  statusPeers: none,
  self: none,
  members: none,
  raftConfiguration: none,
  autopilot: none,
  contents: none,
}
const base = {
  host: 'a',
  address: '10.0.0.1',
  reached: none,
  product: read('consul', source),
  version: none,
  clockOffsetMs: none,
  hostAddresses: none,
  processes: none,
  service: none,
  sockets: none,
  config: none,
  disk: none,
  files: none,
  nodeId: none,
  peersFile: absent,
  peersInfo: none,
  lastSeenUnix: none,
  snapshots: read([], source),
  serfSnapshot: none,
  keyring: none,
  store: absent,
  storeLock: none,
  api,
  journal: none,
  traces: none,
} as const satisfies ServerObservation

/** A server as its sample directory holds it. */
function onDisk(name: string, server: string, version: string): ServerObservation {
  const directory = sample(name, server, 'raft')
  const peers = `${directory}/peers.json`
  const text = existsSync(peers) ? readFileSync(peers, 'utf8') : undefined
  const list = (text === undefined ? [] : (JSON.parse(text) ?? [])) as string[]
  return {
    ...base,
    version: read(version, source),
    store: reading(runReader(readStore({byteBudget: 1e9}), directory)),
    snapshots: reading(runReader(readSnapshots({deep: false, source}), directory)),
    peersFile:
      text === undefined
        ? absent
        : read(
            {
              text,
              sha256: '',
              dialect: list.length === 0 ? 'empty' : 'list',
              servers: list.map(address => ({id: address, address, nonVoter: false})),
              problems: [],
            },
            source,
          ),
  }
}
const addresses = (state: ReturnType<typeof diskState>) =>
  state.configuration?.servers.map(server => server.address)

t.test('up to 0.6 the peer set is the live list, whatever the log says', async t => {
  const left = diskState(onDisk('consul-0.6.4-graceful-leave-all', 's1', '0.6.4'))
  t.match(left, {end: {index: 17, term: 1}, configurationKnown: true, blank: false})
  t.same(addresses(left), [])
  t.equal(addresses(diskState(onDisk('consul-0.6.4-cluster', 's2', '0.6.4')))?.length, 3)
})

t.test('from 0.7 on it is the newest entry above the snapshot, else that of the snapshot', async t => {
  t.same(addresses(diskState(onDisk('consul-0.7.5-cluster', 's3', '0.7.5'))), [
    '127.0.1.22:8300',
    '127.0.1.21:8300',
    '127.0.1.23:8300',
  ])
  const recovered = diskState(onDisk('consul-0.7.5-just-recovered-no-leader', 's1', '0.7.5'))
  t.match(recovered, {end: {index: 78, term: 13}, configurationKnown: true})
  t.same(addresses(recovered), ['127.0.1.21:8300', '127.0.1.22:8300', '127.0.1.23:8300'])
  t.equal(recovered.configuration?.index, 1)
  const leave = diskState(onDisk('consul-1.8-leave-one', 's1', '1.8.19'))
  t.match(leave, {configuration: {index: 17, servers: {length: 2}}})
})

t.test('what is unread is unknown: no end, no peer set, and the reason', async t => {
  const whole = onDisk('consul-0.7.5-cluster', 's1', '0.7.5')
  for (const server of [
    {...whole, snapshots: unread('denied', source)},
    {...whole, store: unread('corrupt', source)},
  ])
    t.match(diskState(server), {
      end: undefined,
      configuration: undefined,
      configurationKnown: false,
      blank: false,
      problems: {length: 1},
    })
  t.match(diskState(base), {end: {index: 0}, blank: true, configuration: undefined, configurationKnown: true})
})

t.test(
  'a search that ended above the snapshot leaves the peer set unknown unless it found an entry',
  async t => {
    const whole = onDisk('consul-0.7.5-cluster', 's3', '0.7.5')
    const store = whole.store.kind === 'read' ? whole.store.value : undefined
    t.ok(store)
    if (store === undefined) return
    const short = {
      ...store,
      configurations: [],
      configurationsKnownFrom: logIndex(50),
      configurationsComplete: false,
    }
    t.match(diskState({...whole, store: read(short, source)}), {
      configurationKnown: false,
      problems: [/down to 50/],
    })
    const found = {...short, configurations: store.configurations}
    t.match(diskState({...whole, store: read(found, source)}), {configurationKnown: true})
  },
)

t.test('without a version the files tell whether a server is of the old kind', async t => {
  const peersFile = onDisk('consul-0.6.4-cluster', 's1', '0.6.4').peersFile
  const old = {...base, peersInfo: read(false, source), peersFile, nodeId: absent}
  t.equal(isLegacyConsul(old), true)
  t.equal(isLegacyConsul({...old, peersInfo: read(true, source)}), false)
  t.equal(isLegacyConsul({...old, nodeId: read('x', source)}), false)
  t.equal(isLegacyConsul({...old, version: read('0.7.0', source)}), false)
  t.equal(isLegacyConsul({...old, version: read('1.16.6', source)}), false)
  t.equal(isLegacyConsul({...old, version: read('0.6.4', source), nodeId: none}), true)
  t.equal(isLegacyConsul({...old, product: read('nomad', source)}), false)
})

t.test('a server that answers is believed before its files', async t => {
  const disk = onDisk('consul-0.6.4-cluster', 's1', '0.6.4')
  const server = {...disk, api: {...api, statusPeers: read(['10.9.9.9:8300'], source)}}
  t.same(addresses(believedState(server)), ['10.9.9.9:8300'])
  t.match(believedState(server), {end: {index: 77, term: 8}})
  t.same(addresses(believedState(disk))?.length, 3)
})
