import t from 'tap'
import type {Configuration, Suffrage} from '../../../src/core/model/configuration.js'
import {serverAddress, serverId} from '../../../src/core/model/ids.js'
import {nextConfiguration} from '../../../src/core/raft/membership.js'
import type {ConfigurationChange} from '../../../src/core/raft/messages.js'
import {nonvoter, voter} from './cluster.js'

const id = serverId('s')
const address = serverAddress('s2:8300') // another than the server had
const CHANGES: Readonly<Record<ConfigurationChange['change'], ConfigurationChange>> = {
  'add-voter': {change: 'add-voter', id, address},
  'add-nonvoter': {change: 'add-nonvoter', id, address},
  'demote-voter': {change: 'demote-voter', id},
  'remove-server': {change: 'remove-server', id},
}
const line = ({servers}: Configuration): string =>
  servers.map(one => `${one.id} ${one.address} ${one.suffrage}`).join(', ')

// Every suffrage a server can have before, by every change of it. Another voter is always there.
const TABLE: readonly (readonly [Suffrage | 'absent', ConfigurationChange['change'], string])[] = [
  ['absent', 'add-voter', 's s2:8300 voter'],
  ['absent', 'add-nonvoter', 's s2:8300 nonvoter'],
  ['absent', 'demote-voter', ''],
  ['absent', 'remove-server', ''],
  ['voter', 'add-voter', 's s2:8300 voter'],
  ['voter', 'add-nonvoter', 's s2:8300 voter'],
  ['voter', 'demote-voter', 's s:8300 nonvoter'],
  ['voter', 'remove-server', ''],
  ['nonvoter', 'add-voter', 's s2:8300 voter'],
  ['nonvoter', 'add-nonvoter', 's s2:8300 nonvoter'],
  ['nonvoter', 'demote-voter', 's s:8300 nonvoter'],
  ['nonvoter', 'remove-server', ''],
]

for (const [before, change, after] of TABLE)
  t.test(`${change} of a server that is ${before} gives "${after}"`, async t => {
    const present = before === 'absent' ? [] : [before === 'voter' ? voter('s') : nonvoter('s')]
    const result = nextConfiguration({servers: [voter('o'), ...present]}, CHANGES[change])
    if (result.kind !== 'configuration') return t.fail(result.kind)
    t.equal(line(result.configuration), ['o o:8300 voter', ...(after === '' ? [] : [after])].join(', '))
  })

t.test('the table has a row for every case', async t => {
  t.equal(new Set(TABLE.map(([before, change]) => `${before} ${change}`)).size, 12)
})

t.test('a change that leaves no voter is refused', async t => {
  for (const change of [CHANGES['demote-voter'], CHANGES['remove-server']]) {
    const result = nextConfiguration({servers: [voter('s'), nonvoter('o')]}, change)
    t.same(result.kind === 'problems' && result.problems, [{kind: 'no-voter'}], change.change)
  }
})

t.test('a change that gives two servers one address, or a server none, is refused', async t => {
  const taken = nextConfiguration({servers: [voter('o'), voter('s2')]}, CHANGES['add-voter'])
  t.same(taken.kind === 'problems' && taken.problems, [{kind: 'duplicate-address', address: 's2:8300'}])
  const none = nextConfiguration(
    {servers: [voter('o')]},
    {change: 'add-nonvoter', id, address: serverAddress('')},
  )
  t.same(none.kind === 'problems' && none.problems.map(one => one.kind), ['empty-address'])
})

t.test('a change leaves the configuration before it as it was', async t => {
  const before: Configuration = {servers: [voter('o'), voter('s')]}
  const copy = structuredClone(before)
  for (const change of Object.values(CHANGES)) nextConfiguration(before, change)
  t.same(before, copy)
})
