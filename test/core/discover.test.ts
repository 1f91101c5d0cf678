import t from 'tap'
import {discoverHosts} from '../../src/core/discover.js'
import {read} from '../../src/core/model/reading.js'
import {configOf, liveConsul, silent} from '../helpers/fleet.js'

const source = {host: 'a', via: 'file', what: 'x'} as const

t.test('a server that says nothing leads nowhere', async t => {
  t.same(discoverHosts(silent('a')), [])
})

t.test('addresses to join by are taken, cloud providers and its own address are not', async t => {
  const retryJoin = [
    '10.0.0.2',
    '10.0.0.1:8301',
    'provider=aws tag_key=x',
    '[fd00::2]:8301',
    '{{ env }}',
    'b.example',
  ]
  const server = {
    ...silent('a'),
    address: '10.0.0.1',
    config: read({...configOf('a'), retryJoin, startJoin: []}, source),
  }
  t.same(discoverHosts(server), [
    {address: '10.0.0.2', why: ['retry_join']},
    {address: 'fd00::2', why: ['retry_join']},
    {address: 'b.example', why: ['retry_join']},
  ])
})

t.test('each host is named once, with everything that named it', async t => {
  const serfSnapshot = read({members: [{name: 'b', address: '10.0.0.9:8301'}], left: false, clock: 1}, source)
  const server = {
    ...silent('a'),
    address: '10.0.0.1',
    serfSnapshot,
    config: read({...configOf('a'), retryJoin: ['10.0.0.9', '127.0.0.1'], startJoin: []}, source),
  }
  t.same(discoverHosts(server), [{address: '10.0.0.9', why: ['gossip snapshot, b', 'retry_join']}])
})

t.test('a running server names the rest of its peer set', async t => {
  const found = discoverHosts(liveConsul('a'))
  t.notOk(found.some(({address}) => address === '10.0.0.1'))
})
