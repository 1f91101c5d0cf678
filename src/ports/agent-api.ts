/** One question to the HTTP API of an agent. */
export interface ApiRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** Path with its query, beginning with `/v1/`. */
  readonly path: string
  readonly body?: Uint8Array
  /** For the whole answer; 30 seconds unless told otherwise. Not for answers that are streamed. */
  readonly timeoutMs?: number
  /** Takes the body of a 200 piece by piece as it comes; the answer's body is then empty. */
  readonly onChunk?: (bytes: Uint8Array) => void
}

/** Its answer, whatever the status. */
export interface ApiAnswer {
  readonly status: number
  readonly body: Uint8Array
}

/** The HTTP API of an agent, ours or Consul's. */
export interface AgentApi {
  /** Where it is, as an operator would name it. */
  readonly address: string
  /** Asks; throws API_UNREACHABLE where there is no whole answer in time. */
  ask(request: ApiRequest): Promise<ApiAnswer>
}
