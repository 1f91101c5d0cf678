import {connect} from 'node:net'
import type {Socket} from 'node:net'

/** What a load brought. */
export interface LoadResult {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failed: number
}

/** One kept-alive connection that sends a request once the last one is answered. */
class LoadClient {
  private readonly socket: Socket
  private buffered = ''
  private sentAt = 0
  failed = 0
  readonly tookMs: number[] = []

  constructor(
    host: string,
    private readonly next: () => string | undefined,
    private readonly done: () => void,
  ) {
    this.socket = connect({host, port: 8500, noDelay: true})
    this.socket.setEncoding('latin1')
    this.socket.on('connect', () => this.send())
    this.socket.on('data', (text: string) => this.take(text))
    this.socket.on('error', () => this.end())
  }

  private send(): void {
    const request = this.next()
    if (request === undefined) return this.end()
    this.sentAt = performance.now()
    this.socket.write(request)
  }

  private take(text: string): void {
    this.buffered += text
    const head = this.buffered.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = /\r\ncontent-length: (\d+)/i.exec(this.buffered.slice(0, head))
    const whole = length === null ? this.chunkedEnd(head + 4) : head + 4 + Number(length[1])
    if (whole === undefined || this.buffered.length < whole) return
    if (!this.buffered.startsWith('HTTP/1.1 200')) this.failed += 1
    this.buffered = this.buffered.slice(whole)
    this.tookMs.push(performance.now() - this.sentAt)
    this.send()
  }

  private chunkedEnd(from: number): number | undefined {
    const end = this.buffered.indexOf('0\r\n\r\n', from)
    return end < 0 ? undefined : end + 5
  }

  private end(): void {
    this.socket.destroy()
    this.done()
  }
}

/**
 * Sends requests over some connections for a time, or until there are no more; each is a request for `make(n)`, with n
 * counted over all of them.
 */
export async function load(
  host: string,
  connections: number,
  seconds: number,
  make: (n: number) => string | undefined,
): Promise<LoadResult> {
  const began = performance.now()
  let n = 0
  const clients: LoadClient[] = []
  await new Promise<void>(resolve => {
    let open = connections
    for (let i = 0; i < connections; i++)
      clients.push(
        new LoadClient(
          host,
          () => (performance.now() - began < seconds * 1000 ? make(n++) : undefined),
          () => (--open === 0 ? resolve() : undefined),
        ),
      )
  })
  const tookMs = clients.flatMap(client => client.tookMs).sort((a, b) => a - b)
  const at = (share: number): number => tookMs[Math.floor(tookMs.length * share)] ?? NaN
  return {
    perSecond: tookMs.length / ((performance.now() - began) / 1000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failed: clients.reduce((sum, client) => sum + client.failed, 0),
  }
}

/** A request to write a key. */
export const putOf = (key: string, value: string): string =>
  `PUT /v1/kv/${key} HTTP/1.1\r\nHost: x\r\nContent-Length: ${value.length}\r\n\r\n${value}`

/** A request to read a key with the word of a quorum. */
export const getOf = (key: string): string => `GET /v1/kv/${key}?consistent HTTP/1.1\r\nHost: x\r\n\r\n`
