import type {HttpAnswer, HttpClient, HttpRequest} from '../ports/http.js'
import type {HostConnection} from '../ports/transport.js'
import {askThroughForward, closeForwards, loadUndici} from './http-forward.js'
import {askThroughProgram} from './http-programs.js'

/**
 * Asks HTTP APIs that listen on a host: through the connection itself where it may forward, else through curl, wget
 * or nc on the host. Which way a connection takes is found out once. `close` ends the sockets that were kept open.
 *
 * Of a unix socket sshd answers alike whether nobody listens there or forwarding to it is forbidden (`server_request_direct_streamlocal`
 * in serverloop.c sends "open failed" for both), so a refusal there is asked again on the host itself.
 */
export function makeHttpClient(): HttpClient & {close(): Promise<void>} {
  const cannotForward = new WeakSet<HostConnection>()
  const cannotForwardUnix = new WeakSet<HostConnection>()
  const asked = new Set<HostConnection>()

  async function askUnixOnHost(
    connection: HostConnection,
    request: HttpRequest,
    refusal: HttpAnswer,
  ): Promise<HttpAnswer> {
    const answer = await askThroughProgram(connection, request)
    if (answer.kind === 'answered') cannotForwardUnix.add(connection)
    return answer.kind === 'failed' && answer.why === 'unsupported' ? refusal : answer
  }
  return {
    async request(connection: HostConnection, request: HttpRequest): Promise<HttpAnswer> {
      asked.add(connection)
      const unix = request.target.kind === 'unix'
      if (!cannotForward.has(connection) && !(unix && cannotForwardUnix.has(connection))) {
        const answer = await askThroughForward(connection, request)
        if (answer.kind === 'answered') return answer
        if (unix && answer.why === 'refused') return await askUnixOnHost(connection, request, answer)
        if (answer.why !== 'denied') return answer
        cannotForward.add(connection)
      }
      return askThroughProgram(connection, request)
    },
    prepare() {
      void loadUndici()
    },
    async close() {
      await Promise.all([...asked].map(closeForwards))
      asked.clear()
    },
  }
}
