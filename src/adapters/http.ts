import type {HttpAnswer, HttpClient, HttpRequest} from '../ports/http.js'
import type {HostConnection} from '../ports/transport.js'
import {askThroughForward, closeForwards} from './http-forward.js'
import {askThroughProgram} from './http-programs.js'

/**
 * Asks HTTP APIs that listen on a host: through the connection itself where it may forward, else through curl, wget
 * or nc on the host. Which way a connection takes is found out once. `close` ends the sockets that were kept open.
 */
export function makeHttpClient(): HttpClient & {close(): Promise<void>} {
  const cannotForward = new WeakSet<HostConnection>()
  const asked = new Set<HostConnection>()
  return {
    async request(connection: HostConnection, request: HttpRequest): Promise<HttpAnswer> {
      asked.add(connection)
      if (!cannotForward.has(connection)) {
        const answer = await askThroughForward(connection, request)
        if (answer.kind === 'answered' || answer.why !== 'denied') return answer
        cannotForward.add(connection)
      }
      return askThroughProgram(connection, request)
    },
    async close() {
      await Promise.all([...asked].map(closeForwards))
      asked.clear()
    },
  }
}
