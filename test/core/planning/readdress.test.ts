import t from 'tap'
import {configOf, peerSet, voter, withFacts} from '../../helpers/fleet.js'
import {plan, planned, survivors} from './planning.js'

const PORT = 18_300
const places = {a: '10.0.0.1', b: '10.0.0.2', c: '10.0.0.3'}
const set = peerSet(
  Object.entries(places).map(([host, address]) => voter(host, {address: `${address}:${String(PORT)}`})),
  5,
)

/** Three servers at a port of their own; the last one moved to 10.0.0.33. */
const fleet = survivors(['a', 'b', 'c'], ['a', 'b', 'c'], {configuration: set}).map(one => {
  const host = one.host as keyof typeof places
  const address = host === 'c' ? '10.0.0.33' : places[host]
  return withFacts(one, {
    address,
    hostAddresses: [address],
    config: {
      ...configOf(host, {bindAddress: address, advertiseAddress: address}),
      ports: {...configOf(host).ports, server: PORT},
    },
  })
})

t.test('a new address without a port keeps the port of the old one', async t => {
  for (const from of [places.c, `${places.c}:${String(PORT)}`]) {
    const got = planned(plan(fleet, {readdress: [{from, to: '10.0.0.33'}]}))
    t.ok(
      got.after.servers.some(server => String(server.address) === `10.0.0.33:${String(PORT)}`),
      `from ${from}`,
    )
  }
})

t.test('a new address with a port is taken as it is written', async t => {
  const got = planned(plan(fleet, {readdress: [{from: places.c, to: '10.0.0.33:19300'}]}))
  t.ok(got.after.servers.some(server => String(server.address) === '10.0.0.33:19300'))
})
