import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import t from 'tap'
import {makeHttpClient} from '../../src/adapters/http.js'
import {systemClock} from '../../src/adapters/system-clock.js'
import {makeConnector} from '../../src/adapters/transport/connector.js'
import {Connections} from '../../src/engine/connections.js'
import type {ConsulApi} from '../../src/engine/consul-questions.js'
import {makeHostQuestions} from '../../src/engine/host-questions.js'
import {missing, oldPeerSet, peersList, stoppedConsul} from '../helpers/fleet.js'

/** A port of loopback that nobody listens at now. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const {port} = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

t.test('a server that was just started is asked to join once it listens', async t => {
  const port = await freePort()
  const connector = makeConnector({ask: undefined, env: {}})
  const connections = new Connections(connector)
  const http = makeHttpClient()
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${String(request.method)} ${String(request.url)}`)
    response.writeHead(200).end(request.url === '/v1/status/leader' ? '""' : '')
  })
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await http.close()
    await connections.close()
    await connector.close()
  })
  const reached = await connections.reach({
    ...{host: 's1', address: '127.0.0.1', port: undefined, transport: 'local', user: undefined},
    ...{identityFiles: [], jump: [], knownHostsFiles: [], sudo: false, sudoPassword: undefined},
    connectTimeoutMs: 2000,
  })
  if (reached.kind === 'unread') throw new Error('this machine is not reached')
  const target = {kind: 'tcp', host: '127.0.0.1', port} as const
  const api: ConsulApi = {
    ...{host: 's1', connection: reached.connection, http, clock: systemClock, target, rpc: target},
    ...{token: undefined, tls: undefined, timeoutMs: 1000},
  }
  const seen = stoppedConsul('s1')
  const questions = makeHostQuestions({seen, api, observeAgain: async () => seen})
  const joining = questions.join(['10.0.0.2'])
  await systemClock.sleep(700)
  server.listen(port, '127.0.0.1')
  t.match(await joining, {ok: true, note: 'joined 1 of 1'})
  t.equal(asked.at(-1), 'PUT /v1/agent/join/10.0.0.2')
})

t.test(
  'a log that is read again is understood by the version that was seen, for only files are read then',
  async t => {
    const parts = {version: '0.6.4', configuration: oldPeerSet(['s1', 's2'], 3)}
    // Our own agent keeps a node-id under every protocol, so that the files alone do not tell Consul up to 0.6
    const facts = {nodeId: 'e1f8e1c7-7e8f-4a0e-9f43-0c8e0a4e3a5b', peersFile: peersList([])}
    const seen = stoppedConsul('s1', {...parts, facts})
    const again = stoppedConsul('s1', {...parts, facts: {...facts, version: missing('s1', 'not-asked')}})
    const questions = makeHostQuestions({seen, api: undefined, observeAgain: async () => again})
    const log = await questions.readLog()
    t.same(log.ok ? log.value.configuration?.servers : log, [], 'its list is what counts, and it is empty')
  },
)
