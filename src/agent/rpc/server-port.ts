import type {Server, Socket} from 'node:net'
import {createServer} from 'node:net'
import {AgentError} from '../agent-error.js'
import type {AgentLog} from '../logger.js'
import type {PeerFilter} from '../peer-filter.js'
import type {RpcMethods} from './call-server.js'
import {CallServer} from './call-server.js'
import type {CallStream} from './mux.js'
import {MuxConnection} from './mux.js'
import type {RaftConnectionLimits, RaftHandler} from './raft-connection.js'
import {RAFT_CONNECTION_LIMITS, RaftConnection} from './raft-connection.js'
import {Batcher, Carries, remoteOf} from './sockets.js'

/** What a server's port needs. */
export interface ServerPortSettings {
  readonly host: string
  /** 0 lets the system choose, for tests. */
  readonly port: number
  readonly filter: PeerFilter
  readonly log: AgentLog
  readonly raft: RaftHandler
  readonly methods: RpcMethods
  readonly raftLimits?: Partial<RaftConnectionLimits>
  /** Connections at a time, of all peers and of one. */
  readonly connectionsMax?: number
  readonly connectionsPerPeerMax?: number
}

/** The open port of a server (8300). */
export interface ServerPort {
  readonly port: number
  /** Takes no more connections and ends those that stand. */
  close(): Promise<void>
}

/** A peer that does not say what it wants within this time is sent away. */
const FIRST_BYTE_MS = 10_000
const SCOPE = 'server.rpc'

/** Opens the port on which servers reach this one: Raft and calls, told apart by the first byte. Throws AgentError. */
export async function openServerPort(settings: ServerPortSettings): Promise<ServerPort> {
  const listener = new Listener(settings)
  await listener.open()
  return listener
}

class Listener implements ServerPort {
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly perPeer = new Map<string, number>()
  private refusedAtMs = -Infinity

  constructor(private readonly settings: ServerPortSettings) {
    this.server = createServer({noDelay: true, keepAlive: true}, socket => this.admit(socket))
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : this.settings.port
  }

  open(): Promise<void> {
    const {host, port} = this.settings
    return new Promise((resolve, reject) => {
      this.server.once('error', error => {
        reject(new AgentError(`Failed to start RPC layer: ${error.message}`))
      })
      this.server.listen({host, port}, () => {
        this.server.removeAllListeners('error')
        // A connection that could not be accepted (no more file descriptors) is the peer's to try again.
        this.server.on('error', error =>
          this.settings.log('error', SCOPE, `failed to accept: ${error.message}`),
        )
        resolve()
      })
    })
  }

  close(): Promise<void> {
    return new Promise(resolve => {
      this.server.close(() => resolve())
      for (const socket of this.sockets) socket.destroy()
    })
  }

  private admit(socket: Socket): void {
    const peer = remoteOf(socket)
    const {connectionsMax = 1024, connectionsPerPeerMax = 256} = this.settings
    const ofPeer = this.perPeer.get(peer) ?? 0
    socket.on('error', () => socket.destroy())
    if (!this.settings.filter.allows(peer, 'from')) return void socket.destroy()
    if (this.sockets.size >= connectionsMax || ofPeer >= connectionsPerPeerMax)
      return this.refuse(socket, peer)
    this.sockets.add(socket)
    this.perPeer.set(peer, ofPeer + 1)
    socket.once('close', () => {
      this.sockets.delete(socket)
      const left = (this.perPeer.get(peer) ?? 1) - 1
      if (left > 0) this.perPeer.set(peer, left)
      else this.perPeer.delete(peer)
    })
    this.awaitFirstByte(socket, peer)
  }

  /** Says so at most once a second: whoever opens too many connections must not fill the log as well. */
  private refuse(socket: Socket, peer: string): void {
    socket.destroy()
    const nowMs = performance.now()
    if (nowMs - this.refusedAtMs < 1000) return
    this.refusedAtMs = nowMs
    this.settings.log('warn', SCOPE, `too many connections, refused one: from=${peer}`)
  }

  private awaitFirstByte(socket: Socket, peer: string): void {
    const timer = setTimeout(() => socket.destroy(), FIRST_BYTE_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.once('data', (bytes: Uint8Array) => {
      clearTimeout(timer)
      const receive = this.receiver(socket, peer, bytes[0])
      if (receive === undefined) {
        this.settings.log('error', SCOPE, `unrecognized RPC byte: byte=${bytes[0]} from=${peer}`)
        return socket.destroy()
      }
      const guarded = (chunk: Uint8Array): void => {
        if (this.settings.filter.allows(peer, 'from')) receive(chunk)
        else socket.destroy()
      }
      socket.on('data', guarded)
      if (bytes.length > 1) guarded(bytes.subarray(1))
    })
  }

  /** What takes the bytes of a connection that carries this; undefined for what we do not know. */
  private receiver(
    socket: Socket,
    peer: string,
    carries: number | undefined,
  ): ((bytes: Uint8Array) => void) | undefined {
    const {raft, raftLimits} = this.settings
    const onProblem = (text: string): void =>
      this.settings.log('warn', SCOPE, `closed a connection: from=${peer} reason="${text}"`)
    switch (carries) {
      case Carries.raft: {
        const limits = {...RAFT_CONNECTION_LIMITS, ...raftLimits}
        const connection = new RaftConnection(socket, raft, limits, onProblem)
        return bytes => connection.receive(bytes)
      }
      case Carries.yamux: {
        const accept = (stream: CallStream): CallServer => this.callServer(stream, peer)
        const mux = new MuxConnection(socket, 'server', accept, onProblem)
        return bytes => mux.receive(bytes)
      }
      case Carries.rpc: {
        const server = this.callServer(wholeConnection(socket), peer)
        socket.once('end', () => server.onEnd())
        socket.once('close', () => server.onGone())
        return bytes => server.onBytes(bytes)
      }
      default:
        return undefined
    }
  }

  private callServer(stream: CallStream, peer: string): CallServer {
    return new CallServer(this.settings.methods, stream, peer, (method, error) => {
      const text = error instanceof Error ? error.message : String(error)
      this.settings.log('error', SCOPE, `a call failed: method=${method} from=${peer} error="${text}"`)
    })
  }
}

/** A connection that carries one stream of calls. */
function wholeConnection(socket: Socket): CallStream {
  const out = new Batcher(socket)
  return {
    write: bytes => out.write(bytes),
    end: () => void socket.end(),
    reset: () => void socket.destroy(),
    room: async () => {
      while (!socket.destroyed && socket.writableNeedDrain)
        await new Promise<void>(resolve => {
          socket.once('drain', resolve)
          socket.once('close', resolve)
        })
    },
  }
}
