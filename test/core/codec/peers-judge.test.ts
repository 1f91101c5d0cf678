import {readFileSync} from 'node:fs'
import t from 'tap'
import type {Test} from 'tap'
import {dialectFor} from '../../../src/core/codec/peers-dialect.js'
import type {StartContext} from '../../../src/core/codec/peers-judge.js'
import {judgePeersFile} from '../../../src/core/codec/peers-judge.js'
import {parsePeersJson} from '../../../src/core/codec/peers-json.js'

interface Variant {
  readonly version: string
  readonly case: string
  readonly peersJson: string | null
  readonly extraFlags: readonly string[]
  readonly outcome: 'startup-failed' | 'leader' | 'running-no-leader'
  readonly ingestedAndDeleted: boolean
  readonly discardedUnread: boolean
  readonly startupError: string | null
  readonly electionState: string | null
  readonly peersJsonLeftOnDisk: boolean
}

const variants = JSON.parse(
  readFileSync('fixtures/samples/peers-json-variants/variants.json', 'utf8'),
) as readonly Variant[]

const OWN: Readonly<Record<string, {readonly ownId: string; readonly ownAddress: string}>> = {
  '0.6.4': {ownId: '127.0.1.11:8300', ownAddress: '127.0.1.11:8300'},
  '0.7.5': {ownId: 'fd2f3de2-0abd-4d34-8090-412d0507a8a1', ownAddress: '127.0.1.21:8300'},
  '1.8.19': {ownId: '020a16a0-28ec-9035-7b46-0371ba5f8ba8', ownAddress: '127.0.1.31:8300'},
}

/** What the case changed besides the file, where the record only says that something was changed. */
function contextOf(variant: Variant): StartContext {
  return {
    product: 'consul',
    version: variant.version,
    ...OWN[variant.version],
    peersInfo: variant.case !== 'nopeersinfo',
    hasState: variant.case !== 'freshstate',
    snapshotsIntact: variant.case !== 'snapshots-corrupt',
    bootstrap: variant.extraFlags.some(flag => flag === '-bootstrap' || flag === '-bootstrap-expect=1'),
  }
}

/** Files were written in Latin-1, so that the byte order mark is three characters in the record. */
const fileOf = (text: string | null) =>
  text === null ? undefined : parsePeersJson(Uint8Array.from(Buffer.from(text, 'latin1')), '')

t.equal(variants.length, 68)
for (const variant of variants) {
  t.test(`Consul ${variant.version} does with ${variant.case} what is predicted`, async t => {
    const raftProtocol = variant.extraFlags.includes('-raft-protocol=2') ? 2 : undefined
    const dialect = dialectFor({product: 'consul', version: variant.version, raftProtocol})
    if (dialect === undefined) return t.fail('no dialect')
    const outcome = judgePeersFile(fileOf(variant.peersJson), dialect, contextOf(variant))
    t.equal(outcome.starts, variant.outcome !== 'startup-failed', outcome.reason)
    const said = variant.startupError?.replace('Failed to start Consul server: Failed to start Raft: ', '')
    t.equal(outcome.error, said, 'in the words of the server')
    t.equal(outcome.discards, variant.discardedUnread)
    const taken = outcome.starts && outcome.ingests && dialect !== 'live-list'
    t.equal(taken, variant.ingestedAndDeleted)
    const left = outcome.starts && dialect !== 'live-list' ? false : variant.peersJson !== null
    t.equal(left, variant.peersJsonLeftOnDisk)
    checkLeader(t, variant, outcome.leader)
  })
}

const NOT_YET_DUE: Readonly<Record<string, string>> = {
  'good-three': 'with-others',
  notself: 'impossible',
  trailing: 'alone',
  nopeersinfo: 'unknown',
}

/** Cases ended after seconds, so a server without a leader and without a complaint may only not have come to it. */
function checkLeader(t: Test, variant: Variant, leader: string): void {
  if (variant.outcome === 'startup-failed') t.equal(leader, 'impossible')
  else if (variant.outcome === 'leader') t.equal(leader, 'alone')
  else if (variant.electionState === null) t.equal(leader, NOT_YET_DUE[variant.case], 'not yet due')
  else if (variant.electionState.startsWith('Election timeout reached')) {
    // A candidate: it found itself in the configuration and waits for votes, perhaps in vain.
    t.notMatch(leader, /^alone$/)
  } else t.equal(leader, 'impossible')
}

t.test(
  'a server that lists enough reachable others can lead with them, and with too few it cannot',
  async t => {
    const judge = (list: readonly string[]) =>
      judgePeersFile(fileOf(JSON.stringify(list)), 'live-list', {
        product: 'consul',
        version: '0.6.4',
        ownAddress: '10.0.0.1:8300',
      }).leader
    t.equal(judge(['10.0.0.1:8300', '10.0.0.2:8300', '10.0.0.3:8300']), 'with-others')
    t.equal(judge(['10.0.0.1:8300', '10.0.0.2', '10.0.0.3']), 'impossible')
    t.equal(judge(['10.0.0.1:8300', '10.0.0.2', '10.0.0.3:8300']), 'with-others')
  },
)

t.test('a file that the user of the service may not read or delete stops the start', async t => {
  const file = fileOf('[{"id":"a","address":"10.0.0.1:8300"}]')
  const context = {product: 'consul', version: '1.16.6', ownId: 'a', peersInfo: true} as const
  t.match(judgePeersFile(file, 'objects', {...context, readable: false}).error, /permission denied$/)
  const undeletable = judgePeersFile(file, 'objects', {...context, deletable: false})
  t.match(undeletable, {starts: false, ingests: true})
  t.equal(judgePeersFile(file, 'objects', context).leader, 'alone')
})

t.test('refusals of illegal sets are written small from Consul 1.10 on', async t => {
  const judge = (version: string) =>
    judgePeersFile(fileOf('[]'), 'objects', {product: 'consul', version, peersInfo: true}).error
  t.match(judge('1.9.17'), /: Need at least one voter in configuration: \{\[\]\}$/)
  t.match(judge('1.10.0'), /: need at least one voter in configuration: \{\[\]\}$/)
})
